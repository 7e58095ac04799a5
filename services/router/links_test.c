/* SPDX-License-Identifier: Apache-2.0
 *
 * links_test: direct connections over real sockets: order while the way changes, breaks, what goes on without routers, who is refused. */
#include <zmq.h>

#include "ipc/gen/link.client.h"
#include "ipc/runtime/bus_core.h"
#include "services/router/bus_for_test.h"

static pid_t victim;

static struct peer *peer_of(struct ipc_bus *bus, uint64_t instance)
{
	return directory_find(&bus->directory, instance);
}

/* Both directions go by the direct connection. */
static bool settled(struct ipc_bus *bus, uint64_t instance)
{
	for (int i = 0; i < 500; i++) {
		const struct peer *p = peer_of(bus, instance);

		if (p && path_settled(&p->path))
			return true;
		flock_run(&flock, NULL, 0, 10);
	}
	return false;
}

static struct ipc_stats stats_of(struct ipc_bus *bus)
{
	struct ipc_stats stats;

	ipc_bus_stats(bus, &stats);
	return stats;
}

/* A client and a server that have talked until their connection stands. */
static uint64_t couple(struct client *c, struct server *s, struct ipc_bus **out_server, const char *role)
{
	uint64_t to;

	*s = (struct server){ 0 };
	*out_server = server_new(s, role, 0);
	client_new(c, 0);
	to = client_find(c, role);
	assert_int_equal(to, ipc_bus_instance(*out_server));
	c->only = to;
	call(c, ipc_instance(to), METHOD_AUTH_MECHANISMS, 0);
	assert_true(flock_run(&flock, &c->done, 1, 2000));
	assert_true(settled(c->bus, to));
	assert_true(settled(*out_server, ipc_bus_instance(c->bus)));
	return to;
}

static void finish(struct client *c, struct ipc_bus *server)
{
	end(c->bus);
	end(server);
}

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
		while (sent < 20000) {
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

/* --- who is refused --------------------------------------------------------------------------------------------- */

struct raw {
	void *zmq, *socket;
};

static struct raw raw_connect(const struct ipc_bus *to, const char *key)
{
	struct raw raw = { .zmq = zmq_ctx_new() };
	struct keypair k;
	char name[64], path[256];
	int zero = 0;
	struct err e;

	raw.socket = zmq_socket(raw.zmq, ZMQ_DEALER);
	snprintf(name, sizeof(name), "keys/%s.key", key);
	flock_path(&flock, name, path);
	assert_int_equal(keypair_read(path, &k, &e), 0);
	zmq_setsockopt(raw.socket, ZMQ_LINGER, &zero, sizeof(zero));
	zmq_setsockopt(raw.socket, ZMQ_CURVE_SERVERKEY, to->key.public_key, KEYS_Z85);
	zmq_setsockopt(raw.socket, ZMQ_CURVE_PUBLICKEY, k.public_key, KEYS_Z85);
	zmq_setsockopt(raw.socket, ZMQ_CURVE_SECRETKEY, k.secret_key, KEYS_Z85);
	assert_int_equal(zmq_connect(raw.socket, to->direct->endpoint), 0);
	return raw;
}

static void raw_end(struct raw *raw)
{
	zmq_close(raw->socket);
	zmq_ctx_term(raw->zmq);
}

static void raw_send(struct raw *raw, const struct envelope *e, const ProtobufCMessage *m)
{
	struct buf frame = { 0 };

	assert_true(record_write(&frame, e, m, (struct str){ NULL, 0 }));
	assert_true(zmq_send(raw->socket, frame.p, frame.n, 0) >= 0);
	buf_fini(&frame);
}

/* The code of the next record, -1 when nothing comes. */
static int raw_answer(struct raw *raw)
{
	struct frame_reader reader;
	struct frame_record r;
	struct envelope e;
	char bytes[512];

	for (int i = 0; i < 50; i++) {
		int n = zmq_recv(raw->socket, bytes, sizeof(bytes), ZMQ_DONTWAIT);

		if (n > (int)FRAME_HEAD && frame_open(&reader, str_make(bytes, (size_t)n)) && frame_next(&reader, &r) &&
		    envelope_read(r.envelope, &e))
			return e.code;
		flock_run(&flock, NULL, 0, 10);
	}
	return -1;
}

static int raw_open(struct raw *raw, uint64_t source, uint64_t destination)
{
	Starling__LinkOpenRequest request = STARLING__LINK_OPEN_REQUEST__INIT;
	struct envelope e = {
		.kind = STARLING__KIND__KIND_CALL, .method = METHOD_LINK_OPEN, .source = source, .destination = destination, .call = 1
	};

	request.connection = 42;
	raw_send(raw, &e, &request.base);
	return raw_answer(raw);
}

static void raw_deliver(struct raw *raw, uint64_t source, uint64_t destination)
{
	Starling__DeliverEvent event = STARLING__DELIVER_EVENT__INIT;
	struct envelope e = {
		.kind = STARLING__KIND__KIND_EVENT, .method = METHOD_EDGE_DELIVER, .source = source, .destination = destination
	};

	event.delivery = 1;
	raw_send(raw, &e, &event.base);
	flock_run(&flock, NULL, 0, 100);
}

/* A server with the higher number, and a client of it that makes no connection itself. */
static void unequal(struct client *c, struct server *s, struct ipc_bus **out_server)
{
	for (;;) {
		struct ipc_config config = { .link = "none" };

		*s = (struct server){ 0 };
		*c = (struct client){ 0 };
		*out_server = server_new(s, "storage", 0);
		c->bus = flock_bus(&flock, "c2s-edge", "c2s-edge", &config, &hooks, c);
		if (ipc_bus_instance(c->bus) < ipc_bus_instance(*out_server))
			break;
		finish(c, *out_server);
	}
	while (!client_find(c, "storage") || !ipc_bus_find(*out_server, ipc_bus_instance(c->bus)))
		flock_run(&flock, NULL, 0, 10);
}

static void test_wrong_key_is_refused(void **state)
{
	struct ipc_bus *server;
	struct server s;
	struct client c;
	struct raw raw;

	(void)state;
	unequal(&c, &s, &server);
	raw = raw_connect(server, "unlisted");
	assert_int_equal(raw_open(&raw, ipc_bus_instance(c.bus), ipc_bus_instance(server)), -1);
	assert_true(stats_of(server).link_refused > 0);
	assert_int_equal(stats_of(server).links, 0);
	raw_end(&raw);
	finish(&c, server);
}

static void test_lies_are_refused(void **state)
{
	struct ipc_bus *server;
	struct server s;
	struct client c;
	uint64_t source, to;

	(void)state;
	unequal(&c, &s, &server);
	source = ipc_bus_instance(c.bus);
	to = ipc_bus_instance(server);
	/* What each key may not say, and the refusal. */
	const struct {
		const char *key;
		uint64_t source, to;
		int code;
	} lies[] = {
		{ "auth", source, to, STARLING__CODE__CODE_DENIED }, /* an instance of another role */
		{ "c2s-edge", to, to, STARLING__CODE__CODE_INVALID },
		{ "c2s-edge", 1, to, STARLING__CODE__CODE_NOT_FOUND },
		{ "c2s-edge", source, to ^ 1, STARLING__CODE__CODE_INVALID },
	};
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		uint64_t refused = stats_of(server).link_refused;
		struct raw raw = raw_connect(server, lies[i].key);

		assert_int_equal(raw_open(&raw, lies[i].source, lies[i].to), lies[i].code);
		assert_int_equal(stats_of(server).link_refused, refused + 1);
		raw_deliver(&raw, lies[i].source, to);
		assert_int_equal(stats_of(server).link_refused, refused + 2);
		raw_end(&raw);
	}
	assert_int_equal(s.events, 0);
	assert_int_equal(stats_of(server).links, 0);
	finish(&c, server);
}

/* Opened rightly, then in another's name, or a router's. */
static void test_later_lies_are_refused(void **state)
{
	struct envelope directory = { .kind = STARLING__KIND__KIND_EVENT, .method = 1 << 8 | 3 };
	struct ipc_bus *server;
	struct server s;
	struct client c;
	uint64_t refused, source;
	struct raw raw;

	(void)state;
	unequal(&c, &s, &server);
	source = ipc_bus_instance(c.bus);
	raw = raw_connect(server, "c2s-edge");
	assert_int_equal(raw_open(&raw, source, ipc_bus_instance(server)), STARLING__CODE__CODE_OK);
	assert_int_equal(stats_of(server).links, 1);
	refused = stats_of(server).link_refused;
	raw_deliver(&raw, client_find(&c, "router"), ipc_bus_instance(server));
	raw_deliver(&raw, 4711, ipc_bus_instance(server));
	directory.source = source;
	directory.destination = ipc_bus_instance(server);
	raw_send(&raw, &directory, NULL);
	flock_run(&flock, NULL, 0, 100);
	assert_int_equal(stats_of(server).link_refused, refused + 3);
	assert_int_equal(s.events, 0);
	raw_deliver(&raw, source, ipc_bus_instance(server));
	assert_int_equal(s.events, 1);
	assert_non_null(ipc_bus_find(server, source));
	raw_end(&raw);
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
		cmocka_unit_test(test_break_and_again),
		cmocka_unit_test(test_break_for_good),
		cmocka_unit_test(test_router_killed),
		cmocka_unit_test(test_one_end_without_links),
		cmocka_unit_test(test_wrong_key_is_refused),
		cmocka_unit_test(test_lies_are_refused),
		cmocka_unit_test(test_later_lies_are_refused),
	};
	int router = flock_main(argc, argv);

	return router >= 0 ? router : cmocka_run_group_tests(tests, setup, flock_teardown);
}
