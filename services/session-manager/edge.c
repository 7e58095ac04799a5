/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/edge.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/edge.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/later.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_end.h"
#include "services/session-manager/sm.h"

/* A directory needs a moment to fill after start: an instance missing from it is not taken for dead before. */
#define SETTLE_MS    2000
#define RETRY_MS     20
#define PROGRESS_MAX 256

struct held {
	struct list_node node;
	struct parcel *parcel;
	uint64_t delivery;
	uint32_t count;
	uint64_t streams[];
};

struct edge *edge_find(struct sm *sm, uint64_t instance)
{
	for (struct table_node *n = table_first(&sm->edges, table_hash_u64(instance)); n; n = table_next(n)) {
		struct edge *e = table_entry(n, struct edge, by_instance);

		if (e->instance == instance)
			return e;
	}
	return NULL;
}

static void check_later(void *ctx);

static uint64_t patience_ms(const struct edge *e)
{
	uint64_t grace = (uint64_t)e->sm->options->edge_grace_ms;

	return e->seen || grace > SETTLE_MS ? grace : SETTLE_MS;
}

static void check(struct edge *e)
{
	bool there = ipc_bus_find(e->sm->bus, e->instance) != NULL;

	if (there) {
		e->lost = false;
		e->seen = true;
		return;
	}
	if (!e->lost) {
		e->lost_ms = clock_mono_ms();
		e->lost = true;
		later_run(e->sm, patience_ms(e), check_later, e->sm);
	}
}

struct edge *edge_get(struct sm *sm, uint64_t instance)
{
	struct edge *e = edge_find(sm, instance);

	if (e)
		return e;
	e = mem_new(struct edge);
	e->sm = sm;
	e->instance = instance;
	list_init(&e->sessions);
	list_init(&e->dirty);
	list_init(&e->progress);
	list_init(&e->backlog);
	table_insert(&sm->edges, &e->by_instance, table_hash_u64(instance));
	check(e);
	return e;
}

static void held_free(struct held *h)
{
	list_remove(&h->node);
	parcel_free(&h->parcel);
	mem_free(h);
}

static void edge_free(struct edge *e)
{
	list_for_each_safe (n, &e->backlog)
		held_free(list_entry(n, struct held, node));
	if (!list_unlinked(&e->dirty))
		list_remove(&e->dirty);
	table_remove(&e->sm->edges, &e->by_instance);
	mem_free(e->strangers);
	mem_free(e);
}

void edge_drop_if_unused(struct sm *sm, struct edge *e)
{
	(void)sm;
	if (list_empty(&e->sessions) && list_empty(&e->backlog) && list_unlinked(&e->dirty) && !e->retrying && !e->ending)
		edge_free(e);
}

static void mark(struct edge *e)
{
	if (list_unlinked(&e->dirty))
		list_push_back(&e->sm->dirty_edges, &e->dirty);
	sm_turn_soon(e->sm);
}

void edge_progress(struct session *s)
{
	if (list_unlinked(&s->progress))
		list_push_back(&s->edge->progress, &s->progress);
	mark(s->edge);
}

void edge_not_owner(struct sm *sm, uint64_t instance, uint64_t stream)
{
	struct edge *e = edge_get(sm, instance);

	for (uint32_t i = 0; i < e->stranger_count; i++) {
		if (e->strangers[i] == stream)
			return;
	}
	if (e->stranger_count == e->stranger_cap) {
		e->stranger_cap = e->stranger_cap ? e->stranger_cap * 2 : 8;
		e->strangers = mem_realloc(e->strangers, e->stranger_cap * sizeof(*e->strangers));
	}
	e->strangers[e->stranger_count++] = stream;
	mark(e);
}

static void send_progress(struct edge *e)
{
	Starling__Progress items[PROGRESS_MAX], *pointers[PROGRESS_MAX];
	Starling__AcceptedEvent event = STARLING__ACCEPTED_EVENT__INIT;

	while (!list_empty(&e->progress)) {
		size_t n = 0;

		while (n < PROGRESS_MAX && !list_empty(&e->progress)) {
			struct session *s = list_entry(e->progress.next, struct session, progress);

			list_remove(&s->progress);
			starling__progress__init(&items[n]);
			items[n].stream = s->stream;
			items[n].accepted = s->window.accepted;
			pointers[n] = &items[n];
			n++;
		}
		event.progress = pointers;
		event.n_progress = n;
		/* May be lost with the edge; a full queue says it again with the next stanza's acceptance or the edge's resend. */
		send_edge_accepted(e->sm->bus, ipc_instance(e->instance), NULL, &event);
	}
}

static void send_strangers(struct edge *e)
{
	Starling__NotOwnerEvent event = STARLING__NOT_OWNER_EVENT__INIT;

	if (e->stranger_count == 0)
		return;
	event.streams = e->strangers;
	event.n_streams = e->stranger_count;
	send_edge_not_owner(e->sm->bus, ipc_instance(e->instance), NULL, &event);
	e->stranger_count = 0;
}

void edge_flush_all(struct sm *sm)
{
	while (!list_empty(&sm->dirty_edges)) {
		struct edge *e = list_entry(sm->dirty_edges.next, struct edge, dirty);

		list_remove(&e->dirty);
		send_progress(e);
		send_strangers(e);
		edge_drop_if_unused(sm, e);
	}
}

static int deliver_now(struct edge *e, const uint64_t *streams, uint32_t count, const struct packet *p, uint64_t delivery)
{
	Starling__DeliverEvent event = STARLING__DELIVER_EVENT__INIT;
	struct ipc_opts opts = { .trace = p->trace, .payload = p->bytes };

	event.streams = (uint64_t *)streams;
	event.n_streams = count;
	event.meta = (Starling__StanzaMeta *)p->meta;
	event.extra = (ProtobufCBinaryData){ p->extra.n, (uint8_t *)p->extra.p };
	event.delivery = delivery;
	return send_edge_deliver(e->sm->bus, ipc_instance(e->instance), &opts, &event);
}

static void retry(void *ctx)
{
	struct edge *e = ctx;

	e->retrying = false;
	while (!list_empty(&e->backlog)) {
		struct held *h = list_entry(e->backlog.next, struct held, node);

		if (!e->sm->stopping && deliver_now(e, h->streams, h->count, &h->parcel->packet, h->delivery) == IPC_FULL) {
			e->retrying = true;
			later_run(e->sm, RETRY_MS, retry, e);
			return;
		}
		held_free(h);
	}
	edge_drop_if_unused(e->sm, e);
}

bool edge_deliver(struct edge *e, const uint64_t *streams, uint32_t count, const struct packet *p, uint64_t delivery)
{
	struct held *h;
	int sent = list_empty(&e->backlog) ? deliver_now(e, streams, count, p, delivery) : IPC_FULL;

	if (sent == IPC_SENT) {
		metric_add(&counters.deliveries, count);
		return true;
	}
	if (sent == IPC_NOBODY)
		return false;
	h = mem_alloc(sizeof(*h) + count * sizeof(uint64_t));
	list_init(&h->node);
	h->parcel = parcel_new(e->sm, p);
	h->delivery = delivery;
	h->count = count;
	memcpy(h->streams, streams, count * sizeof(uint64_t));
	list_push_back(&e->backlog, &h->node);
	if (!e->retrying) {
		e->retrying = true;
		later_run(e->sm, RETRY_MS, retry, e);
	}
	metric_add(&counters.deliveries, count);
	return true;
}

void edge_end(struct session *s, const char *condition, const char *text)
{
	Starling__EndEvent event = STARLING__END_EVENT__INIT;

	event.stream = s->stream;
	event.condition = (char *)condition;
	event.text = (char *)text;
	send_edge_end(s->account->sm->bus, ipc_instance(s->edge->instance), NULL, &event);
}

struct gone {
	struct edge *edges[64];
	uint32_t count;
	uint64_t now;
};

static void collect_gone(struct table_node *n, void *ctx)
{
	struct edge *e = table_entry(n, struct edge, by_instance);
	struct gone *g = ctx;

	check(e);
	if (e->lost && g->now - e->lost_ms >= patience_ms(e) && g->count < 64)
		g->edges[g->count++] = e;
}

/* All sessions of a dead edge become unavailable in one pass. */
static void end_sessions_of(struct edge *e)
{
	e->ending = true;
	log_info(&e->sm->log, "edge %016llx is gone: its sessions end", (unsigned long long)e->instance);
	while (!list_empty(&e->sessions))
		session_end(list_entry(e->sessions.next, struct session, of_edge), SESSION_END_LOST, NULL);
	e->ending = false;
	edge_drop_if_unused(e->sm, e);
}

void edge_check_all(struct sm *sm)
{
	struct gone g = { .now = clock_mono_ms() };

	table_each(&sm->edges, collect_gone, &g);
	for (uint32_t i = 0; i < g.count; i++)
		end_sessions_of(g.edges[i]);
}

static void check_later(void *ctx)
{
	struct sm *sm = ctx;

	if (!sm->stopping)
		edge_check_all(sm);
}

static void fini_one(struct table_node *n, void *ctx)
{
	(void)ctx;
	edge_free(table_entry(n, struct edge, by_instance));
}

void edge_fini_all(struct sm *sm)
{
	table_each(&sm->edges, fini_one, NULL);
}
