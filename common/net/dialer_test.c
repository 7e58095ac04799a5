/* SPDX-License-Identifier: Apache-2.0
 *
 * Real sockets on 127.0.0.0/8. A listener whose queue is full plays the address that does not answer: the kernel drops what comes for it. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/dialer.h"

static uv_loop_t uv;
static struct net_loop *net;
static struct dialer *dialer;
static bool ended;
static int got = -1;
static struct net_addr got_addr;
static char got_why[200];
static int opened[16];
static size_t open_count;

static void on_done(int fd, const struct net_addr *addr, const char *why, void *ctx)
{
	assert_ptr_equal(ctx, &uv);
	assert_false(ended);
	ended = true;
	dialer = NULL;
	got = fd;
	if (addr)
		got_addr = *addr;
	snprintf(got_why, sizeof(got_why), "%s", why);
}

static int setup(void **state)
{
	(void)state;
	uv_loop_init(&uv);
	net = net_loop_new(&uv);
	ended = false;
	got = -1;
	open_count = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dialer_cancel(&dialer);
	net_loop_free(&net);
	for (int i = 0; i < 5; i++)
		uv_run(&uv, UV_RUN_NOWAIT);
	assert_int_equal(uv_loop_close(&uv), 0);
	if (got >= 0)
		close(got);
	for (size_t i = 0; i < open_count; i++)
		close(opened[i]);
	return 0;
}

static int keep(int fd)
{
	assert_true(fd >= 0 && open_count < sizeof(opened) / sizeof(*opened));
	opened[open_count++] = fd;
	return fd;
}

/* A port of 127.0.0.1; backlog negative: bound, but nobody listens. */
static int port_new(int backlog, struct net_addr *out)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);
	int fd = keep(socket(AF_INET, SOCK_STREAM, 0));

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	getsockname(fd, (struct sockaddr *)&sa, &n);
	net_addr_from((struct sockaddr *)&sa, out);
	return fd;
}

/* Returns the listener: who accepts from it makes the kernel answer again. */
static int silent_port(struct net_addr *out)
{
	int listener = port_new(0, out);
	struct sockaddr_storage sa;
	socklen_t n;

	net_addr_to(out, &sa, &n);
	for (int i = 0; i < 3; i++)
		connect(keep(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), (struct sockaddr *)&sa, n);
	return listener;
}

/* Returns after how many milliseconds it ended. */
static uint64_t dial_with(const struct net_addr *addrs, size_t n, const struct dialer_opts *opts)
{
	uint64_t begin = uv_hrtime() / 1000000;

	uv_update_time(&uv);
	dialer = dialer_start(net, addrs, n, opts, on_done, &uv);
	assert_non_null(dialer);
	assert_false(ended);
	while (!ended && uv_hrtime() / 1000000 - begin < 10000)
		uv_run(&uv, UV_RUN_ONCE);
	assert_true(ended);
	return uv_hrtime() / 1000000 - begin;
}

static uint64_t dial(const struct net_addr *addrs, size_t n, uint32_t within_ms)
{
	struct dialer_opts opts = { .within_ms = within_ms };

	return dial_with(addrs, n, &opts);
}

static void the_first_that_answers_is_taken(void **state)
{
	struct net_addr addrs[2];
	int listener, fd;

	(void)state;
	listener = port_new(4, &addrs[0]);
	port_new(4, &addrs[1]);
	dial(addrs, 2, 0);
	assert_true(got >= 0);
	assert_memory_equal(&got_addr, &addrs[0], sizeof(got_addr));
	fd = keep(accept(listener, NULL, NULL));
	assert_int_equal(write(got, "hello", 5), 5);
	char in[5];
	assert_int_equal(read(fd, in, 5), 5);
	assert_memory_equal(in, "hello", 5);
}

static void after_a_refusal_the_next_is_tried_at_once(void **state)
{
	struct net_addr addrs[3];
	uint64_t took;

	(void)state;
	port_new(-1, &addrs[0]);
	port_new(-1, &addrs[1]);
	port_new(4, &addrs[2]);
	took = dial(addrs, 3, 0);
	assert_true(got >= 0);
	assert_memory_equal(&got_addr, &addrs[2], sizeof(got_addr));
	assert_true(took < DIALER_DELAY_MS);
}

static void silence_is_waited_for_a_while(void **state)
{
	struct net_addr addrs[3];
	uint64_t took;

	(void)state;
	silent_port(&addrs[0]);
	silent_port(&addrs[1]);
	port_new(4, &addrs[2]);
	took = dial(addrs, 3, 0);
	assert_true(got >= 0);
	assert_memory_equal(&got_addr, &addrs[2], sizeof(got_addr));
	assert_in_range(took, 2 * DIALER_DELAY_MS - 1, 5000);
}

/* The kernel repeats its first packet after a second. */
static void a_late_answer_still_counts(void **state)
{
	struct net_addr addrs[2];
	uint64_t took;
	int listener;

	(void)state;
	listener = silent_port(&addrs[0]);
	silent_port(&addrs[1]);
	uv_update_time(&uv);
	struct dialer_opts opts = { .within_ms = 8000 };
	dialer = dialer_start(net, addrs, 2, &opts, on_done, &uv);
	for (uint64_t begin = uv_hrtime(); uv_hrtime() - begin < 400000000ull;)
		uv_run(&uv, UV_RUN_NOWAIT);
	assert_false(ended);
	took = uv_hrtime() / 1000000;
	while (!ended && uv_hrtime() / 1000000 - took < 8000) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

		if (fd >= 0)
			keep(fd);
		uv_run(&uv, UV_RUN_ONCE);
	}
	assert_true(got >= 0);
	assert_memory_equal(&got_addr, &addrs[0], sizeof(got_addr));
}

static void when_all_refuse_the_last_reason_is_told(void **state)
{
	struct net_addr addrs[2];
	char want[64];

	(void)state;
	port_new(-1, &addrs[0]);
	port_new(-1, &addrs[1]);
	dial(addrs, 2, 0);
	assert_int_equal(got, -1);
	snprintf(want, sizeof(want), "127.0.0.1 port %u: Connection refused", addrs[1].port);
	assert_string_equal(got_why, want);
}

static void no_address_is_a_failure_too(void **state)
{
	(void)state;
	dial(NULL, 0, 0);
	assert_int_equal(got, -1);
	assert_string_equal(got_why, "no address to connect to");
}

static void the_time_limit_holds(void **state)
{
	struct net_addr addrs[2];
	char want[64];
	uint64_t took;

	(void)state;
	silent_port(&addrs[0]);
	silent_port(&addrs[1]);
	took = dial(addrs, 2, 400);
	assert_int_equal(got, -1);
	assert_in_range(took, 399, 3000);
	snprintf(want, sizeof(want), "127.0.0.1 port %u: no answer within 400 ms", addrs[0].port);
	assert_string_equal(got_why, want);
}

static void the_source_is_bound(void **state)
{
	struct net_addr addr, from, sources[3] = { 0 };
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	char text[NET_ADDR_TEXT_MAX];
	int listener;

	(void)state;
	listener = port_new(4, &addr);
	net_addr_parse("::1", 0, &sa, &n, NULL);
	net_addr_from((struct sockaddr *)&sa, &sources[0]);
	net_addr_parse("127.0.0.7", 0, &sa, &n, NULL);
	net_addr_from((struct sockaddr *)&sa, &sources[1]);
	net_addr_parse("127.0.0.8", 0, &sa, &n, NULL);
	net_addr_from((struct sockaddr *)&sa, &sources[2]);
	struct dialer_opts opts = { .sources = sources, .source_count = 3 };
	dial_with(&addr, 1, &opts);
	assert_true(got >= 0);
	n = sizeof(sa);
	keep(accept(listener, (struct sockaddr *)&sa, &n));
	net_addr_from((struct sockaddr *)&sa, &from);
	assert_string_equal(net_addr_text(&from, text), "127.0.0.7");
}

static void a_source_that_is_not_ours_is_refused(void **state)
{
	struct net_addr addr, source;
	struct sockaddr_storage sa;
	socklen_t n;

	(void)state;
	port_new(4, &addr);
	net_addr_parse("192.0.2.1", 0, &sa, &n, NULL);
	net_addr_from((struct sockaddr *)&sa, &source);
	struct dialer_opts opts = { .sources = &source, .source_count = 1 };
	dial_with(&addr, 1, &opts);
	assert_int_equal(got, -1);
	assert_non_null(strstr(got_why, "Cannot assign requested address"));
}

/* Before the first attempt, with one under way, with several. */
static void it_may_be_cancelled_at_any_time(void **state)
{
	static const uint64_t after_ms[] = { 0, 20, 300 };
	struct dialer_opts opts = { 0 };
	struct net_addr addrs[2];

	(void)state;
	silent_port(&addrs[0]);
	silent_port(&addrs[1]);
	for (size_t i = 0; i < 3; i++) {
		uv_update_time(&uv);
		dialer = dialer_start(net, addrs, 2, &opts, on_done, &uv);
		for (uint64_t begin = uv_hrtime(); uv_hrtime() - begin < after_ms[i] * 1000000;)
			uv_run(&uv, UV_RUN_NOWAIT);
		dialer_cancel(&dialer);
		assert_null(dialer);
		for (int j = 0; j < 5; j++)
			uv_run(&uv, UV_RUN_NOWAIT);
		assert_false(ended);
	}
	dialer_cancel(&dialer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_first_that_answers_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(after_a_refusal_the_next_is_tried_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(silence_is_waited_for_a_while, setup, teardown),
		cmocka_unit_test_setup_teardown(a_late_answer_still_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(when_all_refuse_the_last_reason_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(no_address_is_a_failure_too, setup, teardown),
		cmocka_unit_test_setup_teardown(the_time_limit_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(the_source_is_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(a_source_that_is_not_ours_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(it_may_be_cancelled_at_any_time, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
