/* SPDX-License-Identifier: Apache-2.0
 *
 * stream: clients over TCP and TLS (RFC 8489 section 6.2.2, RFC 8656 section 3.1). A stream without an allocation has a short time, and may send short messages only; what it does not
 * read is kept within a limit, then data is dropped as UDP would be. */
#include <errno.h>

#include "common/base/mem.h"
#include "common/stun/stun_frame.h"
#include "services/turn-relay/mobility.h"

#define EARLY_FRAME_MAX STUN_SIGNED_MAX
#define FRAME_MAX       (STUN_HEADER_SIZE + 65536u)
#define CLOSE_MS        2000u
#define DEAD_MS         60000u

static void end(struct stream *s)
{
	if (s->allocation)
		allocation_client_gone(s->allocation);
	if (!conn_closing(s->conn))
		conn_close(s->conn, CLOSE_MS);
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

static void take(struct stream *s, const struct stun_frame *f)
{
	if (f->kind == STUN_KIND_MESSAGE)
		turn_message(s->worker, &s->client, f->body);
	else
		data_channel(s->worker, &s->client, f->channel, f->body);
}

/* How many bytes were whole frames; *bad: what follows can never be one. */
static size_t take_frames(struct stream *s, const char *p, size_t n, bool *bad)
{
	size_t used = 0;
	struct stun_frame f;

	while (used < n && !s->pair && !conn_closing(s->conn)) {
		bool early = !s->allocation && !claim_of(s->worker, &s->client);
		enum stun_frame_result got = stun_frame_next(p + used, n - used, early ? EARLY_FRAME_MAX : FRAME_MAX, &f);

		*bad = got == STUN_FRAME_BAD;
		if (got != STUN_FRAME_WHOLE)
			break;
		take(s, &f);
		used += f.size;
	}
	/* Data for peers is still where it was read. */
	out_flush(s->worker);
	/* What follows a ConnectionBind is the peer's. */
	if (s->pair && used < n) {
		pair_from_client(s->pair, p + used, n - used);
		used = n;
	}
	return used;
}

static size_t on_data(struct conn *c, const char *p, size_t n, void *ctx)
{
	struct stream *s = ctx;
	bool bad = false;

	(void)c;
	if (s->pair) {
		pair_from_client(s->pair, p, n);
		return n;
	}
	if (buf_str(&s->in).n > 0) {
		buf_append(&s->in, p, n);
		buf_consume(&s->in, take_frames(s, buf_str(&s->in).p, buf_str(&s->in).n, &bad));
	} else {
		size_t used = take_frames(s, p, n, &bad);

		if (used < n)
			buf_append(&s->in, p + used, n - used);
	}
	buf_release(&s->in);
	if (bad || s->in.overflow) {
		count(&s->worker->counters, COUNT_DROP_BAD);
		end(s);
	}
	return n;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_early(struct wheel_timer *t)
{
	end(list_entry(t, struct stream, early));
}

static void on_end(struct conn *c, enum conn_end how, const char *text, void *ctx)
{
	struct stream *s = ctx;
	struct worker *w = s->worker;

	(void)c;
	(void)how;
	(void)text;
	s->conn = NULL;
	if (s->allocation)
		allocation_client_gone(s->allocation);
	claim_client_gone(w, &s->client);
	if (s->pair)
		pair_client_ended(s->pair);
	net_timer_cancel(w->net, &s->early);
	buf_fini(&s->in);
	list_remove(&s->node);
	w->stream_count--;
	count_add(&w->counters, COUNT_STREAMS, (uint64_t)-1);
	stream_gate(w);
	mem_free(s);
}

static void on_secured(struct conn *c, void *ctx)
{
	(void)c;
	(void)ctx;
}

static void on_written(struct conn *c, void *ctx)
{
	struct stream *s = ctx;

	(void)c;
	if (s->pair)
		pair_client_written(s->pair);
}

static const struct conn_events events = { .on_data = on_data, .on_secured = on_secured, .on_written = on_written, .on_end = on_end };

void stream_begin(struct worker *w, int fd, const struct net_addr *peer, bool tls)
{
	struct stream *s = mem_new(struct stream);

	s->worker = w;
	s->client = (struct client){ .addr = *peer, .stream = s };
	s->tls = tls;
	s->conn = conn_accept(w->net, fd, peer, &events, s);
	if (!s->conn) {
		mem_free(s);
		return;
	}
	buf_init(&s->in, FRAME_MAX + NET_READ_BYTES);
	wheel_timer_init(&s->early, on_early);
	list_push_back(&w->streams, &s->node);
	w->stream_count++;
	count_add(&w->counters, COUNT_STREAMS, 1);
	conn_set_dead_after(s->conn, DEAD_MS);
	/* Any ALPN: browsers offer "stun.turn" (RFC 7443), others nothing. */
	if (s->tls && conn_start_tls(s->conn, w->tls, str_from(w->shared->host), NULL) != 0)
		conn_close(s->conn, 0);
	stream_settled(s);
	stream_gate(w);
}

static void on_accept(struct listener *l, int fd, const struct net_addr *peer, void *ctx)
{
	struct worker *w = ctx;
	enum listening how = LISTENS_CLEAR;

	for (unsigned i = 0; i < w->listener_count; i++) {
		if (w->listeners[i] == l)
			how = w->listens[i];
	}
	if (how == LISTENS_BOTH)
		sniff_begin(w, fd, peer);
	else
		stream_begin(w, fd, peer, how == LISTENS_TLS);
}

void stream_settled(struct stream *s)
{
	if (!s->conn)
		return;
	if (s->allocation || s->pair || claim_is_granted(s->worker, &s->client))
		net_timer_cancel(s->worker->net, &s->early);
	else
		net_timer_set(s->worker->net, &s->early, (uint64_t)s->worker->shared->config->early_ms);
}

void stream_send(struct stream *s, const uint8_t *p, size_t n, bool droppable)
{
	size_t limit = (size_t)s->worker->shared->config->output_bytes;

	if (!s->conn || conn_closing(s->conn))
		return;
	if (conn_queued(s->conn) + n <= limit) {
		buf_append(conn_output(s->conn), p, n);
	} else {
		count(&s->worker->counters, COUNT_DROP_QUEUE);
		/* Who asks and never reads the answers is no client. */
		if (!droppable)
			net_timer_set(s->worker->net, &s->early, 0);
	}
}

/* --- listening ---------------------------------------------------------------------------------------------------- */

static int listen_on(struct worker *w, uint16_t number, enum listening how, struct err *e)
{
	static const struct listener_events listener_events = { on_accept, NULL };
	const struct turn_addresses *all = &w->shared->addresses;

	for (size_t i = 0; i < all->listen_count; i++) {
		char text[NET_ADDR_TEXT_MAX];
		struct listener *l =
		        listener_new(w->net, net_addr_text(&all->listen[i], text), number, w->connects, &listener_events, w, e);

		if (!l)
			return -1;
		w->listens[w->listener_count] = how;
		w->listeners[w->listener_count++] = l;
	}
	return 0;
}

int stream_listen(struct worker *w, struct err *e)
{
	const struct turn_config *c = w->shared->config;

	if (c->tcp && c->tls_port == c->port)
		return listen_on(w, w->shared->port, LISTENS_BOTH, e);
	if (c->tcp && listen_on(w, w->shared->port, LISTENS_CLEAR, e) != 0)
		return -1;
	return c->tls_port ? listen_on(w, w->shared->tls_port, LISTENS_TLS, e) : 0;
}

/* Above the limit newcomers wait in the kernel's queue. */
void stream_gate(struct worker *w)
{
	bool accept = !w->stopping && !atomic_load(&w->shared->draining) && w->stream_count < (uint64_t)w->shared->config->connections;

	for (unsigned i = 0; i < w->listener_count; i++)
		listener_accept(w->listeners[i], accept);
}

void stream_close_all(struct worker *w)
{
	for (unsigned i = 0; i < w->listener_count; i++)
		listener_free(&w->listeners[i]);
	w->listener_count = 0;
	sniff_close_all(w);
	list_for_each_safe (n, &w->streams) {
		struct stream *s = list_entry(n, struct stream, node);

		if (s->allocation)
			allocation_free(s->allocation);
		conn_drop(&s->conn);
		net_timer_cancel(w->net, &s->early);
		buf_fini(&s->in);
		list_remove(&s->node);
		w->stream_count--;
		mem_free(s);
	}
}
