/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/edge.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/edge.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/later.h"
#include "services/session-manager/outbox.h"
#include "services/session-manager/park.h"
#include "services/session-manager/peer_version.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_end.h"
#include "services/session-manager/sm.h"

/* A directory needs a moment to fill after start: an instance missing from it is not taken for dead before. */
#define SETTLE_MS    2000
#define RETRY_MS     20
#define PROGRESS_MAX 256
#define REMEMBER_MAX 65536u
/* Edges that know Remember report Acked. */
#define COUNTS_VERSION (METHOD_EDGE_REMEMBER & 0xff)

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
		e->lost = e->swept = false;
		e->seen = true;
		e->counts = peer_version(ipc_bus_find(e->sm->bus, e->instance), STARLING__INTERFACE__INTERFACE_EDGE) >= COUNTS_VERSION;
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
	list_init(&e->behind);
	table_insert(&sm->edges, &e->by_instance, table_hash_u64(instance));
	check(e);
	return e;
}

static void edge_free(struct edge *e)
{
	if (!list_unlinked(&e->dirty))
		list_remove(&e->dirty);
	table_remove(&e->sm->edges, &e->by_instance);
	mem_free(e->strangers);
	mem_free(e);
}

void edge_drop_if_unused(struct sm *sm, struct edge *e)
{
	(void)sm;
	if (list_empty(&e->sessions) && list_unlinked(&e->dirty) && !e->retrying && !e->ending)
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
			items[n].accepted = session_accepted(s);
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

int edge_deliver(struct edge *e, const uint64_t *streams, uint32_t count, const struct packet *p, uint64_t log_id, uint32_t form)
{
	Starling__DeliverEvent event = STARLING__DELIVER_EVENT__INIT;
	struct ipc_opts opts = { .trace = p->trace, .payload = p->bytes };
	int sent;

	event.streams = (uint64_t *)streams;
	event.n_streams = count;
	event.meta = (Starling__StanzaMeta *)p->meta;
	event.extra = (ProtobufCBinaryData){ p->extra.n, (uint8_t *)p->extra.p };
	event.log_id = log_id;
	event.form = (Starling__DeliverForm)form;
	event.delivery = e->counts ? 0 : log_id;
	sent = send_edge_deliver(e->sm->bus, ipc_instance(e->instance), &opts, &event);
	if (sent == IPC_SENT)
		metric_add(&counters.deliveries, count);
	return sent;
}

static void retry(void *ctx)
{
	struct edge *e = ctx;
	struct list_node now;

	e->retrying = false;
	list_take(&e->behind, &now);
	/* Those that still do not get through come back into the list, behind a new timer. */
	while (!list_empty(&now)) {
		struct session *s = list_entry(now.next, struct session, behind);

		list_remove(&s->behind);
		if (!e->sm->stopping)
			outbox_pump(s);
	}
	edge_drop_if_unused(e->sm, e);
}

void edge_wait(struct session *s)
{
	struct edge *e = s->edge;

	if (list_unlinked(&s->behind))
		list_push_back(&e->behind, &s->behind);
	if (e->retrying || e->sm->stopping)
		return;
	e->retrying = true;
	later_run(e->sm, RETRY_MS, retry, e);
}

void edge_end(struct session *s, const char *condition, const char *text)
{
	Starling__EndEvent event = STARLING__END_EVENT__INIT;

	event.stream = s->stream;
	event.condition = (char *)condition;
	event.text = (char *)text;
	send_edge_end(s->account->sm->bus, ipc_instance(s->edge->instance), NULL, &event);
}

void edge_moved(struct sm *sm, uint64_t instance, uint64_t stream)
{
	Starling__EndEvent event = STARLING__END_EVENT__INIT;

	event.stream = stream;
	event.condition = (char *)"conflict";
	event.text = (char *)"resumed elsewhere";
	event.moved = true;
	send_edge_end(sm->bus, ipc_instance(instance), NULL, &event);
}

void edge_remember(struct session *s, struct str record)
{
	Starling__RememberEvent event = STARLING__REMEMBER_EVENT__INIT;

	if (!s->edge->counts || record.n > REMEMBER_MAX)
		return;
	event.stream = s->stream;
	event.record = (ProtobufCBinaryData){ record.n, (uint8_t *)record.p };
	send_edge_remember(s->account->sm->bus, ipc_instance(s->edge->instance), NULL, &event);
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
	if (e->lost && !e->swept && g->now - e->lost_ms >= patience_ms(e) && g->count < 64)
		g->edges[g->count++] = e;
}

/* Sessions of a dead edge become unavailable in one pass; those that can be resumed are parked, and keep the edge's object. */
static void end_sessions_of(struct edge *e)
{
	struct list_node all;
	uint32_t ended = 0, parked = 0;

	e->ending = e->swept = true;
	list_take(&e->sessions, &all);
	while (!list_empty(&all)) {
		struct session *s = list_entry(all.next, struct session, of_edge);

		list_remove(&s->of_edge);
		list_push_back(&e->sessions, &s->of_edge);
		if (s->parked)
			continue;
		parked += s->managed;
		ended += !s->managed;
		park_or_end(s);
	}
	e->ending = false;
	if (ended + parked)
		log_info(&e->sm->log, "edge %016llx is gone: %u sessions end, %u wait to be resumed", (unsigned long long)e->instance,
		         ended, parked);
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
