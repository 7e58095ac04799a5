/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_test: calls, events, credit and addressing over a real router in a child process: Unix socket, CURVE. */
#include "services/router/bus_for_test.h"

#define EVENTS 100000u

static void test_calls(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "auth", 0);
	struct client c;
	uint64_t instance;

	(void)state;
	client_new(&c, 0);
	instance = client_find(&c, "auth");
	assert_int_equal(instance, ipc_bus_instance(server));
	assert_int_equal(call(&c, ipc_any("auth"), METHOD_AUTH_MECHANISMS, 0), IPC_SENT);
	assert_int_equal(c.done, 0); /* never before the call returned */
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, 0);
	assert_string_equal(c.text, "example.org");
	assert_string_equal(c.payload, "ballast");

	assert_int_equal(call(&c, ipc_instance(instance), METHOD_AUTH_CHECK_ACCOUNT, 0), IPC_SENT);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_UNSUPPORTED);

	assert_int_equal(call(&c, ipc_any("muc"), METHOD_AUTH_MECHANISMS, 0), IPC_NOBODY);
	assert_int_equal(c.done, 0);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_UNAVAILABLE);
	end(c.bus);
	end(server);
}

static void test_invalid(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "auth", 0);
	struct client c;
	Starling__Progress wrong;

	(void)state;
	client_new(&c, 0);
	client_find(&c, "auth");
	starling__progress__init(&wrong);
	wrong.stream = 1; /* a number where the request has a string */
	assert_int_equal(ipc_call(c.bus, ipc_any("auth"), NULL, METHOD_AUTH_MECHANISMS, &wrong.base, on_done, &c), IPC_SENT);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_INVALID);
	end(c.bus);
	end(server);
}

static void test_timeout_once(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "auth", 0);
	struct client c;
	uint64_t before;

	(void)state;
	client_new(&c, 0);
	client_find(&c, "auth");
	before = clock_mono_ms();
	call(&c, ipc_any("auth"), METHOD_AUTH_SASL, 80);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_TIMEOUT);
	assert_in_range(clock_mono_ms() - before, 79, 400);
	assert_int_equal(s.held_count, 1);
	ipc_fail(s.held[0], STARLING__CODE__CODE_EXISTS, "late");
	flock_run(&flock, NULL, 0, 100);
	assert_int_equal(c.done, 1);
	end(c.bus);
	end(server);
}

/* More calls than the window allows, answered only later: what the queue holds is called off when its time is over. */
static void test_waiting_calls_time_out(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "auth", 4);
	struct client c;
	unsigned answered = 0;

	(void)state;
	client_new(&c, 0);
	client_find(&c, "auth");
	for (int i = 0; i < 10; i++)
		call(&c, ipc_any("auth"), METHOD_AUTH_SASL, 150);
	assert_true(flock_run(&flock, &c.done, 10, 2000));
	assert_int_equal(s.held_count, 4);
	for (; answered < 4; answered++)
		ipc_fail(s.held[answered], STARLING__CODE__CODE_EXISTS, "late");
	call(&c, ipc_any("auth"), METHOD_AUTH_MECHANISMS, 1000);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, 0);
	assert_int_equal(s.held_count, 4);
	end(c.bus);
	end(server);
}

/* The same where those behind must not arrive without it: all arrive, in order, though nobody waits for the answers any more. */
static void test_waiting_in_line(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "auth", 4);
	struct client c;

	(void)state;
	client_new(&c, 0);
	client_find(&c, "auth");
	for (int i = 0; i < 10; i++)
		call_with(&c, ipc_any("auth"), METHOD_AUTH_SASL, (struct ipc_opts){ .deadline_ms = 150, .in_line = true });
	assert_true(flock_run(&flock, &c.done, 10, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_TIMEOUT);
	for (unsigned answered = 0; answered < 10; answered++) {
		assert_true(flock_run(&flock, &s.held_count, answered + 1, 2000));
		ipc_fail(s.held[answered], STARLING__CODE__CODE_EXISTS, "late");
	}
	call(&c, ipc_any("auth"), METHOD_AUTH_MECHANISMS, 1000);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, 0);
	end(c.bus);
	end(server);
}

static void test_events_by_credit(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "storage", 16);
	struct ipc_stats stats;
	struct client c;
	uint64_t to;

	(void)state;
	client_new(&c, EVENTS);
	to = client_find(&c, "storage");
	for (uint64_t i = 1; i <= EVENTS; i++)
		assert_int_equal(deliver(&c, to, i), IPC_SENT);
	assert_int_equal(c.high, 1);
	ipc_bus_stats(c.bus, &stats);
	assert_int_equal(stats.queued, EVENTS - 16);
	assert_true(flock_run(&flock, &s.events, EVENTS, 60000));
	assert_int_equal(s.out_of_order, 0);
	assert_int_equal(c.low, 1);
	ipc_bus_stats(c.bus, &stats);
	assert_int_equal(stats.queued, 0);
	end(c.bus);
	end(server);
}

static void test_full(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "storage", 16);
	struct client c;
	uint64_t to;

	(void)state;
	client_new(&c, 100);
	to = client_find(&c, "storage");
	for (uint64_t i = 1; i <= 116; i++)
		assert_int_equal(deliver(&c, to, i), IPC_SENT);
	assert_int_equal(deliver(&c, to, 117), IPC_FULL);
	assert_int_equal(call(&c, ipc_instance(to), METHOD_AUTH_MECHANISMS, 0), IPC_FULL);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_OVERLOAD);
	assert_true(flock_run(&flock, &s.events, 116, 5000));
	end(c.bus);
	end(server);
}

static void test_hold(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "storage", 16);
	struct client c;
	uint64_t to;

	(void)state;
	client_new(&c, 0);
	to = client_find(&c, "storage");
	ipc_bus_hold(server, "c2s-edge", true);
	for (uint64_t i = 1; i <= 200; i++)
		deliver(&c, to, i);
	flock_run(&flock, NULL, 0, 600);
	assert_int_equal(s.events, 16);
	ipc_bus_hold(server, "c2s-edge", false);
	assert_true(flock_run(&flock, &s.events, 200, 5000));
	end(c.bus);
	end(server);
}

static void test_self(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "auth", 0);
	struct client c = { .bus = server };

	(void)state;
	while (!ipc_bus_joined(server))
		flock_run(&flock, NULL, 0, 10);
	flock_run(&flock, NULL, 0, 50);
	call(&c, ipc_instance(ipc_bus_instance(server)), METHOD_AUTH_MECHANISMS, 0);
	assert_int_equal(c.done, 0);
	assert_true(flock_run(&flock, &c.done, 1, 1000));
	assert_int_equal(c.code, 0);
	for (uint64_t i = 1; i <= 100; i++)
		deliver(&c, ipc_bus_instance(server), i);
	assert_int_equal(s.events, 0);
	assert_true(flock_run(&flock, &s.events, 100, 1000));
	assert_int_equal(s.out_of_order, 0);
	end(server);
}

/* The directory shows this owner within a bounded time. */
static bool owned_by(struct ipc_bus *bus, uint32_t slot, uint64_t owner, uint64_t *out_epoch)
{
	for (int i = 0; i < 100; i++) {
		if (ipc_bus_slot_owner(bus, slot, out_epoch) == owner)
			return true;
		flock_run(&flock, NULL, 0, 50);
	}
	return false;
}

static void test_slots(void **state)
{
	struct server s1 = { 0 }, s2 = { 0 };
	struct ipc_bus *a = server_new(&s1, "storage", 0), *b = server_new(&s2, "storage", 0);
	const uint32_t slots[] = { 1, 2 };
	const uint64_t old[] = { 5, 5 }, newer[] = { 6, 6 };
	uint64_t epoch;
	struct client c;

	(void)state;
	client_new(&c, 0);
	ipc_bus_claim_slots(a, slots, old, 2);
	assert_true(owned_by(c.bus, 1, ipc_bus_instance(a), &epoch));
	assert_int_equal(epoch, 5);
	ipc_bus_claim_slots(b, slots, newer, 1);
	assert_true(owned_by(c.bus, 1, ipc_bus_instance(b), &epoch));
	assert_int_equal(ipc_bus_slot_owner(c.bus, 2, &epoch), ipc_bus_instance(a));
	assert_int_equal(ipc_bus_slot_owner(c.bus, 3, &epoch), 0);
	assert_int_equal(call(&c, ipc_slot("storage", 1), METHOD_AUTH_MECHANISMS, 0), IPC_SENT);
	assert_true(flock_run(&flock, &c.done, 1, 1000));
	assert_int_equal(c.code, 0);
	end(b);
	assert_true(owned_by(c.bus, 1, ipc_bus_instance(a), &epoch));
	end(c.bus);
	end(a);
}

static void test_router_admin(void **state)
{
	struct client c;
	uint64_t router;

	(void)state;
	client_new(&c, 0);
	router = client_find(&c, "router");
	assert_true(router != 0);
	call(&c, ipc_instance(router), METHOD_ADMIN_STATUS, 0);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, 0);
	assert_string_equal(c.text, "router");
	end(c.bus);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_timeout_once),
		cmocka_unit_test(test_waiting_calls_time_out),
		cmocka_unit_test(test_waiting_in_line),
		cmocka_unit_test(test_events_by_credit),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_router_admin),
	};
	int router = flock_main(argc, argv);

	return router >= 0 ? router : cmocka_run_group_tests(tests, flock_setup, flock_teardown);
}
