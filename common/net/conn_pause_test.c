/* SPDX-License-Identifier: Apache-2.0
 *
 * An owner that takes as few bytes as it likes, and pauses, and goes on whenever: from within, between turns, when another socket of the same turn says so.
 * Whatever the layers, the bytes come whole and in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/conn.h"
#include "common/net/tls_for_test.h"

#define STEPS 4000
#define FRAME 125u /* the longest payload of the shortest head (RFC 6455 section 5.2) */

enum layer { TLS = 1, ZLIB = 2, WEBSOCKET = 4 };

static uv_loop_t uv;
static struct net_loop *net;
static struct conn *caller, *called;
static struct tls_set *set;
static struct tls_client *client;
static uv_poll_t bell_poll;
static int bell[2];
static char dir[64];
static char *hosts[] = { (char *)"a.test" };
static uint32_t state_of_random;
static uint64_t sent, came;
static unsigned secured;
static bool pausing, ended;

static uint32_t up_to(uint32_t n)
{
	state_of_random = state_of_random * 1664525u + 1013904223u;
	return (state_of_random >> 8) % n;
}

/* The byte at a place: no two stretches are alike, nor are they compressed to nothing. */
static char byte_at(uint64_t at)
{
	return (char)((at * 2654435761u) >> 13);
}

static size_t on_data(struct conn *c, const char *p, size_t n, void *ctx)
{
	size_t used = n;

	(void)ctx;
	if (c == caller)
		return n;
	if (pausing && up_to(3) == 0) {
		conn_pause(c);
		used = up_to((uint32_t)n + 1);
	}
	for (size_t i = 0; i < used; i++)
		assert_int_equal(p[i], byte_at(came++));
	if (used < n && up_to(4) == 0)
		conn_resume(c);
	return used;
}

static void on_secured(struct conn *c, void *ctx)
{
	(void)c;
	(void)ctx;
	secured++;
}

static void on_end(struct conn *c, enum conn_end how, const char *text, void *ctx)
{
	(void)ctx;
	print_error("%s ended: %d %s\n", c == called ? "called" : "caller", how, text);
	if (c == called)
		called = NULL;
	else
		caller = NULL;
	ended = true;
}

static void on_bell(uv_poll_t *h, int status, int what)
{
	char rung;

	(void)h;
	(void)status;
	(void)what;
	assert_int_equal(recv(bell[0], &rung, 1, 0), 1);
	conn_resume(called);
}

static void turn(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		uv_run(&uv, UV_RUN_NOWAIT);
}

static enum http_status granted(struct conn *c, const struct websocket_request *r, void *ctx)
{
	(void)c;
	(void)r;
	(void)ctx;
	return HTTP_SWITCHING_PROTOCOLS;
}

static void begin_websocket(void)
{
	static const struct conn_websocket_options options = { .type = WEBSOCKET_BINARY, .on_request = granted };

	assert_int_equal(conn_start_websocket(called, &options), 0);
	buf_append_cstr(conn_output(caller), "GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	                                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
}

static void begin(unsigned layers)
{
	if (layers & TLS) {
		assert_int_equal(conn_start_tls_client(caller, client, STR("a.test"), STR(""), NULL), 0);
		assert_int_equal(conn_start_tls(called, set, STR("a.test"), NULL), 0);
		for (int i = 0; i < 1000 && secured < 2; i++)
			turn(1);
		assert_int_equal(secured, 2);
	}
	if (layers & ZLIB) {
		assert_int_equal(conn_start_zlib(caller), 0);
		assert_int_equal(conn_start_zlib(called), 0);
	}
	if (layers & WEBSOCKET)
		begin_websocket();
	turn(5);
}

/* A client's frame, with a mask that changes nothing (section 5.3). */
static void say(unsigned layers, uint32_t n)
{
	struct buf *out = conn_output(caller);

	while (n > 0) {
		uint32_t part = layers & WEBSOCKET && n > FRAME ? FRAME : n;

		if (layers & WEBSOCKET)
			buf_append(out, (const char[]){ (char)0x82, (char)(0x80 | part), 0, 0, 0, 0 }, 6);
		for (uint32_t i = 0; i < part; i++)
			buf_append_char(out, byte_at(sent++));
		n -= part;
	}
}

static void step(unsigned layers)
{
	if (up_to(2) == 0 && conn_queued(caller) < 100000)
		say(layers, 1 + up_to(up_to(8) == 0 ? 20000 : 300));
	switch (up_to(6)) {
	case 0:
		conn_resume(called);
		break;
	case 1:
		/* What it says is seen first in its turn. */
		turn(up_to(2));
		assert_int_equal(send(bell[1], "x", 1, 0), 1);
		break;
	case 2:
		conn_pause(called);
		break;
	default:
		break;
	}
	turn(up_to(3));
}

static void run(unsigned layers, uint32_t seed)
{
	state_of_random = seed;
	begin(layers);
	pausing = true;
	for (int i = 0; i < STEPS && !ended; i++)
		step(layers);
	assert_false(ended);
	pausing = false;
	for (int i = 0; i < 10000 && came < sent; i++) {
		conn_resume(called);
		turn(1);
	}
	assert_int_equal(came, sent);
	assert_true(sent > 100000);
}

static int setup(void **state)
{
	static const struct conn_events events = { .on_data = on_data, .on_secured = on_secured, .on_end = on_end };
	struct net_addr a = { 0 };
	int fds[2];

	(void)state;
	sent = came = secured = 0;
	pausing = ended = false;
	uv_loop_init(&uv);
	net = net_loop_new(&uv);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, bell), 0);
	uv_poll_init(&uv, &bell_poll, bell[0]);
	uv_poll_start(&bell_poll, UV_READABLE, on_bell);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	caller = conn_accept(net, fds[0], &a, &events, NULL);
	called = conn_accept(net, fds[1], &a, &events, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	conn_drop(&caller);
	conn_drop(&called);
	uv_close((uv_handle_t *)&bell_poll, NULL);
	net_loop_free(&net);
	turn(20);
	assert_int_equal(uv_loop_close(&uv), 0);
	close(bell[0]);
	close(bell[1]);
	return 0;
}

static void bytes_stay_in_order(void **state)
{
	static const unsigned layers[] = { 0, TLS, ZLIB, TLS | ZLIB, WEBSOCKET, TLS | WEBSOCKET };

	for (uint32_t seed = 1; seed <= 3; seed++) {
		for (size_t i = 0; i < sizeof(layers) / sizeof(*layers); i++) {
			setup(state);
			run(layers[i], seed);
			teardown(state);
		}
	}
}

static int make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/pause-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	tls_for_test_make(dir, "a.test", EVP_sha256());
	set = tls_set_load(dir, hosts, 1, NULL);
	client = tls_client_new(set, NULL);
	return set && client ? 0 : -1;
}

static int clean(void **state)
{
	static const char *const names[] = { "a.test", NULL };

	(void)state;
	tls_client_free(&client);
	tls_set_unref(&set);
	tls_for_test_remove(dir, names);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bytes_stay_in_order) };

	return cmocka_run_group_tests(tests, make, clean);
}
