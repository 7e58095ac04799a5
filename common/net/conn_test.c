/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection over a socket pair, with a blocking-free client at the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/net/conn.h"
#include "common/net/tls_for_test.h"
#include "common/net/zlayer.h"

static uv_loop_t uv;
static struct net_loop *net;
static struct conn *conn;
static int peer;
static struct buf seen; /* by the owner */
static size_t take;     /* bytes it uses before it pauses; 0: all */
static bool ended, secured, written;
static enum conn_end end_how;
static void (*on_bytes)(void);

static size_t on_data(struct conn *c, const char *p, size_t n, void *ctx)
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

static void on_secured(struct conn *c, void *ctx)
{
	(void)c;
	(void)ctx;
	secured = true;
}

static void on_written(struct conn *c, void *ctx)
{
	(void)ctx;
	written = conn_written(c) == conn_output_end(c);
}

static void on_end(struct conn *c, enum conn_end how, const char *text, void *ctx)
{
	(void)c;
	(void)text;
	(void)ctx;
	ended = true;
	end_how = how;
	conn = NULL;
}

static const struct conn_events events = { .on_data = on_data, .on_secured = on_secured, .on_written = on_written, .on_end = on_end };

static void turn(int n)
{
	for (int i = 0; i < n; i++)
		uv_run(&uv, UV_RUN_NOWAIT);
}

static int setup(void **state)
{
	struct net_addr a = { 0 };
	int fds[2];

	(void)state;
	uv_loop_init(&uv);
	net = net_loop_new(&uv);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	peer = fds[1];
	take = 0;
	ended = secured = written = false;
	on_bytes = NULL;
	conn = conn_accept(net, fds[0], &a, &events, NULL);
	assert_non_null(conn);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	conn_drop(&conn);
	net_loop_free(&net);
	turn(5);
	assert_int_equal(uv_loop_close(&uv), 0);
	close(peer);
	buf_fini(&seen);
	return 0;
}

static void say(const char *text)
{
	assert_int_equal(send(peer, text, strlen(text), 0), strlen(text));
	turn(5);
}

static void expect(const char *text)
{
	char in[4096];
	ssize_t n;

	turn(5);
	n = recv(peer, in, sizeof(in) - 1, 0);
	in[n > 0 ? n : 0] = '\0';
	assert_string_equal(in, text);
}

static void check_seen(const char *text)
{
	buf_append_char(&seen, '\0');
	assert_string_equal(seen.p + seen.start, text);
	buf_clear(&seen);
}

static void bytes_go_both_ways(void **state)
{
	(void)state;
	say("hello");
	check_seen("hello");
	buf_append_cstr(conn_output(conn), "one ");
	buf_append_cstr(conn_output(conn), "two");
	expect("one two");
	assert_true(written);
	assert_int_equal(conn_queued(conn), 0);
	assert_int_equal(conn_output_end(conn), 7);
}

static void a_pause_keeps_the_rest(void **state)
{
	(void)state;
	take = 2;
	say("abcdef");
	check_seen("ab");
	say("gh");
	conn_resume(conn);
	turn(5);
	check_seen("cd");
	take = 0;
	conn_resume(conn);
	turn(5);
	check_seen("efgh");
}

static void on_other(uv_poll_t *h, int status, int what)
{
	(void)status;
	(void)what;
	uv_poll_stop(h);
	conn_resume(conn);
}

/* Both are ready in one look at the sockets, and the first one's owner lets the second go on. */
static void what_comes_with_the_end_of_a_pause_comes_behind_the_rest(void **state)
{
	uv_poll_t other;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	uv_poll_init(&uv, &other, fds[0]);
	uv_poll_start(&other, UV_READABLE, on_other);
	take = 2;
	say("abcdef");
	check_seen("ab");
	take = 0;
	assert_int_equal(send(fds[1], "x", 1, 0), 1);
	say("gh");
	check_seen("cdefgh");
	uv_close((uv_handle_t *)&other, NULL);
	turn(5);
	close(fds[0]);
	close(fds[1]);
}

static void what_is_queued_is_written_before_the_end(void **state)
{
	(void)state;
	buf_append_cstr(conn_output(conn), "bye");
	conn_close(conn, 5000);
	say("not heard");
	expect("bye");
	check_seen("");
	assert_false(ended);
	close(peer);
	turn(5);
	assert_true(ended);
	assert_int_equal(end_how, CONN_END_CLOSED);
}

static void a_client_that_does_not_close_is_not_waited_for(void **state)
{
	(void)state;
	conn_close(conn, 300);
	for (int i = 0; i < 200 && !ended; i++) {
		usleep(10000);
		turn(1);
	}
	assert_true(ended);
}

static void one_that_has_parted_is_not_waited_for(void **state)
{
	char last;

	(void)state;
	buf_append_cstr(conn_output(conn), "bye");
	conn_parted(conn);
	conn_close(conn, 5000);
	expect("bye");
	turn(5);
	assert_true(ended);
	assert_int_equal(end_how, CONN_END_CLOSED);
	assert_int_equal(recv(peer, &last, 1, 0), 0);
}

static void the_peer_may_close(void **state)
{
	(void)state;
	close(peer);
	turn(5);
	assert_true(ended);
	assert_int_equal(end_how, CONN_END_PEER);
}

static void drop_it(void)
{
	conn_drop(&conn);
}

/* A peer that is gone with our bytes unread: its socket has an error, and its last words. */
static void last_words_count_though_ours_were_not_read(void **state)
{
	(void)state;
	buf_append_cstr(conn_output(conn), "unread");
	turn(5);
	assert_int_equal(send(peer, "last words", 10, 0), 10);
	close(peer);
	peer = -1;
	turn(5);
	check_seen("last words");
	assert_true(ended);
	assert_int_equal(end_how, CONN_END_BROKEN);
}

static void it_may_be_dropped_while_it_delivers(void **state)
{
	(void)state;
	on_bytes = drop_it;
	say("x");
	assert_null(conn);
	assert_false(ended);
}

static void a_full_socket_waits(void **state)
{
	char block[10000], in[65536];
	size_t total = 0;
	ssize_t n;

	(void)state;
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 200; i++)
		buf_append(conn_output(conn), block, sizeof(block));
	turn(5);
	assert_true(conn_queued(conn) > 0);
	assert_true(conn_written(conn) < conn_output_end(conn));
	for (int i = 0; i < 1000 && total < 2000000; i++) {
		while ((n = recv(peer, in, sizeof(in), 0)) > 0)
			total += (size_t)n;
		turn(2);
	}
	assert_int_equal(total, 2000000);
	assert_true(written);
}

/* The kernel holds back what the rate does not allow. */
static void the_rate_slows_reading(void **state)
{
	char block[50000];

	(void)state;
	memset(block, 'x', sizeof(block));
	conn_set_rate(conn, 20000, 20000);
	send(peer, block, sizeof(block), 0);
	turn(5);
	assert_in_range(seen.n - seen.start, 19000, 21000);
	for (int i = 0; i < 60 && seen.n - seen.start < 30000; i++) {
		usleep(20000);
		turn(2);
	}
	assert_in_range(seen.n - seen.start, 24000, 42000);
}

static void begin_zlib(void)
{
	buf_append_cstr(conn_output(conn), "<compressed/>");
	assert_int_equal(conn_start_zlib(conn), 0);
	on_bytes = NULL;
	take = 0;
	conn_resume(conn);
}

/* Compressed bytes may follow in the same packet; what was said before goes out in clear. */
static void zlib_begins_between_two_bytes(void **state)
{
	struct zlayer *z = zlayer_new();
	struct buf wire = { 0 };
	char in[4096], out[4096];
	struct str packed;
	ssize_t n;

	(void)state;
	on_bytes = begin_zlib;
	take = 4;
	buf_append_cstr(&wire, "zlib");
	zlayer_deflate(z, &wire, STR("hello"));
	send(peer, wire.p, wire.n, 0);
	turn(5);
	check_seen("zlibhello");
	turn(3);
	n = recv(peer, in, 13, 0);
	assert_int_equal(n, 13);
	assert_memory_equal(in, "<compressed/>", 13);
	buf_append_cstr(conn_output(conn), "packed answer");
	turn(5);
	n = recv(peer, in, sizeof(in), 0);
	assert_true(n > 0);
	packed = str_make(in, (size_t)n);
	assert_int_equal(zlayer_inflate(z, &packed, out, sizeof(out)), 13);
	assert_memory_equal(out, "packed answer", 13);
	assert_true(written);
	buf_fini(&wire);
	zlayer_free(&z);
}

/* Packed by a factor of several hundred: what comes out is counted, in the order in which it came, and by_rate no ratio ends it. */
static void the_rate_counts_what_is_unpacked(void **state)
{
	struct zlayer *z = zlayer_new();
	struct buf wire = { 0 }, text = { 0 };

	(void)state;
	for (int i = 0; i < 600000; i++)
		buf_append_char(&text, i % 1000 == 999 ? (char)('a' + i / 1000 % 26) : 'x');
	buf_append_cstr(&wire, "zlib");
	zlayer_deflate(z, &wire, buf_str(&text));
	assert_true(wire.n < 10000);
	conn_set_rate(conn, 150000, 150000);
	on_bytes = begin_zlib;
	take = 4;
	send(peer, wire.p, 4, 0);
	turn(5);
	conn_zlib_by_rate(conn);
	buf_clear(&seen);
	send(peer, wire.p + 4, wire.n - 4, 0);
	turn(20);
	assert_in_range(seen.n - seen.start, 150000, 150000 + 65536 + 30000);
	for (int i = 0; i < 400 && seen.n - seen.start < text.n; i++) {
		usleep(20000);
		turn(2);
	}
	assert_false(ended);
	assert_int_equal(seen.n - seen.start, text.n);
	assert_memory_equal(seen.p + seen.start, text.p, text.n);
	buf_fini(&wire);
	buf_fini(&text);
	zlayer_free(&z);
}

/* What one read holds does not keep the loop to itself: a second connection would have its turn in between. */
static void unpacking_pauses_for_others(void **state)
{
	struct zlayer *z = zlayer_new();
	struct buf wire = { 0 }, text = { 0 };

	(void)state;
	for (int i = 0; i < 2000000; i++)
		buf_append_char(&text, 'x');
	buf_append_cstr(&wire, "zlib");
	zlayer_deflate(z, &wire, buf_str(&text));
	on_bytes = begin_zlib;
	take = 4;
	send(peer, wire.p, 4, 0);
	turn(5);
	conn_zlib_by_rate(conn);
	buf_clear(&seen);
	send(peer, wire.p + 4, wire.n - 4, 0);
	uv_run(&uv, UV_RUN_NOWAIT);
	assert_in_range(seen.n - seen.start, 1, text.n / 2);
	turn(50);
	assert_int_equal(seen.n - seen.start, text.n);
	buf_fini(&wire);
	buf_fini(&text);
	zlayer_free(&z);
}

/* --- TLS ---------------------------------------------------------------------------------------------------------- */

static char dir[64];
static struct tls_set *set;

static int setup_tls(void **state)
{
	static char *hosts[] = { (char *)"a.test" };

	strcpy(dir, "/tmp/conn-test-XXXXXX");
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

static void begin_tls(void)
{
	buf_append_cstr(conn_output(conn), "proceed");
	assert_int_equal(conn_start_tls(conn, set, STR("a.test"), NULL), 0);
	on_bytes = NULL;
}

static SSL *client_new(SSL_CTX **ctx)
{
	SSL *ssl;

	*ctx = SSL_CTX_new(TLS_client_method());
	ssl = SSL_new(*ctx);
	SSL_set_fd(ssl, peer);
	SSL_set_connect_state(ssl);
	return ssl;
}

static void tls_begins_after_the_clear_answer(void **state)
{
	SSL_CTX *ctx;
	SSL *ssl;
	char in[100];

	(void)state;
	on_bytes = begin_tls;
	say("starttls");
	expect("proceed");
	ssl = client_new(&ctx);
	for (int i = 0; i < 50 && SSL_do_handshake(ssl) != 1; i++)
		turn(2);
	turn(3);
	assert_true(secured);
	assert_non_null(conn_tls(conn));
	buf_clear(&seen);
	assert_int_equal(SSL_write(ssl, "secret", 6), 6);
	turn(3);
	check_seen("secret");
	buf_append_cstr(conn_output(conn), "answer");
	turn(3);
	assert_int_equal(SSL_read(ssl, in, sizeof(in)), 6);
	assert_memory_equal(in, "answer", 6);
	assert_true(written);
	conn_close(conn, 1000);
	turn(3);
	assert_int_equal(SSL_read(ssl, in, sizeof(in)), 0);
	assert_int_equal(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void begin_tls_early(void)
{
	begin_tls();
	take = 8;
}

/* CVE-2011-0411 and its kind: bytes in clear behind the request must never be taken for protected ones. */
static void bytes_behind_the_request_for_tls_end_it(void **state)
{
	(void)state;
	on_bytes = begin_tls_early;
	take = 8;
	say("starttls<auth/>");
	assert_true(ended);
	assert_int_equal(end_how, CONN_END_LAYER);
}

static void a_failed_handshake_ends_it(void **state)
{
	(void)state;
	on_bytes = begin_tls;
	say("starttls");
	expect("proceed");
	say("GET / HTTP/1.1\r\n\r\n");
	assert_true(ended);
	assert_int_equal(end_how, CONN_END_TLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_go_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pause_keeps_the_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(what_comes_with_the_end_of_a_pause_comes_behind_the_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_queued_is_written_before_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(a_client_that_does_not_close_is_not_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_has_parted_is_not_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(the_peer_may_close, setup, teardown),
		cmocka_unit_test_setup_teardown(last_words_count_though_ours_were_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(it_may_be_dropped_while_it_delivers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_socket_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(the_rate_slows_reading, setup, teardown),
		cmocka_unit_test_setup_teardown(zlib_begins_between_two_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(the_rate_counts_what_is_unpacked, setup, teardown),
		cmocka_unit_test_setup_teardown(unpacking_pauses_for_others, setup, teardown),
		cmocka_unit_test_setup_teardown(tls_begins_after_the_clear_answer, setup_tls, teardown_tls),
		cmocka_unit_test_setup_teardown(bytes_behind_the_request_for_tls_end_it, setup_tls, teardown_tls),
		cmocka_unit_test_setup_teardown(a_failed_handshake_ends_it, setup_tls, teardown_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
