/* SPDX-License-Identifier: Apache-2.0
 *
 * pair: a client's data connection and its peer's, from ConnectionBind on (RFC 6062 section 5.4): bytes pass as they come, both ways, in the thread that accepted the client's. Who
 * is not read from is not read either: the kernel's window tells the other side to wait. When one ends, the other does, behind what has still to be written. */
#include "common/base/mem.h"
#include "services/turn-relay/request.h"

#define FLUSH_MS 30000u /* for what the other one has sent */
#define CLOSE_MS 2000u  /* when the allocation has ended */
#define DEAD_MS  60000u

struct pair {
	struct worker *worker;
	struct list_node node;
	uint32_t link;
	struct stream *client; /* NULL: has ended */
	struct conn *peer;
};

static size_t limit(const struct worker *w)
{
	return (size_t)w->shared->config->output_bytes;
}

static size_t pass(struct worker *w, struct conn *from, struct conn *to, const char *p, size_t n, enum counter which)
{
	if (conn_closing(to))
		return n;
	buf_append(conn_output(to), p, n);
	if (conn_queued(to) >= limit(w))
		conn_pause(from);
	count_add(&w->counters, which, n);
	return n;
}

/* --- the peer's side ---------------------------------------------------------------------------------------------- */

static size_t on_data(struct conn *c, const char *p, size_t n, void *ctx)
{
	struct pair *it = ctx;

	return it->client ? pass(it->worker, c, it->client->conn, p, n, COUNT_BYTES_OUT) : n;
}

static void on_secured(struct conn *c, void *ctx)
{
	(void)c;
	(void)ctx;
}

static void on_written(struct conn *c, void *ctx)
{
	const struct pair *it = ctx;

	if (it->client && conn_queued(c) < limit(it->worker) / 2)
		conn_resume(it->client->conn);
}

static void release(struct pair *it)
{
	links_remove(it->worker->shared->links, it->link);
	list_remove(&it->node);
	count_add(&it->worker->counters, COUNT_PAIRS, (uint64_t)-1);
	if (it->client)
		it->client->pair = NULL;
	mem_free(it);
}

static void on_end(struct conn *c, enum conn_end how, const char *text, void *ctx)
{
	struct pair *it = ctx;
	struct stream *client = it->client;

	(void)c;
	(void)how;
	(void)text;
	release(it);
	if (client)
		conn_close(client->conn, FLUSH_MS);
}

/* --- the client's side -------------------------------------------------------------------------------------------- */

void pair_from_client(struct pair *it, const char *p, size_t n)
{
	pass(it->worker, it->client->conn, it->peer, p, n, COUNT_BYTES_IN);
}

void pair_client_written(struct pair *it)
{
	if (conn_queued(it->client->conn) < limit(it->worker) / 2)
		conn_resume(it->peer);
}

void pair_client_ended(struct pair *it)
{
	it->client = NULL;
	conn_close(it->peer, FLUSH_MS);
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

/* What limits.rate drops of datagrams must wait here. */
static void set_rate(const struct worker *w, struct conn *c)
{
	uint64_t rate = (uint64_t)w->shared->config->bytes_a_second;

	rate = rate > UINT32_MAX / 2 ? UINT32_MAX / 2 : rate;
	conn_set_rate(c, (uint32_t)rate, (uint32_t)(2 * rate));
	conn_set_dead_after(c, DEAD_MS);
}

static struct pair *begin(struct worker *w, struct stream *client, uint32_t link, int fd, const struct net_addr *peer)
{
	static const struct conn_events events = {
		.on_data = on_data, .on_secured = on_secured, .on_written = on_written, .on_end = on_end
	};
	struct pair *it = mem_new(struct pair);

	it->worker = w;
	it->link = link;
	it->peer = conn_accept(w->net, fd, peer, &events, it);
	if (!it->peer) {
		mem_free(it);
		return NULL;
	}
	it->client = client;
	client->pair = it;
	list_push_back(&w->pairs, &it->node);
	count_add(&w->counters, COUNT_PAIRS, 1);
	set_rate(w, it->peer);
	set_rate(w, client->conn);
	stream_settled(client);
	return it;
}

void turn_connection_bind(struct request *r)
{
	struct stream *s = r->from->stream;
	struct links *links = r->w->shared->links;
	struct net_addr peer;
	uint32_t link;
	int fd;

	if (!s || r->a || !stun_has(r->m, STUN_A_CONNECTION_ID)) {
		request_refuse(r, STUN_BAD_REQUEST);
		return;
	}
	link = stun_u32(r->m, STUN_A_CONNECTION_ID);
	if (!links_fetch(links, link, r->user.account, r->w, worker_now(r->w), &fd, &peer)) {
		request_refuse(r, STUN_BAD_REQUEST);
	} else if (!begin(r->w, s, link, fd, &peer)) {
		links_remove(links, link);
		request_refuse(r, STUN_INSUFFICIENT_CAPACITY);
	} else {
		request_begin(r);
		request_reply(r);
	}
}

static void end_by_link(struct worker *w, void *arg)
{
	uint32_t link = (uint32_t)(uintptr_t)arg;

	list_for_each_safe (n, &w->pairs) {
		struct pair *it = list_entry(n, struct pair, node);

		if (it->link != link)
			continue;
		conn_close(it->peer, CLOSE_MS);
		if (it->client)
			conn_close(it->client->conn, CLOSE_MS);
	}
}

void pair_end_elsewhere(struct worker *w, uint32_t link)
{
	worker_post(w, end_by_link, (void *)(uintptr_t)link);
}

void pair_close_all(struct worker *w)
{
	list_for_each_safe (n, &w->pairs) {
		struct pair *it = list_entry(n, struct pair, node);

		conn_drop(&it->peer);
		release(it);
	}
}
