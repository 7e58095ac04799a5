/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_conn_for_test: a connection that is a WebSocket, over a socket pair, and a client's bytes at its other end. Included once by each test program. */
#ifndef COMMON_NET_WEBSOCKET_CONN_FOR_TEST_H
#define COMMON_NET_WEBSOCKET_CONN_FOR_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/conn.h"
#include "common/net/websocket_for_test.h"

#define FIN 0x80u
#define REQUEST                                                                                                                            \
	"GET /mqtt HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                                         \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
#define GRANTED                                                                                                                            \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                                                \
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"

static uv_loop_t uv;
static struct net_loop *net;
static struct conn *conn;
static int peer;
static struct buf seen, client, answer; /* by the owner; to send; what came */
static size_t take;                     /* bytes the owner uses before it pauses; 0: all */
static bool ended, secured;
static enum conn_end end_how;
static char end_text[100];
static uint64_t written;
static enum http_status grant;
static void (*on_bytes)(void);

static inline size_t on_data(struct conn *c, const char *p, size_t n, void *ctx)
{
	size_t used = take && take < n ? take : n;

	(void)ctx;
	buf_append(&seen, p, used);
	if (take)
		conn_pause(c);
	if (on_bytes)
		on_bytes();
	return used;
}

static inline void on_secured(struct conn *c, void *ctx)
{
	(void)c;
	(void)ctx;
	secured = true;
}

static inline void on_written(struct conn *c, void *ctx)
{
	(void)ctx;
	written = conn_written(c);
}

static inline void on_end(struct conn *c, enum conn_end how, const char *text, void *ctx)
{
	(void)c;
	(void)ctx;
	ended = true;
	end_how = how;
	snprintf(end_text, sizeof(end_text), "%s", text);
	conn = NULL;
}

static inline enum http_status on_request(struct conn *c, const struct websocket_request *r, void *ctx)
{
	(void)ctx;
	assert_ptr_equal(c, conn);
	assert_true(str_is(r->http->path, "/mqtt"));
	return grant;
}

static inline void on_message(struct conn *c, void *ctx)
{
	(void)ctx;
	assert_ptr_equal(c, conn);
	buf_append_char(&seen, ';');
}

static const struct conn_events events = { .on_data = on_data, .on_secured = on_secured, .on_written = on_written, .on_end = on_end };
static const char *const mqtt[] = { "mqtt", NULL };
static const struct conn_websocket_options binary = { .type = WEBSOCKET_BINARY, .protocols = mqtt, .on_request = on_request };
static const struct conn_websocket_options text = {
	.type = WEBSOCKET_TEXT,
	.messages = true,
	.message_max = 1000,
	.on_request = on_request,
	.on_message = on_message,
};

static inline void turn(int n)
{
	for (int i = 0; i < n; i++)
		uv_run(&uv, UV_RUN_NOWAIT);
}

static inline int setup(void **state)
{
	struct net_addr a = { 0 };
	int fds[2];

	(void)state;
	uv_loop_init(&uv);
	net = net_loop_new(&uv);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	peer = fds[1];
	take = 0;
	ended = secured = false;
	on_bytes = NULL;
	written = 0;
	grant = HTTP_SWITCHING_PROTOCOLS;
	conn = conn_accept(net, fds[0], &a, &events, NULL);
	assert_non_null(conn);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	conn_drop(&conn);
	net_loop_free(&net);
	turn(5);
	assert_int_equal(uv_loop_close(&uv), 0);
	close(peer);
	buf_fini(&seen);
	buf_fini(&client);
	buf_fini(&answer);
	return 0;
}

/* What the client has gathered. */
static inline void say(void)
{
	assert_int_equal(send(peer, client.p, client.n, 0), client.n);
	buf_clear(&client);
	turn(5);
}

static inline void frame(uint8_t first, const char *payload)
{
	test_frame(&client, first, str_from(payload));
}

static inline void receive(void)
{
	ssize_t n;

	turn(5);
	for (;;) {
		char *p = buf_reserve(&answer, 65536);

		n = recv(peer, p, 65536, 0);
		if (n <= 0)
			break;
		buf_commit(&answer, (size_t)n);
		turn(3);
	}
}

static inline void expect(struct str want)
{
	receive();
	if (!str_eq(buf_str(&answer), want))
		fail_msg("'%.*s' instead of '%.*s'", STR_ARG(buf_str(&answer)), STR_ARG(want));
	buf_clear(&answer);
}

static inline void check_seen(const char *want)
{
	buf_append_char(&seen, '\0');
	assert_string_equal(seen.p + seen.start, want);
	buf_clear(&seen);
}

static inline void begin(const struct conn_websocket_options *options)
{
	assert_int_equal(conn_start_websocket(conn, options), 0);
	assert_false(conn_is_websocket(conn));
	buf_append_cstr(&client, REQUEST "\r\n");
	say();
	assert_true(conn_is_websocket(conn));
	receive();
	assert_true(options->protocols ? str_eq(buf_str(&answer), STR(GRANTED)) : answer.n > 0);
	buf_clear(&answer);
}

static inline void put(const char *bytes)
{
	buf_append_cstr(conn_output(conn), bytes);
}

#endif
