/* SPDX-License-Identifier: Apache-2.0
 *
 * Both ends of a socket pair are connections of ours: one that called, one that was called. */
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

struct end {
	struct conn *conn;
	struct buf seen;
	size_t take; /* bytes used of what comes next; 0: all */
	bool secured, ended;
	enum conn_end how;
	void (*on_bytes)(void);
};

static uv_loop_t uv;
static struct net_loop *net;
static struct end caller, called;
static char dir[64];
static char *hosts[] = { (char *)"a.test", (char *)"b.test" };
static struct tls_set *set;
static struct tls_client *client;

static size_t on_data(struct conn *c, const char *p, size_t n, void *ctx)
{
	struct end *end = ctx;
	size_t used = end->take && end->take < n ? end->take : n;

	(void)c;
	buf_append(&end->seen, p, used);
	end->take = 0;
	if (end->on_bytes) {
		void (*fn)(void) = end->on_bytes;

		end->on_bytes = NULL;
		fn();
	}
	return used;
}

static void on_secured(struct conn *c, void *ctx)
{
	struct end *end = ctx;

	assert_ptr_equal(c, end->conn);
	assert_non_null(conn_tls(c));
	end->secured = true;
}

static void on_end(struct conn *c, enum conn_end how, const char *text, void *ctx)
{
	struct end *end = ctx;

	(void)c;
	(void)text;
	end->conn = NULL;
	end->ended = true;
	end->how = how;
}

static const struct conn_events events = { .on_data = on_data, .on_secured = on_secured, .on_end = on_end };

static void turn(void)
{
	for (int i = 0; i < 20; i++)
		uv_run(&uv, UV_RUN_NOWAIT);
}

static int make(void **state)
{
	static const char *const names[] = { "a.test", "b.test" };

	(void)state;
	strcpy(dir, "/tmp/client-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < 2; i++)
		tls_for_test_make(dir, names[i], EVP_sha256());
	return 0;
}

static int clean(void **state)
{
	static const char *const names[] = { "a.test", "b.test", NULL };

	(void)state;
	tls_for_test_remove(dir, names);
	return 0;
}

static int setup(void **state)
{
	struct net_addr a = { 0 };
	int fds[2];

	(void)state;
	uv_loop_init(&uv);
	net = net_loop_new(&uv);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	caller = called = (struct end){ 0 };
	caller.conn = conn_accept(net, fds[0], &a, &events, &caller);
	called.conn = conn_accept(net, fds[1], &a, &events, &called);
	set = tls_set_load(dir, hosts, 2, NULL);
	assert_non_null(set);
	client = tls_client_new(set, NULL);
	assert_non_null(client);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	conn_drop(&caller.conn);
	conn_drop(&called.conn);
	buf_fini(&caller.seen);
	buf_fini(&called.seen);
	tls_client_free(&client);
	tls_set_unref(&set);
	net_loop_free(&net);
	turn();
	assert_int_equal(uv_loop_close(&uv), 0);
	return 0;
}

static void say(struct end *from, const char *text)
{
	buf_append_cstr(conn_output(from->conn), text);
	turn();
}

static void check_seen(struct end *end, const char *text)
{
	buf_append_char(&end->seen, '\0');
	assert_string_equal(end->seen.p + end->seen.start, text);
	buf_clear(&end->seen);
}

static void begin_as_server(void)
{
	buf_append_cstr(conn_output(called.conn), "<proceed/>");
	assert_int_equal(conn_start_tls(called.conn, set, STR("b.test"), NULL), 0);
}

static void begin_as_client(void)
{
	assert_int_equal(conn_start_tls_client(caller.conn, client, STR("b.test"), STR("a.test"), NULL), 0);
}

static void starttls(void)
{
	called.on_bytes = begin_as_server;
	caller.on_bytes = begin_as_client;
	say(&caller, "<starttls/>");
	assert_true(caller.secured && called.secured);
	check_seen(&called, "<starttls/>");
	check_seen(&caller, "<proceed/>");
}

static void check_name(const struct end *at, const char *want)
{
	X509 *cert = SSL_get0_peer_certificate(conn_tls(at->conn));
	char name[100] = "none";

	if (cert)
		X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof(name));
	assert_string_equal(name, want);
}

static void tls_begins_on_request(void **state)
{
	(void)state;
	starttls();
	say(&caller, "from the caller");
	say(&called, "from the called");
	check_seen(&called, "from the caller");
	check_seen(&caller, "from the called");
	check_name(&caller, "b.test");
	check_name(&called, "none"); /* not asked */
	assert_int_not_equal(SSL_get_verify_result(conn_tls(caller.conn)), X509_V_OK);
	assert_int_equal(conn_start_tls_client(caller.conn, client, STR("b.test"), STR(""), NULL), -1);
	conn_close(caller.conn, 1000);
	turn();
	assert_true(called.ended && called.how == CONN_END_PEER);
}

/* Two servers that do not trust each other's certificates see them all the same. */
static void who_is_asked_shows_a_certificate(void **state)
{
	(void)state;
	tls_set_ask(set);
	starttls();
	check_name(&called, "a.test");
	assert_int_not_equal(SSL_get_verify_result(conn_tls(called.conn)), X509_V_OK);
}

static void who_has_none_is_served_all_the_same(void **state)
{
	(void)state;
	tls_set_ask(set);
	assert_int_equal(conn_start_tls(called.conn, set, STR("b.test"), NULL), 0);
	assert_int_equal(conn_start_tls_client(caller.conn, client, STR("b.test"), STR("c.test"), NULL), 0);
	turn();
	assert_true(caller.secured && called.secured);
	check_name(&called, "none");
	say(&caller, "hello");
	check_seen(&called, "hello");
}

/* XEP-0368: no word in clear. What is said before the handshake is done waits. */
static void tls_from_the_first_byte(void **state)
{
	const unsigned char *chosen;
	unsigned n;

	(void)state;
	conn_pause(called.conn);
	assert_int_equal(conn_start_tls_client(caller.conn, client, STR("b.test"), STR(""), "xmpp-server"), 0);
	turn();
	say(&caller, "early");
	assert_false(caller.secured);
	assert_int_equal(conn_start_tls(called.conn, set, (struct str){ 0 }, "xmpp-server"), 0);
	conn_resume(called.conn);
	turn();
	assert_true(caller.secured && called.secured);
	check_name(&caller, "b.test"); /* by SNI */
	SSL_get0_alpn_selected(conn_tls(caller.conn), &chosen, &n);
	assert_int_equal(n, 11);
	assert_memory_equal(chosen, "xmpp-server", 11);
	check_seen(&called, "early");
}

static void another_protocol_is_refused(void **state)
{
	(void)state;
	assert_int_equal(conn_start_tls(called.conn, set, (struct str){ 0 }, "xmpp-client"), 0);
	assert_int_equal(conn_start_tls_client(caller.conn, client, STR("b.test"), STR(""), "xmpp-server"), 0);
	turn();
	assert_true(called.ended && called.how == CONN_END_TLS);
	assert_true(caller.ended && caller.how == CONN_END_TLS);
}

static void names_go_out_in_ascii(void **state)
{
	static const struct {
		const char *host, *sni;
	} rows[] = {
		{ "b.test", "b.test" }, { "b\303\274cher.test", "xn--bcher-kva.test" }, { "192.0.2.1", NULL }, { "[2001:db8::1]", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		SSL *ssl = tls_client_begin(client, str_from(rows[i].host), STR(""), NULL);
		const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

		if (rows[i].sni)
			assert_string_equal(sni, rows[i].sni);
		else
			assert_null(sni);
		SSL_free(ssl);
	}
	assert_null(tls_client_begin(client, STR("b.test"), STR(""), ""));
}

/* What follows <proceed/> in clear was put there by somebody else (CVE-2011-0411). */
static void bytes_in_clear_behind_proceed_end_it(void **state)
{
	(void)state;
	caller.on_bytes = begin_as_client;
	caller.take = 10;
	say(&called, "<proceed/><stream:features/>");
	assert_true(caller.ended);
	assert_int_equal(caller.how, CONN_END_LAYER);
}

static void what_is_no_server_ends_it(void **state)
{
	(void)state;
	begin_as_client();
	turn();
	say(&called, "HTTP/1.1 400 Bad Request\r\n\r\n");
	assert_true(caller.ended);
	assert_int_equal(caller.how, CONN_END_TLS);
}

static void old_versions_are_refused(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL *ours = tls_client_begin(client, STR("b.test"), STR(""), NULL), *theirs;
	BIO *a, *b;
	int r = 0;

	(void)state;
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	theirs = SSL_new(ctx);
	SSL_set_accept_state(theirs);
	tls_set_present(set, STR("b.test"), theirs);
	BIO_new_bio_pair(&a, 0, &b, 0);
	SSL_set_bio(ours, a, a);
	SSL_set_bio(theirs, b, b);
	for (int i = 0; i < 5 && r != 1; i++) {
		r = SSL_do_handshake(ours);
		SSL_do_handshake(theirs);
	}
	assert_int_not_equal(r, 1);
	SSL_free(ours);
	SSL_free(theirs);
	SSL_CTX_free(ctx);
}

static void zlib_as_server(void)
{
	buf_append_cstr(conn_output(called.conn), "<compressed/>");
	assert_int_equal(conn_start_zlib(called.conn), 0);
}

static void zlib_as_client(void)
{
	assert_int_equal(conn_start_zlib(caller.conn), 0);
}

/* XEP-0138 above TLS, as XEP-0170 orders them. */
static void zlib_begins_above_tls(void **state)
{
	char block[3000];

	(void)state;
	starttls();
	called.on_bytes = zlib_as_server;
	caller.on_bytes = zlib_as_client;
	say(&caller, "<compress/>");
	check_seen(&called, "<compress/>");
	check_seen(&caller, "<compressed/>");
	assert_true(conn_compressed(caller.conn) && conn_compressed(called.conn));
	memset(block, 'x', sizeof(block) - 1);
	block[sizeof(block) - 1] = '\0';
	uint64_t before = conn_bytes_out(caller.conn);
	say(&caller, block);
	check_seen(&called, block);
	assert_true(conn_bytes_out(caller.conn) - before < 200);
	say(&called, "answer");
	check_seen(&caller, "answer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tls_begins_on_request, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_asked_shows_a_certificate, setup, teardown),
		cmocka_unit_test_setup_teardown(who_has_none_is_served_all_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(tls_from_the_first_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(another_protocol_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(names_go_out_in_ascii, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_in_clear_behind_proceed_end_it, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_server_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(old_versions_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(zlib_begins_above_tls, setup, teardown),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
