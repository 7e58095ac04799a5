# What people call.
.PHONY: help run test fuzz bench lint format clean
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile tools/mk/*.mk | sort | sed 's/:.*## /\t/' | expand -t 16
clean: ## remove build/
	@rm -rf $(BUILD)
