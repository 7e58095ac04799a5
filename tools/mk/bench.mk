# The load generator and the comparison with ejabberd; never part of a test.
$(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	@$(CC) -std=gnu17 -O2 -g -Wall -Wextra -D_GNU_SOURCE -o $@ $< -lssl -lcrypto
# What one login costs in auth; links the library.
$(BUILD)/bench/scram_bench: tests/bench/scram_bench.c $(BUILD)/release/libstarling.a
	@mkdir -p $(@D)
	@$(CC) $(BASE_CPPFLAGS) $(BASE_CFLAGS) -O2 -o $@ $^ $(LIBS)
# What finding the subscribers of a message costs.
$(BUILD)/bench/mqtt_match_bench: tests/bench/mqtt_match_bench.c $(BUILD)/release/libstarling.a
	@mkdir -p $(@D)
	@$(CC) $(BASE_CPPFLAGS) $(BASE_CFLAGS) -O2 -o $@ $^ $(LIBS)
# What a record costs on its way through a router.
$(BUILD)/bench/ipc_bench: tests/bench/ipc_bench.c $(filter-out %/main.o,$(patsubst %.c,$(BUILD)/release/obj/%.o,$(call program_srcs,router))) $(BUILD)/release/libstarling.a
	@mkdir -p $(@D)
	@$(CC) $(BASE_CPPFLAGS) $(BASE_CFLAGS) -O2 -o $@ $^ $(LIBS)
turn-bench: release $(BUILD)/bench/turn_load ## measure the relay and coturn side by side
	@$(PYTHON) tests/bench/turn.py --bin $(abspath $(BUILD))/release/bin $(BENCH_ARGS)
mqtt-bench: release $(BUILD)/bench/mqtt_load $(BUILD)/bench/mqtt_match_bench ## measure the broker beside mosquitto and ejabberd
	@$(PYTHON) tests/bench/mqtt.py --build $(BUILD) $(BENCH_ARGS)
	@$(BUILD)/bench/mqtt_match_bench 100000
bench: release $(BUILD)/bench/xmpp_load ## measure the flock and ejabberd side by side
	@$(PYTHON) tests/bench/bench.py --build $(BUILD) $(BENCH_ARGS)
