/* SPDX-License-Identifier: Apache-2.0
 *
 * link: a DEALER socket with a monitor. It is closed at the first disconnect, long before ZeroMQ would reconnect: a reconnected socket looks as
 * before from here, while what was on the way is gone. With reconnecting off, or with ZMQ_IMMEDIATE, ZeroMQ would drop what arrived before the
 * disconnect and is not read yet. High-water marks are off, since credit bounds what is in flight (ipc/README.md, flow control). */
#include "ipc/runtime/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "ipc/runtime/frame.h"

#define CONNECT_MS    3000u
#define RETRY_MIN_MS  100u
#define NEVER_MS      (24 * 3600 * 1000)
#define NO_SOCKET_MS  2000u
#define READ_REST     1024u      /* frames of a connection that has ended */
#define KEPT_BYTES    (2u << 20) /* of a large frame's storage */
#define FRAMES_A_TURN 32u        /* then other handles of the loop have their turn */

static const int MONITORED = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                             ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED;

struct link *link_new(const struct link_base *base, unsigned index, const char *endpoint)
{
	struct link *l = mem_new(struct link);

	l->base = base;
	l->index = index;
	l->endpoint = mem_strdup(endpoint);
	l->state = LINK_DOWN;
	return l;
}

static void set_int(void *socket, int option, int value)
{
	zmq_setsockopt(socket, option, &value, sizeof(value));
}

/* Every option that matters is set here, so that no default of the library is part of the design. */
static void set_options(struct link *l, void *socket)
{
	const struct link_base *base = l->base;
	const char *server_key = base->server_keys[l->attempts % base->server_key_count];
	int64_t max = FRAME_MAX + 1024;
	uint8_t id[16];

	id[0] = 'L'; /* must not begin with zero */
	memcpy(id + 1, &base->instance, 8);
	random_bytes(id + 9, sizeof(id) - 9);
	zmq_setsockopt(socket, ZMQ_ROUTING_ID, id, sizeof(id));
	zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof(max));
	set_int(socket, ZMQ_LINGER, 0);
	set_int(socket, ZMQ_SNDHWM, 0);
	set_int(socket, ZMQ_RCVHWM, 0);
	set_int(socket, ZMQ_RECONNECT_IVL, NEVER_MS);
	set_int(socket, ZMQ_HANDSHAKE_IVL, (int)CONNECT_MS);
	set_int(socket, ZMQ_IPV6, 1);
	set_int(socket, ZMQ_TCP_KEEPALIVE, 1);
	set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, 30);
	set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, 10);
	set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, 3);
	if (base->heartbeat_ms) {
		set_int(socket, ZMQ_HEARTBEAT_IVL, base->heartbeat_ms);
		set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, 3 * base->heartbeat_ms);
		set_int(socket, ZMQ_HEARTBEAT_TTL, 3 * base->heartbeat_ms);
	}
	zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, KEYS_Z85);
	zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, base->key->public_key, KEYS_Z85);
	zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, base->key->secret_key, KEYS_Z85);
}

static void close_sockets(struct link *l, int linger_ms)
{
	if (l->socket)
		set_int(zsock_socket(l->socket), ZMQ_LINGER, linger_ms);
	zsock_free(&l->monitor);
	zsock_free(&l->socket);
	buf_clear(&l->out);
	l->touched = false;
}

void link_free(struct link **pl, int linger_ms)
{
	struct link *l = *pl;

	if (!l)
		return;
	*pl = NULL;
	close_sockets(l, l->state == LINK_JOINED ? linger_ms : 0);
	buf_fini(&l->out);
	mem_free(l->endpoint);
	mem_free(l);
}

static uint64_t retry_delay_ms(const struct link *l)
{
	uint64_t delay = RETRY_MIN_MS << (l->attempts < 16 ? l->attempts : 16);

	if (delay > l->base->retry_max_ms)
		delay = l->base->retry_max_ms;
	return delay / 2 + random_u64() % (delay / 2 + 1);
}

void link_drop(struct link *l, const char *why)
{
	if (l->state == LINK_DOWN || l->state == LINK_DUPLICATE)
		return;
	if (l->state == LINK_OPEN || l->state == LINK_JOINED)
		l->base->events->on_down(l, why, l->base->ctx);
	else
		log_debug(NULL, "%s not reached endpoint=%s why=%s", l->base->what, l->endpoint, why);
	close_sockets(l, 0);
	l->state = LINK_DOWN;
	l->router = 0;
	l->next_ms = uv_now(l->base->loop) + retry_delay_ms(l);
	l->attempts++;
}

void link_set_joined(struct link *l, uint64_t router)
{
	l->router = router;
	l->state = LINK_JOINED;
	l->attempts = 0;
	l->complained = false;
}

void link_set_duplicate(struct link *l, uint64_t router)
{
	link_drop(l, "another link leads to the same router");
	l->state = LINK_DUPLICATE;
	l->router = router;
}

/* One frame, if there is one. */
static bool read_frame(struct link *l)
{
	zmq_msg_t msg;

	zmq_msg_init(&msg);
	if (zmq_msg_recv(&msg, zsock_socket(l->socket), ZMQ_DONTWAIT) < 0) {
		zmq_msg_close(&msg);
		return false;
	}
	l->silent_ticks = 0;
	l->frames_in++;
	l->bytes_in += zmq_msg_size(&msg);
	l->base->events->on_frame(l, str_make(zmq_msg_data(&msg), zmq_msg_size(&msg)), l->base->ctx);
	zmq_msg_close(&msg);
	return true;
}

static void on_readable(void *ctx)
{
	struct link *l = ctx;

	for (unsigned i = 0; l->socket && i < FRAMES_A_TURN; i++)
		if (!read_frame(l))
			return;
	if (l->socket) /* else what a frame said has ended this connection */
		zsock_again(l->socket);
}

/* All of it: the connection has ended, but what came before its end counts. */
void link_read(struct link *l)
{
	for (unsigned i = 0; l->socket && i < READ_REST && read_frame(l); i++)
		;
}

static void on_monitor(void *ctx)
{
	struct link *l = ctx;
	int event, value;

	while (l->monitor && zsock_event(l->monitor, &event, &value)) {
		if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
			l->state = LINK_OPEN;
			l->silent_ticks = 0;
			l->next_ms = uv_now(l->base->loop) + CONNECT_MS;
			zsock_recheck(l->socket); /* lets the socket take notice of its new connection */
			l->base->events->on_open(l, l->base->ctx);
		} else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
			if (!l->complained && l->base->optional)
				log_info(NULL, "%s refuses our key endpoint=%s status=%d", l->base->what, l->endpoint, value);
			else if (!l->complained)
				log_warn(NULL, "%s refuses our key endpoint=%s status=%d", l->base->what, l->endpoint, value);
			l->complained = true;
			link_drop(l, "key refused");
		} else {
			if (event == ZMQ_EVENT_DISCONNECTED)
				link_read(l);
			link_drop(l, event == ZMQ_EVENT_DISCONNECTED ? "disconnected" : "cannot connect");
		}
	}
}

static void connect_link(struct link *l)
{
	void *socket = zmq_socket(l->base->zmq, ZMQ_DEALER);

	if (!socket) {
		l->next_ms = uv_now(l->base->loop) + NO_SOCKET_MS;
		return;
	}
	set_options(l, socket);
	l->monitor = zsock_monitor(l->base->loop, l->base->zmq, socket, MONITORED, on_monitor, l);
	l->socket = zsock_new(l->base->loop, socket, on_readable, l);
	l->state = LINK_CONNECTING;
	l->next_ms = uv_now(l->base->loop) + CONNECT_MS;
	if (!l->monitor || zmq_connect(socket, l->endpoint) != 0)
		link_drop(l, zmq_strerror(errno));
}

void link_tick(struct link *l, uint64_t now_ms)
{
	if (l->state == LINK_DOWN && !l->unwanted && now_ms >= l->next_ms)
		connect_link(l);
	else if ((l->state == LINK_CONNECTING || l->state == LINK_OPEN) && now_ms >= l->next_ms)
		link_drop(l, "no answer");
}

void link_flush(struct link *l)
{
	struct str frame = buf_str(&l->out);

	if (frame.n <= FRAME_HEAD || !l->socket)
		return;
	l->touched = true;
	/* To a connection that has just ended as well: the monitor tells, and then it is lost. */
	if (zmq_send(zsock_socket(l->socket), frame.p, frame.n, ZMQ_DONTWAIT) < 0)
		return;
	l->frames_out++;
	l->bytes_out += frame.n;
	buf_clear(&l->out);
	if (l->out.cap > KEPT_BYTES)
		buf_release(&l->out);
}

void link_prepare(struct link *l)
{
	if (!l->socket)
		return;
	link_flush(l);
	if (l->touched)
		zsock_recheck(l->socket);
	l->touched = false;
}
