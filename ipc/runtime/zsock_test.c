/* SPDX-License-Identifier: Apache-2.0
 *
 * zsock_test: a connection may end in the very moment in which its socket and monitor are closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "ipc/runtime/zsock.h"

#define ROUNDS    2000u
#define SPREAD_US 100u /* from the end of the connection to the closing of the sockets */

static void set_int(void *socket, int option, int value)
{
	assert_int_equal(zmq_setsockopt(socket, option, &value, sizeof(value)), 0);
}

static int listen_raw(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 512), 0);
	return fd;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

/* ZeroMQ's I/O thread still carries messages. */
static bool carries(void *zmq, const char *endpoint)
{
	void *in = zmq_socket(zmq, ZMQ_PULL), *out = zmq_socket(zmq, ZMQ_PUSH);
	char c;
	bool ok;

	set_int(in, ZMQ_RCVTIMEO, 5000);
	set_int(out, ZMQ_LINGER, 0);
	assert_int_equal(zmq_bind(in, endpoint), 0);
	assert_int_equal(zmq_connect(out, endpoint), 0);
	assert_int_equal(zmq_send(out, "x", 1, ZMQ_DONTWAIT), 1);
	ok = zmq_recv(in, &c, 1, 0) == 1;
	zmq_close(in);
	zmq_close(out);
	return ok;
}

/* The other end goes, and `after_us` later so do socket and monitor. */
static void connect_and_close(uv_loop_t *loop, void *zmq, const char *endpoint, int listener, uint64_t after_us)
{
	void *socket = zmq_socket(zmq, ZMQ_DEALER);
	struct zsock *monitor = zsock_monitor(loop, zmq, socket, ZMQ_EVENT_ALL, nothing, NULL), *z = zsock_new(loop, socket, nothing, NULL);
	uint64_t until_us;
	int fd;

	assert_non_null(monitor);
	set_int(socket, ZMQ_LINGER, 0);
	assert_int_equal(zmq_connect(socket, endpoint), 0);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	close(fd);
	for (until_us = clock_mono_us() + after_us; clock_mono_us() < until_us;)
		;
	zsock_free(&monitor);
	zsock_free(&z);
	uv_run(loop, UV_RUN_NOWAIT);
}

static void test_closed_as_the_connection_ends(void **state)
{
	char dir[] = "/tmp/zsock-test-XXXXXX", path[64], raw[80], other[80];
	void *zmq = zmq_ctx_new();
	uv_loop_t loop;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/raw", dir);
	snprintf(raw, sizeof(raw), "ipc://%s", path);
	snprintf(other, sizeof(other), "ipc://%s/other", dir);
	fd = listen_raw(path);
	uv_loop_init(&loop);
	for (unsigned i = 0; i < ROUNDS; i++)
		connect_and_close(&loop, zmq, raw, fd, i % SPREAD_US);
	assert_true(carries(zmq, other));
	zmq_ctx_term(zmq);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	close(fd);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_as_the_connection_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
