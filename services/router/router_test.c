/* SPDX-License-Identifier: Apache-2.0
 *
 * router_test: who is refused, and what is lost when a service or a router is killed. Servers here have no
 * direct connections, so that all goes through routers; links_test.c is about those. */
#include "services/router/bus_for_test.h"

static pid_t victim;

static void test_wrong_key(void **state)
{
	struct client c = { 0 };

	(void)state;
	c.bus = flock_bus(&flock, "auth", "unlisted", NULL, &hooks, &c);
	assert_false(flock_run(&flock, &c.joined, 1, 1000));
	assert_false(ipc_bus_joined(c.bus));
	assert_int_equal(call(&c, ipc_any("auth"), METHOD_AUTH_MECHANISMS, 0), IPC_NOBODY);
	end(c.bus);
	assert_int_equal(c.done, 1);
}

static void test_wrong_role(void **state)
{
	struct client c = { 0 };

	(void)state;
	c.bus = flock_bus(&flock, "storage", "auth", NULL, &hooks, &c);
	assert_false(flock_run(&flock, &c.joined, 1, 1000));
	assert_false(ipc_bus_joined(c.bus));
	end(c.bus);
}

/* Ends without a word: the router's probe finds out. */
static void test_peer_killed(void **state)
{
	struct client c;
	uint64_t instance, before;

	(void)state;
	client_new(&c, 0);
	instance = client_find(&c, "session-manager");
	assert_true(instance != 0);
	call(&c, ipc_instance(instance), METHOD_AUTH_SASL, 30000);
	flock_run(&flock, NULL, 0, 50);
	assert_int_equal(c.done, 0);
	before = clock_mono_ms();
	kill(victim, SIGKILL);
	assert_true(flock_run(&flock, &c.done, 1, 5000));
	assert_int_equal(c.code, STARLING__CODE__CODE_PEER_LOST);
	assert_in_range(clock_mono_ms() - before, 0, 1000);
	assert_true(flock_run(&flock, &c.lost, 1, 1000));
	assert_null(ipc_bus_find(c.bus, instance));
	assert_int_equal(call(&c, ipc_instance(instance), METHOD_AUTH_SASL, 0), IPC_NOBODY);
	end(c.bus);
	waitpid(victim, NULL, 0);
}

/* A router that is killed takes calls with it, but nobody is dead, and what is sent meanwhile waits. */
static void test_router_killed(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "storage", 16);
	struct client c;
	uint64_t to;

	(void)state;
	client_new(&c, 0);
	to = client_find(&c, "storage");
	call(&c, ipc_instance(to), METHOD_AUTH_SASL, 30000);
	flock_run(&flock, NULL, 0, 100);
	assert_int_equal(s.held_count, 1);
	flock_end(flock.router, SIGKILL);
	assert_true(flock_run(&flock, &c.done, 1, 3000));
	assert_int_equal(c.code, STARLING__CODE__CODE_PEER_LOST);
	assert_true(c.reset >= 1);
	for (uint64_t i = 1; i <= 40; i++)
		assert_int_equal(deliver(&c, to, i), IPC_SENT);
	flock.router = flock_start_router(&flock, "r1");
	assert_true(flock_run(&flock, &s.events, 40, 5000));
	assert_int_equal(s.out_of_order, 0);
	assert_non_null(ipc_bus_find(c.bus, to));
	ipc_fail(s.held[0], STARLING__CODE__CODE_EXISTS, "late");
	end(c.bus);
	end(server);
}

/* Pairs spread over both; when one is killed, the other carries on, nobody is lost, and order holds behind the break. */
static void test_two_routers(void **state)
{
	pid_t second = flock_start_router(&flock, "r2");
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "storage", 0);
	struct ipc_stats stats = { 0 };
	struct client c;
	uint64_t to;

	(void)state;
	client_new(&c, 0);
	to = client_find(&c, "storage");
	for (int i = 0; i < 200 && stats.routers < 2; i++) {
		flock_run(&flock, NULL, 0, 10);
		ipc_bus_stats(c.bus, &stats);
	}
	assert_int_equal(stats.routers, 2);
	for (uint64_t i = 1; i <= 1000; i++)
		deliver(&c, to, i);
	assert_true(flock_run(&flock, &s.events, 1000, 5000));
	flock_end(flock.router, SIGKILL);
	flock_run(&flock, NULL, 0, 300);
	for (uint64_t i = 1001; i <= 2000; i++)
		deliver(&c, to, i);
	assert_true(flock_run(&flock, &s.events, 2000, 5000));
	assert_int_equal(s.out_of_order, 0);
	assert_int_equal(call(&c, ipc_any("storage"), METHOD_AUTH_MECHANISMS, 0), IPC_SENT);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, 0);
	assert_non_null(ipc_bus_find(c.bus, to));
	flock.router = flock_start_router(&flock, "r1");
	assert_int_equal(flock_end(second, SIGTERM), 0);
	flock_run(&flock, NULL, 0, 500);
	call(&c, ipc_any("storage"), METHOD_AUTH_MECHANISMS, 0);
	assert_true(flock_run(&flock, &c.done, 1, 3000));
	assert_int_equal(c.code, 0);
	end(c.bus);
	end(server);
}

/* A key that is taken off the list: its service is dropped and cannot come back. */
static void test_key_revoked(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "auth", 0);
	char path[256], line[128], kept[2048] = "";
	struct client c;
	FILE *f;

	(void)state;
	client_new(&c, 0);
	assert_true(client_find(&c, "auth") != 0);
	/* Others may know of it before it has the answer itself. */
	for (int i = 0; i < 300 && !ipc_bus_joined(server); i++)
		flock_run(&flock, NULL, 0, 10);
	flock_path(&flock, "keys/allow", path);
	f = fopen(path, "r");
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "auth ", 5) != 0)
			strcat(kept, line);
	fclose(f);
	f = fopen(path, "w");
	fputs(kept, f);
	fclose(f);
	kill(flock.router, SIGHUP);
	for (int i = 0; i < 300 && ipc_bus_joined(server); i++)
		flock_run(&flock, NULL, 0, 10);
	flock_run(&flock, NULL, 0, 500);
	assert_int_equal(call(&c, ipc_any("auth"), METHOD_AUTH_MECHANISMS, 0), IPC_NOBODY);
	assert_true(flock_run(&flock, &c.done, 1, 1000));
	assert_false(ipc_bus_joined(server));
	end(c.bus);
	end(server);
}

static void victim_run(void)
{
	struct server s = { 0 };

	uv_loop_init(&flock.loop); /* the parent's would be shared */
	server_new(&s, "session-manager", 0);
	alarm(300);
	uv_run(&flock.loop, UV_RUN_DEFAULT);
	_exit(1);
}

/* Forks while this process has one thread. */
static int setup(void **state)
{
	flock_setup(state);
	server_link = "none";
	victim = fork();
	if (victim == 0)
		victim_run();
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_key),     cmocka_unit_test(test_wrong_role),  cmocka_unit_test(test_peer_killed),
		cmocka_unit_test(test_router_killed), cmocka_unit_test(test_two_routers), cmocka_unit_test(test_key_revoked),
	};
	int router = flock_main(argc, argv);

	return router >= 0 ? router : cmocka_run_group_tests(tests, setup, flock_teardown);
}
