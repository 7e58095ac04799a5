# Unit tests (cmocka, beside the code) and fuzz targets.
UNIT_TESTS := $(sort $(wildcard common/*/*_test.c ipc/runtime/*_test.c $(foreach p,$(PROGRAMS),services/$(p)/*_test.c services/$(p)/*/*_test.c)))
UNIT_BINS := $(UNIT_TESTS:%.c=$(BUILD)/debug/test/%)
# A test of a daemon's file links that daemon's other files, but not its main.c.
$(foreach p,$(PROGRAMS),$(eval $(BUILD)/debug/test/services/$(p)/%_test: EXTRA = $(filter-out %/main.o,$(patsubst %.c,$(BUILD)/debug/obj/%.o,$(call program_srcs,$(p))))))
$(foreach p,$(PROGRAMS),$(eval $(filter $(BUILD)/debug/test/services/$(p)/%,$(UNIT_BINS)): $(filter-out %/main.o,$(patsubst %.c,$(BUILD)/debug/obj/%.o,$(call program_srcs,$(p))))))
$(BUILD)/debug/test/%_test: $(BUILD)/debug/obj/%_test.o $(BUILD)/debug/libstarling.a
	@mkdir -p $(@D)
	@$(CC) $(debug_LDFLAGS) $(LDFLAGS) -o $@ $< $(EXTRA) $(BUILD)/debug/libstarling.a $(LIBS) -lcmocka

.PHONY: unit-tests check
unit-tests: $(UNIT_BINS)
check: unit-tests ## unit tests only (seconds)
	@BUILD=$(BUILD) tools/run-unit-tests $(UNIT_BINS)

FUZZ_SRCS := $(sort $(wildcard tests/fuzz/*.c))
FUZZ_BINS := $(FUZZ_SRCS:tests/fuzz/%.c=$(BUILD)/fuzz/bin/%)
FUZZ_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined
$(BUILD)/fuzz/obj/%.o: %.c | $(GEN_STAMP)
	@mkdir -p $(@D)
	@clang $(BASE_CPPFLAGS) $(BASE_CFLAGS) $(BUILD_CFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/fuzz/obj/gen/%.o: $(GEN)/%.c | $(GEN_STAMP)
	@mkdir -p $(@D)
	@clang $(BASE_CPPFLAGS) -std=gnu17 -w -D_GNU_SOURCE $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/fuzz/libstarling.a: $(LIB_SRCS:%.c=$(BUILD)/fuzz/obj/%.o) $(GEN_SRCS:$(GEN)/%.c=$(BUILD)/fuzz/obj/gen/%.o)
	@rm -f $@
	@ar rcs $@ $^
# Of a daemon only the files that do no I/O.
$(BUILD)/fuzz/bin/s2s_stream: $(patsubst %,$(BUILD)/fuzz/obj/services/s2s/%.o,classify key)
$(BUILD)/fuzz/bin/socks5: $(BUILD)/fuzz/obj/services/proxy65/socks5.o
$(BUILD)/fuzz/bin/mqtt_bridge: $(patsubst %,$(BUILD)/fuzz/obj/services/mqtt-bridge/%.o,relay rules)
$(BUILD)/fuzz/bin/mqtt_gateway: $(patsubst %,$(BUILD)/fuzz/obj/services/mqtt-gateway/%.o,rules rules_parse template to_user words)
$(BUILD)/fuzz/bin/%: $(BUILD)/fuzz/obj/tests/fuzz/%.o $(BUILD)/fuzz/libstarling.a
	@mkdir -p $(@D)
	@clang -fsanitize=fuzzer,address,undefined -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

.PHONY: fuzz-targets
fuzz-targets: $(FUZZ_BINS)
fuzz: fuzz-targets ## fuzz every parser; FUZZ_SECONDS=n in all (default 60)
	@tools/run-tests $(BUILD) fuzz

# Breaks a flock while clients talk through it (docs/reliability.md). CHAOS_ARGS: more options of tests/chaos/chaos.py.
MINUTES ?= 10
.PHONY: chaos
chaos: release ## break a flock under load, MINUTES=n, and check every message's history; SEED=s repeats a plan
	@$(PYTHON) tests/chaos/chaos.py --bin $(BUILD)/release/bin --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(CHAOS_ARGS)

# What `make test` runs once the packages are there. STAGES names some of them, or more: border, the long tests of federation; alone, the system tests with one instance of each daemon; brokers,
# those of MQTT with three.
STAGES ?= unit contract fuzz system upgrade federation turn mqtt chaos
.PHONY: test-here old-release
old-release: ## the release before, out of history, for the tests that mix it with this one (tests/upgrade)
	@+MAKE="$(MAKE)" CC="$(CC)" tools/build-old $(BUILD) >/dev/null
test-here: debug unit-tests $(if $(filter fuzz,$(STAGES)),fuzz-targets) $(if $(filter upgrade,$(STAGES)),old-release)
	@tools/run-tests $(BUILD) $(STAGES)
test: ## every test but STAGES="alone border brokers": unit, contract, fuzz smoke, system, upgrade, federation, turn, mqtt, two minutes of chaos
	@tools/install-packages
	@$(MAKE) --no-print-directory -j$$(nproc) test-here
