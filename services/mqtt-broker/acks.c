/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/acks.h"

#include "common/base/mem.h"

#define KEPT 16u /* so small a ring is not given back between two packets */

void mq_acks_fini(struct mq_acks *a)
{
	mem_free(a->ring);
	a->ring = NULL;
}

static struct mq_acks_ring *grow(struct mq_acks *a)
{
	struct mq_acks_ring *old = a->ring;
	uint32_t cap = old ? old->cap * 2 : KEPT;
	struct mq_acks_ring *r = mem_alloc(sizeof(*r) + cap * sizeof(r->items[0]));

	*r = (struct mq_acks_ring){ .cap = cap };
	if (old) {
		r->first = old->first;
		r->next = old->next;
		for (uint64_t n = r->first; n < r->next; n++)
			r->items[n & (cap - 1)] = old->items[n & (old->cap - 1)];
		mem_free(old);
	}
	a->ring = r;
	return r;
}

uint64_t mq_acks_push(struct mq_acks *a, unsigned type, uint16_t packet_id)
{
	struct mq_acks_ring *r = a->ring;

	if (!r || r->next - r->first == r->cap)
		r = grow(a);
	r->items[r->next & (r->cap - 1)] = (struct mq_ack){ .packet_id = packet_id, .type = (uint8_t)type };
	return r->next++;
}

void mq_acks_done(struct mq_acks *a, uint64_t number, unsigned reason)
{
	struct mq_ack *ack = &a->ring->items[number & (a->ring->cap - 1)];

	ack->reason = (uint8_t)reason;
	ack->done = true;
}

bool mq_acks_next(struct mq_acks *a, struct mq_ack *out)
{
	struct mq_acks_ring *r = a->ring;

	if (!r || r->first == r->next || !r->items[r->first & (r->cap - 1)].done)
		return false;
	*out = r->items[r->first++ & (r->cap - 1)];
	if (r->first == r->next && r->cap > KEPT)
		mq_acks_fini(a);
	return true;
}
