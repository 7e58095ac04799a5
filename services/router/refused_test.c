/* SPDX-License-Identifier: Apache-2.0
 *
 * refused_test: who may not make a direct connection, and what may not be said on one; by bare ZeroMQ sockets. */
#include <zmq.h>

#include "ipc/gen/link.client.h"
#include "services/router/links_for_test.h"

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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_key_is_refused),
		cmocka_unit_test(test_lies_are_refused),
		cmocka_unit_test(test_later_lies_are_refused),
	};
	int router = flock_main(argc, argv);

	return router >= 0 ? router : cmocka_run_group_tests(tests, flock_setup, flock_teardown);
}
