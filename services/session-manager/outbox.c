/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/outbox.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "services/session-manager/account.h"
#include "services/session-manager/catchup.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/kept.h"
#include "services/session-manager/later.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/outbox_read.h"
#include "services/session-manager/route.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_end.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"

/* What a client may leave unacknowledged before its session ends; nothing of the log is lost by that. */
#define ENTRIES_MAX 20000u
#define BYTES_MAX   (4u << 20)

/* --- a list that grew too long --- */

struct overfull {
	struct sm *sm;
	uint64_t stream;
};

static void end_overfull(void *ctx)
{
	struct overfull *o = ctx;
	struct session *s = o->sm->stopping ? NULL : session_find(o->sm, o->stream);

	if (s)
		session_end(s, SESSION_END_KICKED, "Too much is unacknowledged");
	mem_free(o);
}

static void check_length(struct session *s)
{
	struct overfull *o;

	if (s->overfull || (s->list.count <= ENTRIES_MAX && s->list.bytes <= BYTES_MAX))
		return;
	s->overfull = true;
	o = mem_new(struct overfull);
	o->sm = s->account->sm;
	o->stream = s->stream;
	later_run(o->sm, 0, end_overfull, o);
}

/* --- giving --- */

static bool goes_now(const struct session *s)
{
	return session_live(s) && !s->edge->lost && !unacked_waiting(&s->list);
}

struct giving {
	const struct packet *p;
	struct kept *copy; /* made when the first list wants it */
	uint64_t log_id;
	uint32_t form;
	uint32_t reached;
};

static void put_on_list(struct giving *g, struct session *s, bool sent)
{
	struct kept *copy = NULL;

	g->reached++;
	if (g->log_id > s->given)
		s->given = g->log_id;
	/* Without counts from the edge nothing would ever take it off again. */
	if (sent && !s->edge->counts)
		return;
	if (!g->log_id) {
		if (!g->copy)
			g->copy = kept_new(g->p);
		copy = kept_ref(g->copy);
	}
	unacked_push(&s->list, g->log_id, g->form, copy, sent);
	check_length(s);
}

static void give_to_edge(struct giving *g, struct session *const *group, const uint64_t *streams, uint32_t count)
{
	struct edge *e = group[0]->edge;
	int code = edge_deliver(e, streams, count, g->p, g->log_id, g->form);

	if (code == IPC_NOBODY)
		e->lost = true;
	for (uint32_t i = 0; i < count; i++) {
		if (code == IPC_NOBODY && !group[i]->managed)
			continue;
		put_on_list(g, group[i], code == IPC_SENT);
		if (code == IPC_FULL)
			edge_wait(group[i]);
	}
}

uint32_t outbox_give(struct session *const *to, uint32_t count, const struct packet *p, uint64_t log_id, uint32_t form)
{
	struct giving g = { .p = p, .log_id = log_id, .form = form };
	struct session *group[OUTBOX_TARGETS];
	uint64_t streams[OUTBOX_TARGETS], done = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t n = 0;

		if (done & 1ULL << i)
			continue;
		if (!goes_now(to[i])) {
			put_on_list(&g, to[i], false);
			continue;
		}
		for (uint32_t k = i; k < count; k++) {
			if (done & 1ULL << k || to[k]->edge != to[i]->edge || !goes_now(to[k]))
				continue;
			done |= 1ULL << k;
			group[n] = to[k];
			streams[n++] = to[k]->stream;
		}
		give_to_edge(&g, group, streams, n);
	}
	kept_unref(g.copy);
	return g.reached;
}

/* --- sending what waits --- */

void outbox_pump(struct session *s)
{
	while (unacked_waiting(&s->list) && session_live(s) && !s->edge->lost && !s->reading) {
		const struct unacked_entry *e = unacked_at(&s->list, s->list.sent);

		if (!e->copy && e->log_id) {
			outbox_read(s);
			return;
		}
		if (!e->copy)
			unacked_skip(&s->list);
		else if (!outbox_send(s, &e->copy->packet, 0, (uint32_t)e->form))
			return;
	}
	if (!unacked_waiting(&s->list))
		catchup_go_on(s);
}

bool outbox_send(struct session *s, const struct packet *p, uint64_t log_id, uint32_t form)
{
	int code = edge_deliver(s->edge, &s->stream, 1, p, log_id, form);

	if (code == IPC_SENT) {
		s->list.sent++;
		if (!s->edge->counts)
			unacked_ack(&s->list, unacked_sent(&s->list), NULL, NULL);
		return true;
	}
	if (code == IPC_NOBODY)
		s->edge->lost = true;
	else
		edge_wait(s);
	return false;
}

/* --- acknowledgements --- */

static bool is_own(uint32_t form)
{
	return form == FORM(PLAIN) || form == FORM(DELAYED);
}

static void on_acked(const struct unacked_entry *e, void *ctx)
{
	struct session *s = ctx;

	if (!e->log_id)
		return;
	if (e->log_id > s->cursor)
		s->cursor = e->log_id;
	if (is_own((uint32_t)e->form))
		msglog_acked(s->account, e->log_id);
}

void outbox_acked(struct session *s, uint64_t number)
{
	if (number <= s->list.acked)
		return;
	unacked_ack(&s->list, number, on_acked, s);
	session_save_later(s);
	catchup_go_on(s);
}

/* --- the end --- */

struct abandoned {
	struct account *account;
	struct kept *again[OUTBOX_TARGETS * 4]; /* stanzas that others may still get, or senders hear of */
	uint32_t count;
};

static bool worth_another_try(const struct kept *k)
{
	const Starling__StanzaMeta *m = k->packet.meta;

	if (m->kind == KIND_MESSAGE)
		return m->type != TYPE_ERROR && m->type != TYPE_HEADLINE;
	return m->kind == KIND_IQ && (m->type == TYPE_GET || m->type == TYPE_SET);
}

static void on_abandoned(const struct unacked_entry *e, void *ctx)
{
	struct abandoned *b = ctx;

	if (e->log_id && is_own((uint32_t)e->form) && !msglog_on_list(b->account, e->log_id))
		msglog_orphan(b->account, e->log_id);
	if (e->copy && worth_another_try(e->copy) && b->count < sizeof(b->again) / sizeof(b->again[0]))
		b->again[b->count++] = kept_ref(e->copy);
}

void outbox_abandon(struct account *a, struct unacked *rest)
{
	struct abandoned b = { .account = a };

	unacked_clear(rest, on_abandoned, &b);
	if (a->dead)
		return;
	catchup_left(a);
	for (uint32_t i = 0; i < b.count; i++) {
		struct packet p = b.again[i]->packet;

		p.hops++;
		if (p.meta->to[0])
			route_packet(a->sm, &p);
		kept_unref(b.again[i]);
	}
}
