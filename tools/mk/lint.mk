# What is checked without running anything. `make lint` runs all; each part has a target of its own.
OUR_C := $(sort $(wildcard common/*/*.c ipc/runtime/*.c services/*/*.c services/*/*/*.c tests/fuzz/*.c tests/*/*.c))
OUR_H := $(sort $(wildcard common/*/*.h ipc/runtime/*.h services/*/*.h services/*/*/*.h tests/fuzz/*.h tests/*/*.h))
OUR_SHELL = $(shell git ls-files -z 2>/dev/null | xargs -0 awk 'FNR == 1 && /^\#! ?\/(usr\/)?bin\/(env )?(ba|da)?sh/ { print FILENAME } { nextfile }' 2>/dev/null)
LINT := $(PYTHON) tools/lint

.PHONY: lint lint-format lint-layers lint-banned lint-size lint-contract lint-statements lint-shell lint-tidy format contract-lock
lint: lint-format lint-layers lint-banned lint-size lint-contract lint-statements lint-shell lint-tidy ## format, layers, banned functions, sizes, contract, tests of MQTT's statements, shellcheck, clang-tidy
lint-format:
	@echo "  LINT format"
	@clang-format --dry-run -Werror $(OUR_C) $(OUR_H)
lint-layers:
	@echo "  LINT layers"
	@$(LINT)/layers.py $(OUR_C) $(OUR_H)
lint-banned:
	@echo "  LINT banned functions"
	@$(LINT)/banned.py $(OUR_C) $(OUR_H)
lint-size:
	@echo "  LINT size"
	@$(LINT)/size.py $(OUR_C) $(OUR_H)
lint-contract: $(GEN_STAMP)
	@echo "  LINT contract"
	@$(LINT)/contract_test.py $(GEN)/contract.binpb
	@$(LINT)/contract.py check $(GEN)/contract.binpb ipc/contract.lock
lint-statements:
	@echo "  LINT statements"
	@tools/mqtt-statements --check
lint-shell:
	@echo "  LINT shell"
	@if command -v shellcheck >/dev/null; then shellcheck -x -S warning $(OUR_SHELL); else echo "  note: shellcheck is not installed"; fi

# clang-tidy is slow: a file is looked at again only when it, or a header that it includes, has changed. That is what its object file knows.
# The analyzer's budget for one function is cut to what still finds bugs in seconds.
TIDY_BUDGET := $(addprefix --extra-arg=,-Xclang -analyzer-config -Xclang max-nodes=30000)
TIDY_STAMPS := $(patsubst %.c,$(BUILD)/tidy/%.ok,$(filter-out %_test.c tests/%,$(OUR_C)))
$(BUILD)/tidy/%.ok: $(BUILD)/debug/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy --quiet $(TIDY_BUDGET) $*.c -- $(BASE_CPPFLAGS) $(BASE_CFLAGS) -DSTARLING_VERSION='""' -DSTARLING_ROLES='""' 2>$@.log || { grep -v 'warnings\{0,1\} generated' $@.log; exit 1; }
	@rm -f $@.log
	@touch $@
.PHONY: tidy-stamps
tidy-stamps: $(TIDY_STAMPS)
lint-tidy:
	@echo "  LINT clang-tidy"
	@+$(MAKE) --no-print-directory -k -j$(shell nproc) tidy-stamps

format: ## clang-format everything, in place
	@clang-format -i $(OUR_C) $(OUR_H)
contract-lock: $(GEN_STAMP) ## take compatible additions into ipc/contract.lock
	@$(LINT)/contract.py update $(GEN)/contract.binpb ipc/contract.lock
