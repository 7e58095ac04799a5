/* SPDX-License-Identifier: Apache-2.0
 *
 * socket: the ROUTER socket on the loop; its options are in ipc/runtime/listen.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/mem.h"
#include "ipc/runtime/listen.h"
#include "services/router/router.h"

#define FRAMES_A_TURN 64u
#define KEPT_BYTES    (1u << 20)
#define PROBE_MS      20u

/* --- reading ---------------------------------------------------------------------------------------------------- */

static void read_frame(struct router *r, zmq_msg_t *id, zmq_msg_t *frame)
{
	struct router_origin o = { .id = zmq_msg_data(id), .id_n = zmq_msg_size(id), .user = zmq_msg_gets(frame, "User-Id") };

	if (!o.user)
		o.user = "";
	o.peer = peers_by_id(r, o.id, o.id_n);
	/* A routing id may be taken over by a newer connection; with another key it is another service. */
	if (o.peer && strcmp(o.peer->user, o.user) != 0)
		o.peer = NULL;
	if (o.peer)
		o.peer->silent_ticks = 0;
	forward_frame(r, &o, str_make(zmq_msg_data(frame), zmq_msg_size(frame)));
}

static void on_readable(void *ctx)
{
	struct router *r = ctx;
	void *socket = zsock_socket(r->socket);
	zmq_msg_t id, frame;

	r->touched = true;
	for (unsigned i = 0; i < FRAMES_A_TURN; i++) {
		zmq_msg_init(&id);
		if (zmq_msg_recv(&id, socket, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&id);
			return;
		}
		zmq_msg_init(&frame);
		if (zmq_msg_more(&id) && zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) >= 0) {
			if (zmq_msg_more(&frame))
				listen_skip_rest(socket);
			else
				read_frame(r, &id, &frame);
		}
		zmq_msg_close(&frame);
		zmq_msg_close(&id);
	}
	zsock_again(r->socket);
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static bool send_frame(struct router *r, const void *id, size_t id_n, struct str frame)
{
	void *socket = zsock_socket(r->socket);

	r->touched = true;
	return zmq_send(socket, id, id_n, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 && zmq_send(socket, frame.p, frame.n, ZMQ_DONTWAIT) >= 0;
}

bool socket_flush(struct router *r, struct peer *p)
{
	struct str frame = buf_str(&p->out);

	list_remove(&p->dirty);
	if (frame.n <= FRAME_HEAD)
		return true;
	if (!send_frame(r, p->id, p->id_n, frame)) {
		peers_drop(r, p, "disconnected");
		return false;
	}
	buf_clear(&p->out);
	if (p->out.cap > KEPT_BYTES)
		buf_release(&p->out);
	return true;
}

void socket_reply(struct router *r, const struct router_origin *o, const struct envelope *e, const ProtobufCMessage *message)
{
	struct buf frame = { 0 };

	if (record_write(&frame, e, message, (struct str){ NULL, 0 }))
		send_frame(r, o->id, o->id_n, buf_str(&frame));
	buf_fini(&frame);
}

static void on_prepare(uv_prepare_t *handle)
{
	struct router *r = handle->data;

	/* Flushing may find that a peer is gone, which changes the directory and makes others dirty again; each round drops at least one. */
	do {
		peers_broadcast(r);
		while (!list_empty(&r->dirty))
			socket_flush(r, list_entry(r->dirty.next, struct peer, dirty));
	} while (r->directory_changed);
	if (r->touched)
		zsock_recheck(r->socket);
	r->touched = false;
}

/* --- connections that end --------------------------------------------------------------------------------------- */

static void on_probe(uv_timer_t *timer)
{
	peers_heartbeat(timer->data);
}

/* Some connection ended; which, the monitor does not say. A heartbeat to everyone finds out at once instead of within a second. */
static void on_monitor(void *ctx)
{
	struct router *r = ctx;
	int event, value;

	while (zsock_event(r->monitor, &event, &value))
		if (event == ZMQ_EVENT_DISCONNECTED && !uv_is_active((uv_handle_t *)&r->probe))
			uv_timer_start(&r->probe, on_probe, PROBE_MS, 0);
}

static void on_tick(uv_timer_t *timer)
{
	struct router *r = timer->data;

	IDMAP_EACH(&r->by_instance, i)
	{
		((struct peer *)r->by_instance.cells[i].value)->silent_ticks++;
	}
	peers_heartbeat(r);
}

/* --- binding ---------------------------------------------------------------------------------------------------- */

static int bind_one(struct router *r, void *socket, const char *endpoint, struct err *e)
{
	if (listen_bind(socket, endpoint, e) != 0)
		return -1;
	if (strncmp(endpoint, "ipc://", 6) == 0) {
		r->unlink_paths = mem_realloc(r->unlink_paths, (r->unlink_count + 1) * sizeof(char *));
		r->unlink_paths[r->unlink_count++] = mem_strdup(endpoint + 6);
	}
	log_info(daemon_log(r->daemon), "listening endpoint=%s", endpoint);
	return 0;
}

static int bind_all(struct router *r, void *socket, struct err *e)
{
	char fallback[512];

	for (size_t i = 0; i < r->config->bind.count; i++)
		if (bind_one(r, socket, r->config->bind.items[i], e) != 0)
			return -1;
	if (r->config->bind.count > 0)
		return 0;
	snprintf(fallback, sizeof(fallback), "ipc://%s/run/router.%s.ipc", r->shared->state_dir, daemon_name(r->daemon));
	return bind_one(r, socket, fallback, e);
}

static void start_handles(struct router *r)
{
	uv_prepare_init(r->loop, &r->prepare);
	uv_timer_init(r->loop, &r->tick);
	uv_timer_init(r->loop, &r->probe);
	r->prepare.data = r->tick.data = r->probe.data = r;
	uv_prepare_start(&r->prepare, on_prepare);
	uv_timer_start(&r->tick, on_tick, (uint64_t)r->config->heartbeat_ms, (uint64_t)r->config->heartbeat_ms);
}

int socket_open(struct router *r, struct err *e)
{
	void *socket = zmq_socket(r->zmq, ZMQ_ROUTER);
	int handover = 1;

	if (!socket)
		return err_set(e, "cannot make a socket: %s", zmq_strerror(errno));
	listen_options(socket, &r->key);
	zmq_setsockopt(socket, ZMQ_ROUTER_HANDOVER, &handover, sizeof(handover));
	r->monitor = zsock_monitor(r->loop, r->zmq, socket, ZMQ_EVENT_DISCONNECTED, on_monitor, r);
	r->socket = zsock_new(r->loop, socket, on_readable, r);
	start_handles(r);
	return r->monitor ? bind_all(r, socket, e) : err_set(e, "cannot watch the socket: %s", zmq_strerror(errno));
}

void socket_close(struct router *r)
{
	if (r->socket) {
		uv_close((uv_handle_t *)&r->prepare, NULL);
		uv_close((uv_handle_t *)&r->tick, NULL);
		uv_close((uv_handle_t *)&r->probe, NULL);
	}
	zsock_free(&r->monitor);
	zsock_free(&r->socket);
	for (size_t i = 0; i < r->unlink_count; i++) {
		unlink(r->unlink_paths[i]);
		mem_free(r->unlink_paths[i]);
	}
	mem_free(r->unlink_paths);
	r->unlink_paths = NULL;
	r->unlink_count = 0;
}
