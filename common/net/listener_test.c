/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports: shared, and not. What comes in by them is conn_test.c's and proxy_protocol_accept_test.c's. */
#include "common/net/listener.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct listener_events events = { NULL, NULL };
static uv_loop_t loop;
static struct net_loop *net;

static int start(void **state)
{
	(void)state;
	uv_loop_init(&loop);
	net = net_loop_new(&loop);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	net_loop_free(&net);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void a_port_may_be_shared(void **state)
{
	struct err e;
	struct listener *one = listener_new(net, "127.0.0.1", 0, NULL, &events, NULL, &e), *two;

	(void)state;
	assert_non_null(one);
	two = listener_new(net, "127.0.0.1", listener_port(one), NULL, &events, NULL, &e);
	assert_non_null(two);
	assert_int_equal(listener_port(one), listener_port(two));
	listener_free(&one);
	listener_free(&two);
}

static void a_port_may_be_one_s_own(void **state)
{
	struct err e;
	struct listener *one = listener_new_alone(net, "127.0.0.1", 0, NULL, &events, NULL, &e), *two;
	uint16_t port;

	(void)state;
	assert_non_null(one);
	port = listener_port(one);
	assert_null(listener_new_alone(net, "127.0.0.1", port, NULL, &events, NULL, &e));
	assert_int_equal(errno, EADDRINUSE);
	assert_null(listener_new(net, "127.0.0.1", port, NULL, &events, NULL, &e));
	assert_int_equal(errno, EADDRINUSE);
	listener_free(&one);
	two = listener_new_alone(net, "127.0.0.1", port, NULL, &events, NULL, &e);
	assert_non_null(two);
	listener_free(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_port_may_be_shared, start, stop),
		cmocka_unit_test_setup_teardown(a_port_may_be_one_s_own, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
