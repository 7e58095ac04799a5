# From sources to programs. For a configuration C (debug, release): objects in $(BUILD)/C/obj, one archive of common/ and ipc/ with
# the generated code, programs in $(BUILD)/C/bin.
LIB_SRCS := $(filter-out %_test.c,$(sort $(wildcard common/*/*.c ipc/runtime/*.c)))
GEN_SRCS := $(patsubst %.proto,$(GEN)/%.pb-c.c,$(PROTOS)) $(GEN)/ipc/gen/contract.c \
	$(foreach i,$(INTERFACES),$(GEN)/ipc/gen/$(i).client.c $(GEN)/ipc/gen/$(i).server.c)
program_srcs = $(filter-out %_test.c,$(sort $(wildcard services/$(1)/*.c services/$(1)/*/*.c)))

# Made beside, and only what has changed is put in place: one more message does not compile everything again.
GEN_STAMP := $(GEN)/stamp
$(GEN_STAMP): $(PROTOS) ipc/gen/stubs.py
	@rm -rf $(GEN).new
	@mkdir -p $(GEN).new/ipc/gen
	@for f in $(PROTOS); do protoc-c --c_out=$(GEN).new $$f || exit 1; done
	@protoc --include_source_info --descriptor_set_out=$(GEN).new/contract.binpb $(PROTOS)
	@$(PYTHON) ipc/gen/stubs.py $(GEN).new/contract.binpb $(GEN).new/ipc/gen
	@cd $(GEN).new && find . -type f | while read -r f; do cmp -s "$$f" "$(abspath $(GEN))/$$f" || { mkdir -p "$(abspath $(GEN))/$${f%/*}" && mv "$$f" "$(abspath $(GEN))/$$f"; }; done
	@rm -rf $(GEN).new
	@touch $@
GEN_HEADERS := $(patsubst %.proto,$(GEN)/%.pb-c.h,$(PROTOS)) $(foreach i,$(INTERFACES),$(GEN)/ipc/gen/$(i).client.h $(GEN)/ipc/gen/$(i).server.h)
$(GEN_SRCS) $(GEN_HEADERS): $(GEN_STAMP) ;

define configuration
$(BUILD)/$(1)/obj/%.o: %.c | $(GEN_STAMP)
	@mkdir -p $$(@D)
	@echo "  CC [$(1)] $$<"
	@$$(CC) $$(BASE_CPPFLAGS) $$(BASE_CFLAGS) $$(BUILD_CFLAGS) $$($(1)_CFLAGS) $$(CFLAGS) -MMD -MP -c $$< -o $$@
# Generated code is not ours to warn about.
$(BUILD)/$(1)/obj/gen/%.o: $(GEN)/%.c | $(GEN_STAMP)
	@mkdir -p $$(@D)
	@$$(CC) $$(BASE_CPPFLAGS) -std=gnu17 -w -D_GNU_SOURCE $$($(1)_CFLAGS) $$(CFLAGS) -MMD -MP -c $$< -o $$@
$(BUILD)/$(1)/libstarling.a: $(LIB_SRCS:%.c=$(BUILD)/$(1)/obj/%.o) $(GEN_SRCS:$(GEN)/%.c=$(BUILD)/$(1)/obj/gen/%.o)
	@rm -f $$@
	@ar rcs $$@ $$^
.PHONY: $(1)
$(1): $(foreach p,$(PROGRAMS),$(BUILD)/$(1)/bin/$(p))
endef
define program
$(BUILD)/$(1)/bin/$(2): $(patsubst %.c,$(BUILD)/$(1)/obj/%.o,$(call program_srcs,$(2))) $(BUILD)/$(1)/libstarling.a
	@mkdir -p $$(@D)
	@echo "  LD [$(1)] $(2)"
	@$$(CC) $$($(1)_LDFLAGS) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $(BUILD)/$(1)/libstarling.a $$(LIBS)
endef
$(foreach c,debug release,$(eval $(call configuration,$(c))))
$(foreach c,debug release,$(foreach p,$(PROGRAMS),$(eval $(call program,$(c),$(p)))))
# It knows the roles (PROGRAMS).
$(foreach c,debug release,$(BUILD)/$(c)/obj/common/daemon/config.o): Makefile
-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d' -path '*/obj/*')
debug: ## build with sanitizers into build/debug/bin (the default)
release: ## build optimised and hardened into build/release/bin

# SQL migrations, compiled into storage.
MIGRATIONS := $(sort $(wildcard services/storage/migrations/*.sql))
$(GEN)/services/storage/migrations.inc: $(MIGRATIONS) tools/embed-sql
	@mkdir -p $(@D)
	@tools/embed-sql $(MIGRATIONS) > $@
$(foreach c,debug release,$(BUILD)/$(c)/obj/services/storage/migrations.o): $(GEN)/services/storage/migrations.inc

# A C benchmark tests/bench/<daemon>_bench.c is linked with that daemon's files, but not its main.c.
$(foreach p,$(PROGRAMS),$(eval $(BUILD)/release/bench/$(p)_bench: $(filter-out %/main.o,$(patsubst %.c,$(BUILD)/release/obj/%.o,$(call program_srcs,$(p))))))
$(BUILD)/release/bench/%_bench: $(BUILD)/release/obj/tests/bench/%_bench.o $(BUILD)/release/libstarling.a
	@mkdir -p $(@D)
	@$(CC) $(release_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(BUILD)/release/libstarling.a $(LIBS)
