/* SPDX-License-Identifier: Apache-2.0
 *
 * Listeners behind a proxy: real sockets on 127.0.0.0/8, of which 127.0.0.1 is the trusted proxy. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/listener.h"
#include "common/net/proxy_protocol_for_test.h"

#define TCP4 "PROXY TCP4 192.0.2.7 198.51.100.1 8080 5222\r\n"
#define V4   "\xc0\x00\x02\x08\xc6\x33\x64\x01\x1f\x90\x14\x66" /* 192.0.2.8:8080 */

static uv_loop_t uv;
static struct net_loop *net;
static struct listener *listener;
static struct ratelimit *limits;
static struct cidr trusted;
static int client = -1;
static struct buf log_of; /* what happened, as text */
static char behind[64];   /* what could be read of the connection */
static bool stop;         /* the owner ends all when something comes */

static void on_accept(struct listener *l, int fd, const struct net_addr *peer, void *ctx)
{
	char text[NET_ADDR_TEXT_MAX];
	ssize_t n = recv(fd, behind, sizeof(behind) - 1, MSG_DONTWAIT);

	assert_ptr_equal(ctx, &uv);
	assert_ptr_equal(l, listener);
	behind[n > 0 ? n : 0] = '\0';
	buf_printf(&log_of, "accepted %s %u;", net_addr_text(peer, text), peer->port);
	close(fd);
	if (stop)
		listener_free(&listener);
}

static void on_accept_told(struct listener *l, int fd, const struct net_addr *peer, const struct proxy_header *header, void *ctx)
{
	buf_printf(&log_of, "for %.*s ", STR_ARG(header->authority));
	on_accept(l, fd, peer, ctx);
}

static void on_refused(struct listener *l, const struct net_addr *peer, enum ratelimit_verdict why, void *ctx)
{
	char text[NET_ADDR_TEXT_MAX];

	(void)l;
	(void)ctx;
	assert_int_equal(why, RATELIMIT_RATE);
	buf_printf(&log_of, "too fast %s;", net_addr_text(peer, text));
}

static void on_unproxied(struct listener *l, const struct net_addr *from, const char *why, void *ctx)
{
	char text[NET_ADDR_TEXT_MAX];

	assert_ptr_equal(ctx, &uv);
	assert_ptr_equal(l, listener);
	buf_printf(&log_of, "refused %s: %s;", net_addr_text(from, text), why);
	if (stop)
		listener_free(&listener);
}

static const struct listener_events events = { on_accept, on_refused };
static struct listener_proxy proxy;

static void turn(int n)
{
	for (int i = 0; i < n; i++)
		uv_run(&uv, UV_RUN_NOWAIT);
}

static int setup(void **state)
{
	struct ratelimit_config config = { .rate = 0.001, .burst = 2 };
	struct err e;

	(void)state;
	uv_loop_init(&uv);
	net = net_loop_new(&uv);
	limits = ratelimit_new(&config);
	assert_int_equal(cidr_parse("127.0.0.1", &trusted, &e), 0);
	proxy = (struct listener_proxy){ .options = { &trusted, 1, 600 }, .on_refused = on_unproxied };
	stop = false;
	listener = listener_new(net, "127.0.0.1", 0, limits, &events, &uv, &e);
	assert_non_null(listener);
	listener_expect_proxy(listener, &proxy);
	listener_accept(listener, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	listener_free(&listener);
	ratelimit_free(&limits);
	net_loop_free(&net);
	turn(5);
	assert_int_equal(uv_loop_close(&uv), 0);
	if (client >= 0)
		close(client);
	client = -1;
	buf_fini(&log_of);
	return 0;
}

static void connect_from(const char *address)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };

	if (client >= 0)
		close(client);
	client = socket(AF_INET, SOCK_STREAM, 0);
	inet_pton(AF_INET, address, &sa.sin_addr);
	assert_int_equal(bind(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	inet_pton(AF_INET, "127.0.0.1", &sa.sin_addr);
	sa.sin_port = htons(listener_port(listener));
	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
}

static void say(struct str bytes)
{
	assert_int_equal(send(client, bytes.p, bytes.n, 0), bytes.n);
	turn(5);
}

static void expect(const char *want)
{
	turn(5);
	buf_append(&log_of, "", 1);
	assert_string_equal(log_of.p, want);
	buf_clear(&log_of);
}

static void the_told_address_counts(void **state)
{
	(void)state;
	connect_from("127.0.0.1");
	say(STR(TCP4 "<stream"));
	expect("accepted 192.0.2.7 8080;");
	assert_string_equal(behind, "<stream"); /* not one byte of it was taken */
}

/* Waits for the rest; the limits are for the told address alone. */
static void it_may_come_in_pieces(void **state)
{
	struct str line = STR(TCP4);

	(void)state;
	for (int round = 0; round < 3; round++) {
		connect_from("127.0.0.1");
		turn(3);
		for (size_t i = 0; i < line.n; i++) {
			expect("");
			say(str_make(line.p + i, 1));
		}
		expect(round < 2 ? "accepted 192.0.2.7 8080;" : "too fast 192.0.2.7;");
	}
	connect_from("127.0.0.1");
	say(STR(TEST_V2 "\x21\x11\x00\x0c" V4));
	expect("accepted 192.0.2.8 8080;");
}

/* The proxy's own checks have its address. */
static void what_tells_no_address_has_the_proxys(void **state)
{
	struct sockaddr_in sa;
	socklen_t n = sizeof(sa);
	char want[64];

	(void)state;
	connect_from("127.0.0.1");
	getsockname(client, (struct sockaddr *)&sa, &n);
	snprintf(want, sizeof(want), "accepted 127.0.0.1 %u;", ntohs(sa.sin_port));
	say(STR(TEST_V2 "\x20\x00\x00\x00"));
	expect(want);
}

static void what_the_header_says_is_handed_up(void **state)
{
	struct buf in = { 0 }, tlvs = { 0 };

	(void)state;
	proxy.on_accept = on_accept_told;
	test_tlv(&tlvs, 0x02, STR("example.org"));
	test_v2(&in, 0x21, 0x11, STR(V4), buf_str(&tlvs));
	buf_append_cstr(&in, "hello");
	connect_from("127.0.0.1");
	say(buf_str(&in));
	expect("for example.org accepted 192.0.2.8 8080;");
	assert_string_equal(behind, "hello");
	buf_fini(&in);
	buf_fini(&tlvs);
}

/* A client that connects directly cannot say who it is. */
static void others_are_refused(void **state)
{
	char byte;

	(void)state;
	connect_from("127.0.0.2");
	turn(3);
	assert_int_equal(recv(client, &byte, 1, MSG_DONTWAIT), 0);
	expect("refused 127.0.0.2: it is no trusted proxy;");
}

static void another_protocol_is_refused(void **state)
{
	(void)state;
	connect_from("127.0.0.1");
	say(STR("<?xml version='1.0'?>"));
	expect("refused 127.0.0.1: no PROXY header;");
	connect_from("127.0.0.1");
	say(STR("PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"));
	expect("refused 127.0.0.1: an address that is none;");
	connect_from("127.0.0.1");
	say(STR("PROXY "));
	close(client);
	client = -1;
	expect("refused 127.0.0.1: it closed without a PROXY header;");
}

static void it_must_come_in_time(void **state)
{
	char byte;

	(void)state;
	connect_from("127.0.0.1");
	say(STR("PROXY TCP4"));
	for (int i = 0; i < 300 && log_of.n == 0; i++) {
		usleep(10000);
		turn(1);
	}
	expect("refused 127.0.0.1: no PROXY header in time;");
	assert_int_equal(recv(client, &byte, 1, MSG_DONTWAIT), 0);
}

static void the_owner_may_stop_at_any_time(void **state)
{
	(void)state;
	stop = true;
	connect_from("127.0.0.1");
	turn(3);
	say(STR(TCP4));
	expect("accepted 192.0.2.7 8080;");
	assert_null(listener);
	teardown(state);
	setup(state);
	stop = true;
	connect_from("127.0.0.1");
	say(STR("GET"));
	expect("refused 127.0.0.1: no PROXY header;");
	assert_null(listener);
	teardown(state);
	setup(state);
	connect_from("127.0.0.1"); /* one waits: teardown ends it */
	say(STR("PROXY"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_told_address_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(it_may_come_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(what_tells_no_address_has_the_proxys, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_header_says_is_handed_up, setup, teardown),
		cmocka_unit_test_setup_teardown(others_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(another_protocol_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(it_must_come_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(the_owner_may_stop_at_any_time, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
