/* SPDX-License-Identifier: Apache-2.0
 *
 * ghost: what is left here of a session that was let go for another broker: its filters. Until the other one has told them to all, a message may still come here
 * for it, and nowhere else: with QoS 1 and 2 it waits, and is then matched anew. Of one that nothing more is heard of, the store is asked whose it is. */
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define OVERDUE_MS 4000u
#define AGAIN_MS   12000u /* whoever has it has heard so from the store by then: a call's deadline (wire.c), and asking again */

struct mq_ghost *mq_ghost_find(struct mq_tenant *t, struct str id)
{
	list_for_each (n, &t->broker->several->ghosts) {
		struct mq_ghost *g = list_entry(n, struct mq_ghost, node);

		if (g->session->tenant == t && str_eq(g->session->id, id))
			return g;
	}
	return NULL;
}

/* Whoever was to have it may have lost sight of us, or of its client. */
static void on_overdue(struct wheel_timer *t)
{
	struct mq_ghost *g = list_entry(t, struct mq_ghost, overdue);
	struct mq_session *s = g->session;
	char *name = mq_wire_name(s->tenant, s->id);

	mq_adopt_name(s->tenant->broker, name);
	mem_free(name);
}

void mq_ghost_elsewhere(struct mq_ghost *g)
{
	struct mq_broker *b = g->session->tenant->broker;

	if (!g->asked) {
		g->asked = true;
		net_timer_set(b->net, &g->overdue, AGAIN_MS);
		return;
	}
	mq_peers_doubt(b);
	mq_ghost_settle(g);
}

void mq_ghost_new(struct mq_session *s, uint64_t claimant, int64_t since_us)
{
	struct mq_ghost *g, *before = mq_ghost_find(s->tenant, s->id);

	if (before)
		mq_ghost_settle(before);
	g = mem_new(struct mq_ghost);
	g->session = mq_session_ref(s);
	g->claimant = claimant;
	g->since_us = since_us;
	s->ghost = g;
	wheel_timer_init(&g->overdue, on_overdue);
	net_timer_set(s->tenant->broker->net, &g->overdue, OVERDUE_MS);
	list_push_back(&s->tenant->broker->several->ghosts, &g->node);
	mq_session_leave(s);
	mq_several_count(s->tenant->broker);
}

void mq_ghost_wait(struct mq_ghost *g, struct mq_wait *wait)
{
	if (wait)
		mq_waits_add(&g->waits, wait);
}

void mq_ghost_settle(struct mq_ghost *g)
{
	struct mq_session *s = g->session;
	struct mq_broker *b = s->tenant->broker;

	list_remove(&g->node);
	net_timer_cancel(b->net, &g->overdue);
	s->ghost = NULL;
	mq_subs_remove_all(s);
	mq_waits_moved(&g->waits);
	mem_free(g);
	mq_session_unref(&s);
	mq_several_count(b);
}

void mq_settle_names(struct mq_broker *b, char **names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct str id;
		struct mq_tenant *t = mq_wire_tenant(b, str_from(names[i]), &id);
		struct mq_ghost *g = t ? mq_ghost_find(t, id) : NULL;

		if (g)
			mq_ghost_settle(g);
	}
}

void mq_ghosts_settle_lost(struct mq_broker *b)
{
	list_for_each_safe (n, &b->several->ghosts) {
		struct mq_ghost *g = list_entry(n, struct mq_ghost, node);

		if (!mq_peer_find(b, g->claimant))
			mq_ghost_settle(g);
	}
}
