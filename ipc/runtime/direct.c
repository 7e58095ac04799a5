/* SPDX-License-Identifier: Apache-2.0
 *
 * direct: see direct.h. */
#include "ipc/runtime/direct.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "ipc/gen/link.client.h"
#include "ipc/runtime/bus_core.h"
#include "ipc/runtime/listen.h"

#define FRAMES_A_TURN 64u
#define SETTLE_FRAMES 4096u /* read before connections that failed are ended */
#define PROBE_MS      5u
#define SWEEP_AGE_S   60u

/* --- who has connected ------------------------------------------------------------------------------------------ */

uint64_t direct_hash(const struct direct *d, const uint8_t *id, size_t n)
{
	return (hash_fnv1a64(str_make(id, n)) ^ d->seed) | 1;
}

static struct pair *find(const struct direct *d, const uint8_t *id, size_t n, const char *user)
{
	struct pair *c = idmap_get(&d->by_id, direct_hash(d, id, n));

	return c && c->id_n == n && memcmp(c->id, id, n) == 0 && strcmp(c->user, user) == 0 ? c : NULL;
}

void direct_forget(struct direct *d, struct pair *c)
{
	if (idmap_get(&d->by_id, c->id_hash) == c)
		idmap_remove(&d->by_id, c->id_hash);
}

bool direct_send(struct direct *d, const uint8_t *id, size_t id_n, struct str frame)
{
	void *socket = zsock_socket(d->socket);

	d->touched = true;
	return zmq_send(socket, id, id_n, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 && zmq_send(socket, frame.p, frame.n, ZMQ_DONTWAIT) >= 0;
}

void direct_refuse(struct direct *d, const uint8_t *id, size_t id_n, uint64_t to, uint64_t call, int code, const char *why)
{
	struct envelope e = { .kind = STARLING__KIND__KIND_FAILURE,
		              .method = METHOD_LINK_OPEN,
		              .source = d->bus->instance,
		              .destination = to,
		              .call = call,
		              .code = code,
		              .text = str_from(why) };
	struct buf frame = { 0 };

	if (record_write(&frame, &e, NULL, (struct str){ NULL, 0 }))
		direct_send(d, id, id_n, buf_str(&frame));
	buf_fini(&frame);
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

static void read_frame(struct direct *d, zmq_msg_t *id, zmq_msg_t *frame)
{
	const char *user = zmq_msg_gets(frame, "User-Id");
	struct str bytes = str_make(zmq_msg_data(frame), zmq_msg_size(frame));
	struct pair *c = find(d, zmq_msg_data(id), zmq_msg_size(id), user ? user : "");

	if (!c) {
		admit_frame(d, zmq_msg_data(id), zmq_msg_size(id), user ? user : "", bytes);
		return;
	}
	c->frames_in++;
	c->bytes_in += bytes.n;
	receive_frame(d->bus, (struct origin){ .pair = c }, bytes);
}

/* False when there is nothing more. */
static bool read_message(struct direct *d)
{
	void *socket = zsock_socket(d->socket);
	zmq_msg_t id, frame;

	zmq_msg_init(&id);
	if (zmq_msg_recv(&id, socket, ZMQ_DONTWAIT) < 0) {
		zmq_msg_close(&id);
		return false;
	}
	zmq_msg_init(&frame);
	if (zmq_msg_more(&id) && zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) >= 0) {
		if (zmq_msg_more(&frame))
			listen_skip_rest(socket);
		else if (zmq_msg_size(&id) <= PAIR_ID_MAX)
			read_frame(d, &id, &frame);
	}
	zmq_msg_close(&frame);
	zmq_msg_close(&id);
	return true;
}

static void on_readable(void *ctx)
{
	struct direct *d = ctx;

	for (unsigned i = 0; i < FRAMES_A_TURN; i++)
		if (!read_message(d))
			return;
	zsock_again(d->socket);
}

/* --- connections that end --------------------------------------------------------------------------------------- */

void direct_settle(struct direct *d)
{
	bool any = false;

	list_for_each (it, &d->pairs)
		any |= list_entry(it, struct pair, all)->failed;
	if (!any)
		return;
	/* What they sent before their end counts. */
	for (unsigned i = 0; i < SETTLE_FRAMES && read_message(d); i++)
		;
	list_for_each_safe (it, &d->pairs) {
		struct pair *c = list_entry(it, struct pair, all);

		if (c->failed)
			pair_lost(c, "disconnected");
	}
}

/* Some connection ended; which, the monitor does not say. Writing to each tells: an empty frame means nothing to those that live. */
static void on_probe(uv_timer_t *timer)
{
	static const char nothing[FRAME_HEAD] = { 'S', 1 };
	struct direct *d = timer->data;

	zsock_recheck(d->socket); /* lets the socket take notice */
	list_for_each (it, &d->pairs) {
		struct pair *c = list_entry(it, struct pair, all);

		if (!c->link && !direct_send(d, c->id, c->id_n, str_make(nothing, sizeof(nothing))))
			c->failed = true;
	}
	direct_settle(d);
}

static void on_monitor(void *ctx)
{
	struct direct *d = ctx;
	int event, value;

	while (zsock_event(d->monitor, &event, &value))
		if (event == ZMQ_EVENT_DISCONNECTED && !uv_is_active((uv_handle_t *)&d->probe))
			uv_timer_start(&d->probe, on_probe, PROBE_MS, 0);
}

void direct_revoke(struct direct *d)
{
	list_for_each_safe (it, &d->pairs) {
		struct pair *c = list_entry(it, struct pair, all);

		bool ours = c->link != NULL;

		if (allow_has(&d->bus->allow, c->peer->registration->role, ours ? c->server_key[0] : c->user))
			continue;
		pair_drop(c, "its key is not listed any more");
		/* One of ours would be tried again; pair_want looks at the key first. */
		if (ours)
			pair_free(c, 0);
	}
}

/* --- turns and ticks -------------------------------------------------------------------------------------------- */

void direct_prepare(struct direct *d)
{
	list_for_each (it, &d->pairs) {
		struct pair *c = list_entry(it, struct pair, all);

		if (c->link)
			link_prepare(c->link);
		else
			pair_flush(c);
	}
	if (d->touched)
		zsock_recheck(d->socket);
	d->touched = false;
}

void direct_tick(struct direct *d, uint64_t now_ms)
{
	list_for_each_safe (it, &d->pairs) {
		struct pair *c = list_entry(it, struct pair, all);

		if (c->link)
			link_tick(c->link, now_ms);
	}
}

void direct_stats(const struct direct *d, struct ipc_stats *out)
{
	list_for_each (it, &d->pairs) {
		const struct pair *c = list_entry(it, struct pair, all);

		out->frames_in += c->link ? c->link->frames_in : c->frames_in;
		out->frames_out += c->link ? c->link->frames_out : c->frames_out;
		out->bytes_in += c->link ? c->link->bytes_in : c->bytes_in;
		out->bytes_out += c->link ? c->link->bytes_out : c->bytes_out;
	}
}

/* --- building up and ending ------------------------------------------------------------------------------------- */

static void on_denied(const char *address, void *ctx)
{
	struct ipc_bus *bus = ctx;

	log_info(NULL, "direct connection refused: its key is not listed address=%s", address);
	bus->stats.link_refused++;
}

/* As others connect to it: what is bound to every address is announced by this machine's name. */
static char *announced(const struct ipc_bus *bus, void *socket)
{
	char last[512] = "", out[512];
	size_t n = sizeof(last) - 1;
	const char *port;

	zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, last, &n);
	port = strrchr(last, ':');
	if (strncmp(last, "tcp://0.0.0.0:", 14) != 0 && strncmp(last, "tcp://[::]:", 11) != 0)
		return mem_strdup(last);
	snprintf(out, sizeof(out), "tcp://%s%s", bus->self.host, port);
	return mem_strdup(out);
}

static void *make_socket(struct ipc_bus *bus, const char *endpoint, struct err *e)
{
	void *socket = zmq_socket(bus->zmq, ZMQ_ROUTER);
	const int off = 0, on = 1;

	if (!socket) {
		err_set(e, "cannot make a socket: %s", zmq_strerror(errno));
		return NULL;
	}
	listen_options(socket, &bus->key);
	/* Of an interface its IPv4 address, if it has one: ZeroMQ would take the first IPv6 address, which mostly reaches this link only. */
	if (strncmp(endpoint, "tcp://", 6) == 0 && endpoint[6] != '[') {
		zmq_setsockopt(socket, ZMQ_IPV6, &off, sizeof(off));
		if (listen_bind(socket, endpoint, e) == 0)
			return socket;
		zmq_setsockopt(socket, ZMQ_IPV6, &on, sizeof(on));
	}
	if (listen_bind(socket, endpoint, e) == 0)
		return socket;
	zmq_close(socket);
	return NULL;
}

bool direct_open(struct ipc_bus *bus, const char *endpoint)
{
	struct direct *d = mem_new(struct direct);
	void *socket = NULL;
	struct err e;

	listen_sweep(endpoint, SWEEP_AGE_S);
	d->zap = zap_new(bus->loop, bus->zmq, &bus->allow, on_denied, bus, &e);
	if (d->zap)
		socket = make_socket(bus, endpoint, &e);
	if (!socket) {
		log_warn(NULL, "no direct connections: %s", e.text);
		zap_free(&d->zap);
		mem_free(d);
		return false;
	}
	d->bus = bus;
	d->seed = random_u64();
	d->endpoint = announced(bus, socket);
	list_init(&d->pairs);
	d->monitor = zsock_monitor(bus->loop, bus->zmq, socket, ZMQ_EVENT_DISCONNECTED, on_monitor, d);
	d->socket = zsock_new(bus->loop, socket, on_readable, d);
	uv_timer_init(bus->loop, &d->probe);
	d->probe.data = d;
	bus->direct = d;
	log_info(NULL, "direct connections endpoint=%s", d->endpoint);
	return true;
}

static void on_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

void direct_close(struct ipc_bus *bus, int linger_ms)
{
	struct direct *d = bus->direct;

	if (!d)
		return;
	direct_prepare(d);
	while (!list_empty(&d->pairs))
		pair_free(list_entry(d->pairs.next, struct pair, all), linger_ms);
	zmq_setsockopt(zsock_socket(d->socket), ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
	zsock_free(&d->monitor);
	zsock_free(&d->socket);
	zap_free(&d->zap);
	idmap_fini(&d->by_id);
	if (strncmp(d->endpoint, "ipc://", 6) == 0)
		unlink(d->endpoint + 6);
	mem_free(d->endpoint);
	bus->direct = NULL;
	uv_close((uv_handle_t *)&d->probe, on_closed);
}
