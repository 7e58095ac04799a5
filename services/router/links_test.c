/* SPDX-License-Identifier: Apache-2.0
 *
 * links_test: direct connections over real sockets: order while the way changes, breaks, what goes on without routers.
 * Who is refused is in refused_test.c. */
#include "services/router/links_for_test.h"

static pid_t victim;

/* --- order ------------------------------------------------------------------------------------------------------ */

/* Events all the time, from the first through the router to the last by the connection, in bursts that the loop's turns cut anywhere. Who connects is
 * chance: of several rounds it is each. */
static void test_order_across_the_switch(void **state)
{
	(void)state;
	for (int round = 0; round < 6; round++) {
		struct server s = { 0 };
		struct ipc_bus *server = server_new(&s, "storage", 0);
		struct client c;
		uint64_t to, sent = 0;
		struct ipc_stats stats;

		client_new(&c, 0);
		to = c.only = client_find(&c, "storage");
		/* On a busy machine the connection takes as long as it takes. */
		while (sent < 20000 || (stats_of(c.bus).direct_out == 0 && sent < 400000)) {
			for (unsigned burst = 1 + (unsigned)(sent % 37); burst > 0; burst--)
				assert_int_equal(deliver(&c, to, ++sent), IPC_SENT);
			uv_run(&flock.loop, UV_RUN_NOWAIT);
		}
		assert_true(flock_run(&flock, &s.events, (unsigned)sent, 10000));
		assert_int_equal(s.out_of_order, 0);
		assert_int_equal(s.events, sent);
		assert_true(settled(c.bus, to));
		stats = stats_of(c.bus);
		assert_int_equal(stats.links, 1);
		assert_in_range(stats.direct_out, 1, sent);
		assert_in_range(stats_of(server).direct_in, 1, sent);
		assert_int_equal(c.reset, 0);
		finish(&c, server);
	}
}

/* What a daemon says last, before it leaves, arrives though routers tell of its leave at once. */
static void test_last_words(void **state)
{
	struct server s = { 0 }, leaving = { 0 };
	struct ipc_bus *server = server_new(&s, "storage", 0), *other = server_new(&leaving, "auth", 0);
	struct client c = { .bus = other };
	uint64_t to;

	(void)state;
	to = client_find(&c, "storage");
	deliver(&c, to, 1);
	assert_true(settled(other, to));
	assert_true(settled(server, ipc_bus_instance(other)));
	for (uint64_t i = 2; i <= 500; i++)
		deliver(&c, to, i);
	ipc_bus_free(&other);
	assert_true(flock_run(&flock, &s.events, 500, 2000));
	assert_int_equal(s.out_of_order, 0);
	end(server);
}

/* A server with the higher number, so that the client connects to it. */
static struct ipc_bus *server_to_connect_to(struct client *c, struct server *s)
{
	struct ipc_bus *server;

	while ((server = server_new(s, "storage", 0)) && ipc_bus_instance(server) < ipc_bus_instance(c->bus))
		end(server);
	for (int i = 0; i < 200 && !ipc_bus_find(c->bus, ipc_bus_instance(server)); i++)
		flock_run(&flock, NULL, 0, 10);
	return server;
}

/* Between machines: a TCP port of an interface. */
static void test_tcp(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server;
	struct client c;

	(void)state;
	client_new(&c, 0);
	server_link = "lo";
	server = server_to_connect_to(&c, &s);
	server_link = "";
	for (uint64_t i = 1; i <= 1000; i++)
		deliver(&c, ipc_bus_instance(server), i);
	assert_true(flock_run(&flock, &s.events, 1000, 5000));
	assert_int_equal(s.out_of_order, 0);
	assert_true(settled(c.bus, ipc_bus_instance(server)));
	assert_int_equal(strncmp(server->direct->endpoint, "tcp://127.0.0.1:", 16), 0);
	finish(&c, server);
}

/* --- breaks ----------------------------------------------------------------------------------------------------- */

static void break_at(struct ipc_bus *bus, uint64_t instance)
{
	struct peer *p = peer_of(bus, instance);

	assert_non_null(p->pair);
	pair_drop(p->pair, "the test breaks it");
}

/* Broken by one end or the other: calls on the way end, the daemon hears of it, records go on, in order, through a router and then by a new
 * connection. */
static void test_break_and_again(void **state)
{
	struct ipc_bus *server;
	struct server s;
	struct client c;
	uint64_t to;

	(void)state;
	for (int by_client = 0; by_client < 2; by_client++) {
		to = couple(&c, &s, &server, "storage");
		call(&c, ipc_instance(to), METHOD_AUTH_SASL, 30000);
		flock_run(&flock, NULL, 0, 50);
		assert_int_equal(s.held_count, 1);
		assert_int_equal(c.done, 0);
		break_at(by_client ? c.bus : server, by_client ? to : ipc_bus_instance(c.bus));
		assert_true(flock_run(&flock, &c.done, 1, 2000));
		assert_int_equal(c.code, STARLING__CODE__CODE_PEER_LOST);
		assert_true(flock_run(&flock, &c.reset, 1, 2000));
		for (uint64_t i = 1; i <= 3000; i++) {
			deliver(&c, to, i);
			if (i % 50 == 0)
				flock_run(&flock, NULL, 0, 1);
		}
		assert_true(flock_run(&flock, &s.events, 3000, 5000));
		assert_int_equal(s.out_of_order, 0);
		assert_true(settled(c.bus, to));
		assert_int_equal(c.lost, 0);
		ipc_fail(s.held[0], STARLING__CODE__CODE_EXISTS, "late");
		finish(&c, server);
	}
}

/* What waits behind lost calls is lost with them: else it would arrive before they are sent again. */
static void test_break_takes_what_waits(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server = server_new(&s, "storage", 4);
	struct client c;
	uint64_t to;

	(void)state;
	client_new(&c, 0);
	to = c.only = client_find(&c, "storage");
	for (int i = 0; i < 10; i++)
		call(&c, ipc_instance(to), METHOD_AUTH_SASL, 30000);
	assert_true(flock_run(&flock, &s.held_count, 4, 2000));
	assert_true(settled(c.bus, to));
	assert_int_equal(stats_of(c.bus).queued, 6);
	break_at(c.bus, to);
	assert_true(flock_run(&flock, &c.done, 10, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_PEER_LOST);
	assert_int_equal(stats_of(c.bus).queued, 0);
	call(&c, ipc_instance(to), METHOD_AUTH_MECHANISMS, 0);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, 0);
	assert_int_equal(s.held_count, 4);
	for (unsigned i = 0; i < 4; i++)
		ipc_fail(s.held[i], STARLING__CODE__CODE_EXISTS, "late");
	finish(&c, server);
}

/* So is what a daemon sends before it has heard of the break. */
static void test_break_not_heard_yet(void **state)
{
	struct ipc_bus *server;
	struct server s;
	struct client c;
	uint64_t to = couple(&c, &s, &server, "storage");

	(void)state;
	break_at(c.bus, to);
	assert_int_equal(call(&c, ipc_instance(to), METHOD_AUTH_SASL, 30000), IPC_SENT);
	assert_int_equal(deliver(&c, to, 1), IPC_SENT);
	assert_int_equal(c.done + c.reset, 0);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, STARLING__CODE__CODE_PEER_LOST);
	assert_int_equal(c.reset, 1);
	for (uint64_t i = 1; i <= 5; i++)
		deliver(&c, to, i);
	assert_true(flock_run(&flock, &s.events, 5, 2000));
	assert_int_equal(s.out_of_order, 0);
	assert_int_equal(s.held_count, 0);
	finish(&c, server);
}

static struct {
	struct ipc_bus *server;
	uint64_t client;
	unsigned resets, heard_by_then;
} loser;

static void on_loser_reset(uint64_t instance, void *ctx)
{
	(void)ctx;
	loser.resets += instance == loser.client;
}

/* Instead of on_sasl: the way to the client breaks. */
static void lose_the_client(struct ipc_call *call, const ProtobufCMessage *m)
{
	(void)m;
	membership_reset(loser.server, peer_of(loser.server, loser.client), &(struct breach){ .out = true });
	ipc_fail(call, STARLING__CODE__CODE_EXISTS, "broken");
}

/* Instead of on_mechanisms: what it sends must not be lost any more. */
static void ask_the_loser(struct ipc_call *call, const ProtobufCMessage *m)
{
	loser.heard_by_then = loser.resets;
	assert_false(peer_of(loser.server, loser.client)->severed);
	on_mechanisms(call, m);
}

/* In one frame with what breaks the way comes a question of the other end, which knows already: the daemon hears of the break first. */
static void test_break_is_heard_before_a_question(void **state)
{
	static const struct ipc_bus_hooks reset_hook = { .on_reset = on_loser_reset };
	struct ipc_config config = { .serves = serves, .serve_count = 2 };
	struct server s = { 0 };
	struct client c;
	uint64_t to;

	(void)state;
	auth_methods[0].handler = ask_the_loser;
	auth_methods[1].handler = lose_the_client;
	loser.server = flock_bus(&flock, "storage", "storage", &config, &reset_hook, &s);
	ipc_bus_set_state(loser.server, STARLING__INSTANCE_STATE__INSTANCE_READY);
	client_new(&c, 0);
	loser.client = ipc_bus_instance(c.bus);
	to = c.only = client_find(&c, "storage");
	for (int i = 0; i < 200 && !peer_of(loser.server, loser.client); i++)
		flock_run(&flock, NULL, 0, 10);
	call(&c, ipc_instance(to), METHOD_AUTH_SASL, 0);
	call(&c, ipc_instance(to), METHOD_AUTH_MECHANISMS, 0);
	assert_true(flock_run(&flock, &c.done, 2, 2000));
	assert_int_equal(loser.heard_by_then, 1);
	auth_methods[0].handler = on_mechanisms;
	auth_methods[1].handler = on_sasl;
	finish(&c, loser.server);
}

/* No new connection is possible: all goes through the router. */
static void test_break_for_good(void **state)
{
	struct ipc_bus *server, *listener;
	struct server s;
	struct client c;
	uint64_t to = couple(&c, &s, &server, "storage"), before;

	(void)state;
	listener = to > ipc_bus_instance(c.bus) ? server : c.bus;
	unlink(listener->direct->endpoint + strlen("ipc://"));
	break_at(listener, listener == server ? ipc_bus_instance(c.bus) : to);
	assert_true(flock_run(&flock, &c.reset, 1, 2000));
	before = stats_of(c.bus).direct_out;
	for (uint64_t i = 1; i <= 3000; i++)
		deliver(&c, to, i);
	assert_true(flock_run(&flock, &s.events, 3000, 5000));
	assert_int_equal(s.out_of_order, 0);
	assert_int_equal(stats_of(c.bus).links, 0);
	assert_int_equal(stats_of(c.bus).direct_out, before);
	finish(&c, server);
}

/* --- without routers ---------------------------------------------------------------------------------------------- */

/* The only router is killed: calls that are open are answered, events go on, nobody is lost. */
static void test_router_killed(void **state)
{
	struct ipc_bus *server;
	struct server s;
	struct client c;
	uint64_t to = couple(&c, &s, &server, "storage");

	(void)state;
	call(&c, ipc_instance(to), METHOD_AUTH_SASL, 30000);
	flock_run(&flock, NULL, 0, 50);
	flock_end(flock.router, SIGKILL);
	for (uint64_t i = 1; i <= 2000; i++) {
		deliver(&c, to, i);
		if (i % 20 == 0)
			flock_run(&flock, NULL, 0, 10);
	}
	assert_true(flock_run(&flock, &s.events, 2000, 2000));
	assert_int_equal(s.out_of_order, 0);
	assert_int_equal(stats_of(c.bus).routers, 0);
	assert_int_equal(c.done, 0);
	ipc_fail(s.held[0], STARLING__CODE__CODE_EXISTS, "answered without a router");
	assert_true(flock_run(&flock, &c.done, 1, 1000));
	assert_int_equal(c.code, STARLING__CODE__CODE_EXISTS);
	flock.router = flock_start_router(&flock, "r1");
	for (int i = 0; i < 300 && !ipc_bus_joined(c.bus); i++)
		flock_run(&flock, NULL, 0, 10);
	flock_run(&flock, NULL, 0, 300);
	call(&c, ipc_any("storage"), METHOD_AUTH_MECHANISMS, 0);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, 0);
	assert_int_equal(c.reset + c.lost, 0);
	finish(&c, server);
}

/* The only router hangs in the middle of a switch, and dies with what it had: what was held behind that does not arrive either. Their connection is
 * another one then, so that both know. */
static void test_router_killed_in_the_switch(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server;
	struct client c;
	uint64_t to, connection;

	(void)state;
	client_new(&c, 0);
	server = server_to_connect_to(&c, &s);
	to = c.only = ipc_bus_instance(server);
	kill(flock.router, SIGSTOP);
	for (int i = 0; i < 3; i++)
		call(&c, ipc_instance(to), METHOD_AUTH_SASL, 30000);
	for (int i = 0; i < 100 && peer_of(c.bus, to)->path.out != PATH_SWITCHING; i++)
		flock_run(&flock, NULL, 0, 10);
	assert_int_equal(peer_of(c.bus, to)->path.out, PATH_SWITCHING);
	for (int i = 0; i < 3; i++)
		call(&c, ipc_instance(to), METHOD_AUTH_SASL, 30000);
	assert_true(peer_of(c.bus, to)->hold.n > 0);
	connection = peer_of(server, ipc_bus_instance(c.bus))->path.connection;
	assert_true(connection != 0);
	assert_int_equal(c.done, 0);
	flock_end(flock.router, SIGKILL);
	assert_true(flock_run(&flock, &c.done, 6, 5000));
	assert_int_equal(c.code, STARLING__CODE__CODE_PEER_LOST);
	assert_true(c.reset > 0);
	call(&c, ipc_instance(to), METHOD_AUTH_MECHANISMS, 0);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, 0);
	assert_int_equal(s.held_count, 0);
	assert_true(settled(c.bus, to));
	assert_int_not_equal(peer_of(server, ipc_bus_instance(c.bus))->path.connection, connection);
	flock.router = flock_start_router(&flock, "r1");
	finish(&c, server);
}

/* --- those that die --------------------------------------------------------------------------------------------- */

static void test_peer_stopped_and_killed(void **state)
{
	struct client c;
	uint64_t instance, before;

	(void)state;
	client_new(&c, 0);
	instance = client_find(&c, "session-manager");
	assert_true(instance != 0);
	call(&c, ipc_instance(instance), METHOD_AUTH_MECHANISMS, 0);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_true(settled(c.bus, instance));
	c.only = instance;
	kill(victim, SIGSTOP);
	flock_run(&flock, NULL, 0, 1000); /* the router allows three silent intervals of 400 ms */
	assert_int_equal(c.lost + c.reset, 0);
	kill(victim, SIGCONT);
	flock_run(&flock, NULL, 0, 200);
	assert_int_equal(c.lost + c.reset, 0);
	call(&c, ipc_instance(instance), METHOD_AUTH_SASL, 30000);
	flock_run(&flock, NULL, 0, 50);
	before = clock_mono_ms();
	kill(victim, SIGKILL);
	assert_true(flock_run(&flock, &c.done, 1, 5000));
	assert_int_equal(c.code, STARLING__CODE__CODE_PEER_LOST);
	assert_true(flock_run(&flock, &c.lost, 1, 2000));
	assert_in_range(clock_mono_ms() - before, 0, 1000);
	assert_null(ipc_bus_find(c.bus, instance));
	end(c.bus);
	waitpid(victim, NULL, 0);
}

/* --- those that have none --------------------------------------------------------------------------------------- */

static void test_one_end_without_links(void **state)
{
	struct server s = { 0 };
	struct ipc_bus *server;
	struct client c;
	uint64_t to;

	(void)state;
	server_link = "none";
	server = server_new(&s, "storage", 0);
	server_link = "";
	client_new(&c, 0);
	to = client_find(&c, "storage");
	for (uint64_t i = 1; i <= 2000; i++)
		deliver(&c, to, i);
	assert_true(flock_run(&flock, &s.events, 2000, 5000));
	assert_int_equal(s.out_of_order, 0);
	assert_int_equal(stats_of(c.bus).links, 0);
	assert_int_equal(stats_of(server).links, 0);
	assert_int_equal(stats_of(server).direct_in, 0);
	finish(&c, server);
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

/* A key that is taken off the list, of which only the server has heard so far: the connection ends, and no other comes. */
static void test_key_revoked(void **state)
{
	char path[256], line[128], kept[2048] = "";
	struct ipc_bus *server;
	struct server s;
	struct client c;
	struct err e;
	FILE *f;

	(void)state;
	couple(&c, &s, &server, "storage");
	flock_path(&flock, "keys/allow", path);
	f = fopen(path, "r");
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "c2s-edge ", 9) != 0)
			strcat(kept, line);
	fclose(f);
	f = fopen(path, "w");
	fputs(kept, f);
	fclose(f);
	assert_int_equal(ipc_bus_reload_keys(server, &e), 0);
	assert_true(flock_run(&flock, &c.reset, 1, 2000));
	flock_run(&flock, NULL, 0, 1000);
	assert_int_equal(stats_of(server).links, 0);
	call(&c, ipc_any("storage"), METHOD_AUTH_MECHANISMS, 0);
	assert_true(flock_run(&flock, &c.done, 1, 2000));
	assert_int_equal(c.code, 0);
	unlink(path);
	assert_int_equal(ipc_bus_reload_keys(server, &e), -1); /* the list that it has stays in force */
	finish(&c, server);
}

/* --- the flock -------------------------------------------------------------------------------------------------- */

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
	victim = fork();
	if (victim == 0)
		victim_run();
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer_stopped_and_killed),
		cmocka_unit_test(test_order_across_the_switch),
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_break_and_again),
		cmocka_unit_test(test_break_takes_what_waits),
		cmocka_unit_test(test_break_not_heard_yet),
		cmocka_unit_test(test_break_is_heard_before_a_question),
		cmocka_unit_test(test_break_for_good),
		cmocka_unit_test(test_router_killed),
		cmocka_unit_test(test_router_killed_in_the_switch),
		cmocka_unit_test(test_one_end_without_links),
		cmocka_unit_test(test_key_revoked),
	};
	int router = flock_main(argc, argv);

	return router >= 0 ? router : cmocka_run_group_tests(tests, setup, flock_teardown);
}
