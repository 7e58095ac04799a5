/* SPDX-License-Identifier: Apache-2.0
 *
 * arrival: a session that was another broker's, until all others have heard of it. A peer that has heard of it holds back what comes behind messages of the same
 * publisher that may still wait where the session was (ghost.c, spread.c); what one passes that has not goes past them: with QoS 1 and 2 it waits here, and is then
 * matched anew, by the peer and in its publisher's order. */
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/several.h"

struct mq_arrival {
	struct list_node node; /* of the broker's, by rising version */
	struct mq_session *session;
	uint64_t version; /* of its last filter (filters.c) */
	struct mq_waits waits;
};

void mq_arrival_begin(struct mq_session *s)
{
	if (s->lasting->arrival || s->tenant->broker->several->peer_n == 0)
		return;
	s->lasting->arrival = mem_new(struct mq_arrival);
	s->lasting->arrival->session = s;
	list_init(&s->lasting->arrival->node);
}

void mq_arrival_ready(struct mq_session *s)
{
	struct mq_broker *b = s->tenant->broker;
	struct mq_arrival *a = s->lasting->arrival;

	if (!a)
		return;
	a->version = b->several->version;
	list_push_back(&b->several->arrivals, &a->node);
	mq_several_look(b);
}

bool mq_arrival_wait(struct mq_session *s, const struct mq_publication *p, struct mq_wait *wait)
{
	struct mq_arrival *a = s->lasting ? s->lasting->arrival : NULL;

	if (!a || !wait || !p->by || p->by->told >= a->version)
		return false;
	mq_waits_add(&a->waits, wait);
	return true;
}

void mq_arrival_end(struct mq_arrival **out)
{
	struct mq_arrival *a = *out;

	*out = NULL;
	if (!a)
		return;
	list_remove(&a->node);
	mq_waits_moved(&a->waits);
	mem_free(a);
}

void mq_arrivals_told(struct mq_broker *b, uint64_t told)
{
	struct list_node *all = &b->several->arrivals;

	while (!list_empty(all) && list_entry(all->next, struct mq_arrival, node)->version <= told) {
		struct mq_arrival *a = list_entry(all->next, struct mq_arrival, node);

		mq_arrival_end(&a->session->lasting->arrival);
	}
}
