/* SPDX-License-Identifier: Apache-2.0
 *
 * Control frames, and every way to the end. */
#include "common/net/websocket_conn_for_test.h"

#include "common/net/tls_for_test.h"

/* --- control ------------------------------------------------------------------------------------------------------ */

static void pings_are_answered(void **state)
{
	char longest[126];

	(void)state;
	begin(&binary);
	memset(longest, 'p', 125);
	longest[125] = '\0';
	frame(FIN | WEBSOCKET_PING, longest);
	say();
	receive();
	assert_int_equal(answer.n, 127);
	assert_memory_equal(answer.p, "\x8a\x7d", 2);
	assert_memory_equal(answer.p + 2, longest, 125);
	buf_clear(&answer);
	/* Several at once: the newest (section 5.5.3). */
	frame(FIN | WEBSOCKET_PING, "1");
	frame(FIN | WEBSOCKET_PONG, "nobody asked");
	frame(FIN | WEBSOCKET_PING, "2");
	say();
	expect(STR("\x8a\x01"
	           "2"));
	assert_int_equal(written, 0);
}

/* Who does not read gets no pongs, however many pings it sends; once it reads, the newest is answered. */
static void pings_take_no_memory(void **state)
{
	struct str rest, payload;
	size_t before, pongs = 0;

	(void)state;
	begin(&binary);
	for (int i = 0; i < 200000; i++)
		put("0123456789");
	turn(5);
	before = conn_queued(conn);
	for (int i = 0; i < 500; i++) {
		frame(FIN | WEBSOCKET_PING, i < 499 ? "are you there?" : "at last?");
		say();
	}
	assert_in_range(conn_queued(conn), before, before + 64);
	for (int i = 0; i < 1000 && conn_queued(conn) > 0; i++)
		receive();
	receive();
	rest = buf_str(&answer);
	while (rest.n > 0) {
		int first = test_read_frame(&rest, &payload);

		assert_true(first == (FIN | WEBSOCKET_BINARY) || first == (FIN | WEBSOCKET_PONG));
		pongs += first == (FIN | WEBSOCKET_PONG);
		assert_false(first == (FIN | WEBSOCKET_PONG) && pongs > 1 && !str_is(payload, "at last?"));
	}
	assert_int_equal(pongs, 2);
}

static void the_client_closes(void **state)
{
	char byte;

	(void)state;
	begin(&binary);
	put("last words");
	test_frame(&client, FIN | WEBSOCKET_CLOSE,
	           STR("\x03\xe9"
	               "bye"));
	frame(FIN | WEBSOCKET_BINARY, "not heard");
	say();
	expect(STR("\x82\x0alast words\x88\x02\x03\xe9"));
	check_seen("");
	assert_int_equal(recv(peer, &byte, 1, 0), 0); /* section 7.1.1: the server closes first */
	assert_false(ended);
	close(peer);
	peer = -1;
	turn(5);
	assert_true(ended);
	assert_int_equal(end_how, CONN_END_PEER);
}

static void the_client_closes_without_a_code(void **state)
{
	(void)state;
	begin(&binary);
	frame(FIN | WEBSOCKET_CLOSE, "");
	say();
	expect(STR("\x88\x00"));
}

static void the_client_vanishes(void **state)
{
	(void)state;
	begin(&binary);
	close(peer);
	peer = -1;
	turn(5);
	assert_true(ended && end_how == CONN_END_PEER);
}

static void broken_frames_end_it(void **state)
{
	(void)state;
	begin(&binary);
	frame(FIN | WEBSOCKET_BINARY, "heard");
	frame(FIN | WEBSOCKET_TEXT, "MQTT-6.0.0-1");
	frame(FIN | WEBSOCKET_BINARY, "not heard");
	say();
	check_seen("heard");
	expect(STR("\x88\x25\x03\xeb"
	           "messages of this type are not taken"));
	close(peer);
	peer = -1;
	turn(5);
	assert_true(ended && end_how == CONN_END_WEBSOCKET);
}

/* Section 7.1.2: our Close, theirs, then the connection. What they still say is not heard, but read. */
static void we_close(void **state)
{
	char byte;

	(void)state;
	begin(&binary);
	put("bye");
	conn_set_close_code(conn, WEBSOCKET_GOING_AWAY);
	conn_close(conn, 5000);
	frame(FIN | WEBSOCKET_BINARY, "not heard");
	frame(FIN | WEBSOCKET_PING, "");
	say();
	expect(STR("\x82\x03"
	           "bye\x88\x02\x03\xe9"));
	check_seen("");
	assert_int_equal(recv(peer, &byte, 1, 0), -1); /* still open: it waits */
	test_frame(&client, FIN | WEBSOCKET_CLOSE, STR("\x03\xe9"));
	say();
	assert_int_equal(recv(peer, &byte, 1, 0), 0);
	assert_false(ended);
	close(peer);
	peer = -1;
	turn(5);
	assert_true(ended && end_how == CONN_END_CLOSED);
}

static void we_close_while_paused(void **state)
{
	char byte;

	(void)state;
	begin(&binary);
	conn_pause(conn);
	conn_close(conn, 5000);
	conn_pause(conn);
	test_frame(&client, FIN | WEBSOCKET_CLOSE, STR("\x03\xe8"));
	say();
	expect(STR("\x88\x02\x03\xe8"));
	assert_int_equal(recv(peer, &byte, 1, 0), 0);
}

/* Frames that we have not looked at stand before the answer: it is not waited for. */
static void we_close_with_frames_left(void **state)
{
	char byte;

	(void)state;
	begin(&binary);
	take = 1;
	frame(FIN | WEBSOCKET_BINARY, "ab");
	frame(FIN | WEBSOCKET_BINARY, "cd");
	say();
	conn_close(conn, 5000);
	expect(STR("\x88\x02\x03\xe8"));
	assert_int_equal(recv(peer, &byte, 1, 0), 0);
	check_seen("a");
}

static void close_it(void)
{
	conn_close(conn, 5000);
}

/* It is among what was left over. */
static void we_close_and_have_the_answer_already(void **state)
{
	char byte;

	(void)state;
	begin(&text);
	take = 1;
	frame(FIN | WEBSOCKET_TEXT, "ab");
	frame(FIN | WEBSOCKET_TEXT, "cd");
	test_frame(&client, FIN | WEBSOCKET_CLOSE, STR("\x03\xe8"));
	say();
	on_bytes = close_it;
	conn_resume(conn);
	turn(5);
	expect(STR("\x88\x02\x03\xe8"));
	assert_int_equal(recv(peer, &byte, 1, 0), 0);
	check_seen("ab");
}

static void a_client_that_does_not_answer_is_not_waited_for(void **state)
{
	(void)state;
	begin(&binary);
	conn_close(conn, 300);
	for (int i = 0; i < 200 && !ended; i++) {
		usleep(10000);
		turn(1);
	}
	assert_true(ended && end_how == CONN_END_CLOSED);
}

static void drop_it(void)
{
	conn_drop(&conn);
}

static void it_may_end_while_it_delivers(void **state)
{
	on_bytes = close_it;
	begin(&text);
	frame(FIN | WEBSOCKET_TEXT, "a");
	frame(FIN | WEBSOCKET_TEXT, "b");
	test_frame(&client, FIN | WEBSOCKET_CLOSE, STR("\x03\xe8"));
	say();
	check_seen("a");
	expect(STR("\x88\x02\x03\xe8"));
	close(peer);
	peer = -1;
	turn(5);
	assert_true(ended && end_how == CONN_END_CLOSED);
	teardown(state);
	setup(state);
	on_bytes = drop_it;
	begin(&text);
	frame(FIN | WEBSOCKET_TEXT, "a");
	frame(FIN | WEBSOCKET_TEXT, "b");
	say();
	check_seen("a");
	assert_null(conn);
	assert_false(ended);
}

/* --- above TLS ---------------------------------------------------------------------------------------------------- */

static char dir[64];
static struct tls_set *set;

static int setup_tls(void **state)
{
	static char *hosts[] = { (char *)"a.test" };

	strcpy(dir, "/tmp/websocket-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	tls_for_test_make(dir, "a.test", EVP_sha256());
	set = tls_set_load(dir, hosts, 1, NULL);
	assert_non_null(set);
	return setup(state);
}

static int teardown_tls(void **state)
{
	static const char *const names[] = { "a.test", NULL };

	teardown(state);
	tls_set_unref(&set);
	tls_for_test_remove(dir, names);
	return 0;
}

static void above_tls(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	char in[1000];

	(void)state;
	assert_int_equal(conn_start_tls(conn, set, STR("a.test"), NULL), 0);
	assert_int_equal(conn_start_websocket(conn, &binary), 0);
	SSL_set_fd(ssl, peer);
	SSL_set_connect_state(ssl);
	for (int i = 0; i < 50 && SSL_do_handshake(ssl) != 1; i++)
		turn(2);
	turn(2);
	assert_true(secured);
	assert_int_equal(SSL_write(ssl, REQUEST "\r\n", (int)strlen(REQUEST "\r\n")), strlen(REQUEST "\r\n"));
	turn(5);
	assert_int_equal(SSL_read(ssl, in, sizeof(in)), strlen(GRANTED));
	assert_memory_equal(in, GRANTED, strlen(GRANTED));
	frame(FIN | WEBSOCKET_BINARY, "hello");
	assert_int_equal(SSL_write(ssl, client.p, (int)client.n), client.n);
	turn(5);
	check_seen("hello");
	put("answer");
	turn(5);
	assert_int_equal(SSL_read(ssl, in, sizeof(in)), 8);
	assert_memory_equal(in,
	                    "\x82\x06"
	                    "answer",
	                    8);
	conn_close(conn, 5000);
	turn(5);
	assert_int_equal(SSL_read(ssl, in, sizeof(in)), 4);
	assert_memory_equal(in, "\x88\x02\x03\xe8", 4);
	assert_int_equal(SSL_read(ssl, in, sizeof(in)), -1); /* it waits for our Close */
	buf_clear(&client);
	test_frame(&client, FIN | WEBSOCKET_CLOSE, STR("\x03\xe8"));
	assert_int_equal(SSL_write(ssl, client.p, (int)client.n), client.n);
	turn(5);
	assert_int_equal(SSL_read(ssl, in, sizeof(in)), 0);
	assert_int_equal(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pings_are_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(pings_take_no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(the_client_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(the_client_closes_without_a_code, setup, teardown),
		cmocka_unit_test_setup_teardown(the_client_vanishes, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_frames_end_it, setup, teardown),
		cmocka_unit_test_setup_teardown(we_close, setup, teardown),
		cmocka_unit_test_setup_teardown(we_close_while_paused, setup, teardown),
		cmocka_unit_test_setup_teardown(we_close_with_frames_left, setup, teardown),
		cmocka_unit_test_setup_teardown(we_close_and_have_the_answer_already, setup, teardown),
		cmocka_unit_test_setup_teardown(a_client_that_does_not_answer_is_not_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(it_may_end_while_it_delivers, setup, teardown),
		cmocka_unit_test_setup_teardown(above_tls, setup_tls, teardown_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
