/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/acks.h"

#include "common/base/mem.h"

#define KEPT 16u /* so small a ring is not given back between two packets */

void mq_acks_fini(struct mq_acks *a)
{
	mem_free(a->items);
	*a = (struct mq_acks){ 0 };
}

uint64_t mq_acks_push(struct mq_acks *a, unsigned type, uint16_t packet_id)
{
	if (mq_acks_count(a) == a->cap) {
		uint32_t cap = a->cap ? a->cap * 2 : KEPT;
		struct mq_ack *items = mem_alloc(cap * sizeof(*items));

		for (uint64_t n = a->first; n < a->next; n++)
			items[n & (cap - 1)] = a->items[n & (a->cap - 1)];
		mem_free(a->items);
		a->items = items;
		a->cap = cap;
	}
	a->items[a->next & (a->cap - 1)] = (struct mq_ack){ .packet_id = packet_id, .type = (uint8_t)type };
	return a->next++;
}

void mq_acks_done(struct mq_acks *a, uint64_t number, unsigned reason)
{
	struct mq_ack *ack = &a->items[number & (a->cap - 1)];

	ack->reason = (uint8_t)reason;
	ack->done = true;
}

bool mq_acks_next(struct mq_acks *a, struct mq_ack *out)
{
	if (a->first == a->next || !a->items[a->first & (a->cap - 1)].done)
		return false;
	*out = a->items[a->first++ & (a->cap - 1)];
	if (a->first == a->next && a->cap > KEPT) {
		mem_free(a->items);
		a->items = NULL;
		a->cap = 0;
	}
	return true;
}
