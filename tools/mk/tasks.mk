# What people call.
.PHONY: help run test fuzz bench lint format clean test-compose test-fresh
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile tools/mk/*.mk | sort | sed 's/:.*## /\t/' | expand -t 16
clean: ## remove build/
	@rm -rf $(BUILD)

# Where `make run` keeps its state, and more options for starlingctl up, such as RUN_FLAGS="--port-offset 1000 --scale c2s-edge=2,router=2".
RUN_DIR ?= run
RUN_FLAGS ?=
run: ## install what is missing, build, and run the flock here with two demo accounts
	@tools/install-packages build run
	@$(MAKE) --no-print-directory -j$$(nproc) release
	@tools/run-flock $(abspath $(BUILD))/release/bin $(RUN_DIR) $(RUN_FLAGS)
test-compose: ## build the images, bring up compose.yaml scaled, chat through it (needs docker)
	@tools/test-compose
test-fresh: ## make test and make run in fresh clones in clean containers (needs docker)
	@tools/test-fresh
