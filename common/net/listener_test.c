/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports: shared, and not. What comes in by them is conn_test.c's and proxy_protocol_accept_test.c's. */
#include "common/net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define CLIENTS 20u

static unsigned accepted;

static void on_accept(struct listener *l, int fd, const struct net_addr *peer, void *ctx)
{
	(void)l, (void)peer, (void)ctx;
	close(fd);
	accepted++;
}

static const struct listener_events events = { on_accept, NULL };
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

/* Whoever connects comes to the one that listens: none waits at the other, to be reset when that goes. */
static void who_is_only_bound_gets_nobody(void **state)
{
	struct err e;
	struct listener *one = listener_new(net, "127.0.0.1", 0, NULL, &events, NULL, &e), *two;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(listener_port(one)) };
	int clients[CLIENTS];

	(void)state;
	two = listener_new_bound(net, "127.0.0.1", listener_port(one), NULL, &events, NULL, &e);
	assert_non_null(two);
	listener_accept(one, true);
	accepted = 0;
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(clients[i], (struct sockaddr *)&at, sizeof(at)), 0);
	}
	for (unsigned i = 0; i < 10 && accepted < CLIENTS; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(accepted, CLIENTS);
	assert_int_equal(listener_listen(two, &e), 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		close(clients[i]);
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
		cmocka_unit_test_setup_teardown(who_is_only_bound_gets_nobody, start, stop),
		cmocka_unit_test_setup_teardown(a_port_may_be_one_s_own, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
