/* SPDX-License-Identifier: Apache-2.0
 *
 * zsock: uv_poll on ZMQ_FD tells that something changed; an idle handle keeps the loop from sleeping while there is more to read. */
#include "ipc/runtime/zsock.h"

#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "common/base/mem.h"

struct zsock {
	uv_poll_t poll;
	uv_idle_t idle;
	void *socket;
	void *watched; /* of a monitor: the socket it tells of */
	zsock_fn fn;   /* NULL once closing */
	void *ctx;
	int handles;
};

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct zsock *z = handle->data;

	(void)status;
	(void)events;
	if (z->fn)
		z->fn(z->ctx);
}

static void on_idle(uv_idle_t *handle)
{
	struct zsock *z = handle->data;

	uv_idle_stop(handle);
	if (z->fn)
		z->fn(z->ctx);
}

struct zsock *zsock_new(uv_loop_t *loop, void *socket, zsock_fn fn, void *ctx)
{
	struct zsock *z = mem_new(struct zsock);
	int fd = -1;
	size_t n = sizeof(fd);

	zmq_getsockopt(socket, ZMQ_FD, &fd, &n);
	z->socket = socket;
	z->fn = fn;
	z->ctx = ctx;
	z->handles = 2;
	uv_poll_init(loop, &z->poll, fd);
	uv_idle_init(loop, &z->idle);
	z->poll.data = z->idle.data = z;
	uv_poll_start(&z->poll, UV_READABLE, on_poll);
	zsock_again(z);
	return z;
}

static void on_closed(uv_handle_t *handle)
{
	struct zsock *z = handle->data;

	if (--z->handles == 0)
		mem_free(z);
}

void zsock_free(struct zsock **pz)
{
	struct zsock *z = *pz;

	if (!z)
		return;
	*pz = NULL;
	z->fn = NULL;
	/* An event that finds the monitor's reader gone would block ZeroMQ's I/O thread for good, and with it every socket of the context. */
	if (z->watched)
		zmq_socket_monitor(z->watched, NULL, 0);
	/* First off the loop, then closed: the descriptor may be someone else's a moment later. */
	uv_close((uv_handle_t *)&z->poll, on_closed);
	uv_close((uv_handle_t *)&z->idle, on_closed);
	zmq_close(z->socket);
	z->socket = NULL;
}

void *zsock_socket(const struct zsock *z)
{
	return z->socket;
}

void zsock_again(struct zsock *z)
{
	uv_idle_start(&z->idle, on_idle);
}

void zsock_recheck(struct zsock *z)
{
	int events = 0;
	size_t n = sizeof(events);

	if (zmq_getsockopt(z->socket, ZMQ_EVENTS, &events, &n) == 0 && (events & ZMQ_POLLIN))
		zsock_again(z);
}

struct zsock *zsock_monitor(uv_loop_t *loop, void *zmq, void *socket, int events, zsock_fn fn, void *ctx)
{
	static unsigned number;
	char endpoint[64];
	struct zsock *z;
	void *pair;

	snprintf(endpoint, sizeof(endpoint), "inproc://monitor-%u", ++number);
	if (zmq_socket_monitor(socket, endpoint, events) != 0)
		return NULL;
	pair = zmq_socket(zmq, ZMQ_PAIR);
	if (!pair || zmq_connect(pair, endpoint) != 0) {
		zmq_socket_monitor(socket, NULL, 0);
		if (pair)
			zmq_close(pair);
		return NULL;
	}
	z = zsock_new(loop, pair, fn, ctx);
	z->watched = socket;
	return z;
}

bool zsock_event(struct zsock *z, int *out_event, int *out_value)
{
	uint8_t head[6];
	uint16_t event;
	int32_t value;

	if (zmq_recv(z->socket, head, sizeof(head), ZMQ_DONTWAIT) != (int)sizeof(head))
		return false;
	memcpy(&event, head, sizeof(event));
	memcpy(&value, head + 2, sizeof(value));
	zmq_recv(z->socket, NULL, 0, ZMQ_DONTWAIT); /* the endpoint */
	*out_event = event;
	*out_value = value;
	return true;
}

/* What the leak sanitizer of the debug build must not report: libzmq 4.3.4 now and then forgets one message of its own, of less than 100 bytes, when a context
 * with CURVE links ends while a peer connects. There is no call of ours in its stack. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libzmq.so\n";
}
