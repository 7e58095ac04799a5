/* SPDX-License-Identifier: Apache-2.0
 *
 * The request, and payload both ways. */
#include "common/net/websocket_conn_for_test.h"

/* --- the request -------------------------------------------------------------------------------------------------- */

/* Cut anywhere; frames may come in the same packet, though a client should wait. */
static void a_request_in_pieces(void **state)
{
	struct str request = STR(REQUEST "\r\n");

	(void)state;
	assert_int_equal(conn_start_websocket(conn, &binary), 0);
	for (size_t i = 0; i < request.n; i++) {
		assert_false(conn_is_websocket(conn));
		buf_append(&client, request.p + i, 1);
		if (i + 1 == request.n)
			frame(FIN | WEBSOCKET_BINARY, "early");
		say();
	}
	check_seen("early");
	expect(STR(GRANTED));
}

static void refused(const char *request, const char *line)
{
	assert_int_equal(conn_start_websocket(conn, &binary), 0);
	buf_append_cstr(&client, request);
	say();
	receive();
	assert_true(answer.n > strlen(line));
	assert_memory_equal(answer.p, line, strlen(line));
	assert_int_equal(recv(peer, &(char){ 0 }, 1, 0), 0); /* and no more */
	close(peer);
	peer = -1;
	turn(5);
	assert_true(ended);
	assert_int_equal(end_how, CONN_END_WEBSOCKET);
	assert_string_equal(end_text, "the request for a WebSocket was refused");
	check_seen("");
}

static void what_is_no_http_is_refused(void **state)
{
	(void)state;
	refused("\x10\x20\r\n", "HTTP/1.1 400 Bad Request\r\n");
}

static void what_asks_for_no_upgrade_is_refused(void **state)
{
	(void)state;
	refused("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n", "HTTP/1.1 426 Upgrade Required\r\n");
}

static void the_owner_may_refuse(void **state)
{
	(void)state;
	grant = HTTP_FORBIDDEN;
	refused(REQUEST "\r\n", "HTTP/1.1 403 Forbidden\r\n");
}

static enum http_status drop_at_request(struct conn *c, const struct websocket_request *r, void *ctx)
{
	(void)c;
	(void)r;
	(void)ctx;
	conn_drop(&conn);
	return HTTP_SWITCHING_PROTOCOLS;
}

static enum http_status close_at_request(struct conn *c, const struct websocket_request *r, void *ctx)
{
	(void)r;
	(void)ctx;
	conn_close(c, 1000);
	return HTTP_SWITCHING_PROTOCOLS;
}

static void the_owner_may_end_it_at_the_request(void **state)
{
	static const struct conn_websocket_options drops = { .type = WEBSOCKET_BINARY, .on_request = drop_at_request };
	static const struct conn_websocket_options closes = { .type = WEBSOCKET_BINARY, .on_request = close_at_request };

	conn_start_websocket(conn, &closes);
	put("nothing that could be understood");
	buf_append_cstr(&client, REQUEST "\r\n");
	say();
	expect(STR(""));
	close(peer);
	turn(5);
	assert_true(ended && end_how == CONN_END_CLOSED);
	peer = -1;
	teardown(state);
	setup(state);
	conn_start_websocket(conn, &drops);
	buf_append_cstr(&client, REQUEST "\r\n");
	say();
	assert_null(conn);
	assert_false(ended);
}

static void layers_exclude_each_other(void **state)
{
	static const struct conn_websocket_options unbounded = { .type = WEBSOCKET_TEXT };

	(void)state;
	assert_int_equal(conn_start_websocket(conn, &unbounded), -1); /* text must not be cut anywhere */
	begin(&binary);
	assert_int_equal(conn_start_websocket(conn, &binary), -1);
	assert_int_equal(conn_start_zlib(conn), -1);
	assert_int_equal(conn_start_tls(conn, NULL, STR("a.test"), NULL), -1);
}

/* --- payload ------------------------------------------------------------------------------------------------------ */

static void what_waits_goes_out_as_one_frame(void **state)
{
	(void)state;
	begin(&binary);
	put("one ");
	put("two");
	assert_int_equal(conn_output_end(conn), 7);
	expect(STR("\x82\x07one two"));
	assert_int_equal(written, 7);
	assert_int_equal(conn_queued(conn), 0);
	put("three");
	conn_end_message(conn); /* says nothing here */
	put("four");
	expect(STR("\x82\x09threefour"));
	assert_int_equal(written, 16);
}

static void payload_comes_in(void **state)
{
	(void)state;
	begin(&binary);
	frame(WEBSOCKET_BINARY, "a");
	frame(WEBSOCKET_CONTINUATION, "b");
	frame(FIN | WEBSOCKET_CONTINUATION, "c");
	frame(FIN | WEBSOCKET_BINARY, "");
	frame(FIN | WEBSOCKET_BINARY, "d");
	say();
	check_seen("abcd");
}

/* A long queue in several frames, through a socket that is full; conn_written rises on the way. */
static void a_slow_reader_gets_it_all(void **state)
{
	size_t total = 0, frames = 0;
	uint64_t last = 0;
	struct str rest, payload;

	(void)state;
	begin(&binary);
	for (int i = 0; i < 200000; i++)
		put("0123456789");
	turn(5);
	assert_true(written < 2000000);
	for (int i = 0; i < 20000 && conn_queued(conn) > 0; i++) {
		char *p = buf_reserve(&answer, 4096);
		ssize_t n = recv(peer, p, 4096, 0);

		buf_commit(&answer, n > 0 ? (size_t)n : 0);
		/* The queue is never empty, and still something is known to be out. */
		if (i < 400)
			put("0123456789");
		if (i == 400)
			assert_true(written > 0);
		turn(1);
		assert_true(written >= last && written <= conn_output_end(conn));
		last = written;
	}
	receive();
	assert_int_equal(written, conn_output_end(conn));
	rest = buf_str(&answer);
	while (rest.n > 0) {
		assert_int_equal(test_read_frame(&rest, &payload), FIN | WEBSOCKET_BINARY);
		assert_true(payload.n <= 65535);
		for (size_t i = 0; i < payload.n; i++)
			assert_int_equal(payload.p[i], "0123456789"[(total + i) % 10]);
		total += payload.n;
		frames++;
	}
	assert_int_equal(total, conn_output_end(conn));
	assert_in_range(frames, 31, 500);
}

static void a_pause_keeps_frames_and_payload(void **state)
{
	(void)state;
	begin(&text);
	take = 2;
	frame(FIN | WEBSOCKET_TEXT, "abc");
	frame(FIN | WEBSOCKET_TEXT, "de");
	frame(FIN | WEBSOCKET_PING, "p");
	say();
	check_seen("ab");
	expect(STR(""));
	conn_resume(conn);
	turn(5);
	check_seen("c;");
	conn_resume(conn);
	turn(5);
	check_seen("de;");
	expect(STR("")); /* the ping waits behind */
	take = 0;
	conn_resume(conn);
	turn(5);
	expect(STR("\x8a\x01p"));
}

/* RFC 7395 section 3.1: a message is one element. */
static void messages_have_borders(void **state)
{
	(void)state;
	begin(&text);
	frame(WEBSOCKET_TEXT, "<a>");
	frame(FIN | WEBSOCKET_PING, "");
	frame(FIN | WEBSOCKET_CONTINUATION, "</a>");
	frame(FIN | WEBSOCKET_TEXT, "<b/>");
	frame(FIN | WEBSOCKET_TEXT, "");
	say();
	check_seen("<a></a>;<b/>;;");
	expect(STR("\x8a\x00"));
	put("<c>");
	turn(5);
	expect(STR("")); /* not said to be whole */
	assert_int_equal(conn_queued(conn), 3);
	put("</c>");
	conn_end_message(conn);
	put("<d/>");
	conn_end_message(conn);
	conn_end_message(conn);
	put("<e>");
	expect(STR("\x81\x07<c></c>\x81\x04<d/>"));
	assert_int_equal(written, 11);
	assert_int_equal(conn_output_end(conn), 14);
}

static void messages_are_limited(void **state)
{
	(void)state;
	begin(&text);
	buf_append(&client, "\x81\xfe\x03\xe9\0\0\0\0", 8);
	say();
	expect(STR("\x88\x17\x03\xf1"
	           "a message is too long"));
	close(peer);
	peer = -1;
	turn(5);
	assert_true(ended && end_how == CONN_END_WEBSOCKET);
	assert_string_equal(end_text, "a message is too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_request_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_http_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(what_asks_for_no_upgrade_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_owner_may_refuse, setup, teardown),
		cmocka_unit_test_setup_teardown(the_owner_may_end_it_at_the_request, setup, teardown),
		cmocka_unit_test_setup_teardown(layers_exclude_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(what_waits_goes_out_as_one_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(payload_comes_in, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_reader_gets_it_all, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pause_keeps_frames_and_payload, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_have_borders, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_are_limited, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
