/* SPDX-License-Identifier: Apache-2.0
 *
 * Real sockets of this machine, and no loop: each test drives the flow itself. */
#include "services/proxy65/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include <cmocka.h>

#define PLENTY ((size_t)1 << 30)

static struct {
	int a[2], b[2]; /* [0] is the client, [1] is ours */
	struct pipe_pool pool;
	struct flow flow;
} t;

/* A TCP connection: [0] blocks not either, so that a test never hangs. */
static void connect_pair(int out[2])
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(l >= 0);
	assert_int_equal(bind(l, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&sa, &n), 0);
	out[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(out[0], (struct sockaddr *)&sa, sizeof(sa)), 0);
	out[1] = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	assert_true(out[1] >= 0);
	close(l);
}

static int start(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	connect_pair(t.a);
	connect_pair(t.b);
	t.flow = (struct flow){ .from = t.a[1], .to = t.b[1] };
	return 0;
}

static int stop(void **state)
{
	(void)state;
	flow_end_to(&t.flow);
	pipe_pool_fini(&t.pool);
	for (int i = 0; i < 2; i++) {
		close(t.a[i]);
		close(t.b[i]);
	}
	return 0;
}

static void say(const char *text)
{
	assert_int_equal(send(t.a[0], text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void hear(const char *text)
{
	char got[256];

	assert_int_equal(recv(t.b[0], got, strlen(text), MSG_WAITALL), strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void bytes_pass(void **state)
{
	size_t moved;

	(void)state;
	assert_int_equal(flow_run(&t.flow, &t.pool, PLENTY, &moved), FLOW_READ);
	assert_int_equal(moved, 0);
	say("hello");
	assert_int_equal(flow_run(&t.flow, &t.pool, PLENTY, &moved), FLOW_READ);
	assert_int_equal(moved, 5);
	hear("hello");
	assert_int_equal(t.flow.held, 0);
	assert_int_equal(t.pool.count, 1); /* the pipe is there for others */
}

static void the_end_passes_after_the_bytes(void **state)
{
	size_t moved;
	char c;

	(void)state;
	say("last");
	shutdown(t.a[0], SHUT_WR);
	assert_int_equal(flow_run(&t.flow, &t.pool, PLENTY, &moved), FLOW_DONE);
	hear("last");
	assert_int_equal(recv(t.b[0], &c, 1, 0), 0);
	assert_int_equal(flow_run(&t.flow, &t.pool, PLENTY, &moved), FLOW_DONE);
	/* The other direction is another flow's. */
	assert_int_equal(send(t.b[0], "x", 1, MSG_NOSIGNAL), 1);
}

static void no_more_than_allowed(void **state)
{
	size_t moved;

	(void)state;
	say("0123456789");
	assert_int_equal(flow_run(&t.flow, &t.pool, 4, &moved), FLOW_TOKENS);
	assert_int_equal(moved, 4);
	hear("0123");
	assert_int_equal(flow_run(&t.flow, &t.pool, 0, &moved), FLOW_TOKENS);
	assert_int_equal(moved, 0);
	assert_int_equal(flow_run(&t.flow, &t.pool, PLENTY, &moved), FLOW_READ);
	hear("456789");
}

static size_t fill(int fd)
{
	static char block[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = send(fd, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		all += (size_t)n;
	return all;
}

/* Nobody reads: what is taken from the writer stays bounded by the kernel's buffers and one pipe, and the writer has to stop. */
static void a_slow_reader_stops_the_writer(void **state)
{
	size_t sent = 0, moved, more, taken = 0;
	static char block[65536];
	ssize_t n;

	(void)state;
	do {
		more = fill(t.a[0]);
		sent += more;
		flow_run(&t.flow, &t.pool, PLENTY, &moved);
		taken += moved;
	} while (more > 0);
	assert_int_equal(t.flow.state, FLOW_WRITE);
	assert_true(t.flow.held > 0 && t.flow.held <= PIPE_BYTES);
	assert_int_equal(flow_run(&t.flow, &t.pool, PLENTY, &moved), FLOW_WRITE);
	assert_int_equal(moved, 0);
	shutdown(t.a[0], SHUT_WR);
	for (size_t got = 0; got < sent; got += (size_t)n) {
		n = recv(t.b[0], block, sizeof(block), MSG_DONTWAIT);
		if (n < 0)
			n = 0;
		flow_run(&t.flow, &t.pool, PLENTY, &moved);
		taken += moved;
	}
	assert_int_equal(taken, sent);
	while (t.flow.state != FLOW_DONE)
		flow_run(&t.flow, &t.pool, PLENTY, &moved);
}

static void a_reader_that_vanishes(void **state)
{
	struct linger now = { .l_onoff = 1 };
	enum flow_state s = FLOW_READ;
	size_t moved;

	(void)state;
	setsockopt(t.b[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(t.b[0]);
	t.b[0] = dup(0);
	for (int i = 0; i < 100 && s == FLOW_READ; i++) {
		say("x");
		s = flow_run(&t.flow, &t.pool, PLENTY, &moved);
	}
	assert_int_equal(s, FLOW_BROKEN_TO);
	flow_end_to(&t.flow);
	assert_int_equal(flow_run(&t.flow, &t.pool, PLENTY, &moved), FLOW_DONE);
}

static void a_writer_that_vanishes(void **state)
{
	struct linger now = { .l_onoff = 1 };
	size_t moved;

	(void)state;
	say("begun");
	assert_int_equal(flow_run(&t.flow, &t.pool, PLENTY, &moved), FLOW_READ);
	setsockopt(t.a[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(t.a[0]);
	t.a[0] = dup(0);
	assert_int_equal(flow_run(&t.flow, &t.pool, PLENTY, &moved), FLOW_BROKEN_FROM);
	flow_end_from(&t.flow);
	assert_int_equal(flow_run(&t.flow, &t.pool, PLENTY, &moved), FLOW_DONE);
	hear("begun");
}

static void the_pool_keeps_a_few(void **state)
{
	struct pipe_ends all[PIPE_POOL_SPARE + 2];

	(void)state;
	for (size_t i = 0; i < PIPE_POOL_SPARE + 2; i++)
		assert_true(pipe_pool_take(&t.pool, &all[i]));
	for (size_t i = 0; i < PIPE_POOL_SPARE + 2; i++)
		pipe_pool_give(&t.pool, &all[i]);
	assert_int_equal(t.pool.count, PIPE_POOL_SPARE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_pass),
		TEST(the_end_passes_after_the_bytes),
		TEST(no_more_than_allowed),
		TEST(a_slow_reader_stops_the_writer),
		TEST(a_reader_that_vanishes),
		TEST(a_writer_that_vanishes),
		TEST(the_pool_keeps_a_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
