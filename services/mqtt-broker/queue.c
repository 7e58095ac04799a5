/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/queue.h"

#include "common/base/mem.h"

void mq_queue_fini(struct mq_queue *q)
{
	while (q->ring)
		mq_queue_pop(q);
}

static struct mq_queue_ring *grow(struct mq_queue *q)
{
	struct mq_queue_ring *old = q->ring;
	uint32_t cap = old ? old->cap * 2 : 8;
	struct mq_queue_ring *r = mem_alloc(sizeof(*r) + cap * sizeof(r->items[0]));

	*r = (struct mq_queue_ring){ .cap = cap };
	if (old) {
		r->bytes = old->bytes;
		r->count = old->count;
		for (uint32_t i = 0; i < old->count; i++)
			r->items[i] = old->items[(old->head + i) & (old->cap - 1)];
		mem_free(old);
	}
	q->ring = r;
	return r;
}

void mq_queue_push(struct mq_queue *q, struct mq_message *message, const struct mqtt_delivery *d)
{
	struct mq_queued item = { .message = message, .qos = d->qos, .retain = d->retain, .id = d->subscription_id_count };
	struct mq_queue_ring *r = q->ring;

	if (!r || r->count == r->cap)
		r = grow(q);
	if (item.id == 1)
		item.id = d->subscription_ids[0];
	else if (item.id > 1)
		item.ids = mem_memdup(d->subscription_ids, item.id * sizeof(uint32_t));
	r->items[(r->head + r->count++) & (r->cap - 1)] = item;
	r->bytes += mq_message_bytes(message);
}

const struct mq_queued *mq_queue_first(const struct mq_queue *q, struct mqtt_delivery *out)
{
	const struct mq_queued *item;

	if (!q->ring)
		return NULL;
	item = &q->ring->items[q->ring->head];
	out->qos = item->qos;
	out->retain = item->retain;
	out->subscription_ids = item->ids ? item->ids : &item->id;
	out->subscription_id_count = item->ids ? item->id : item->id != 0;
	return item;
}

void mq_queue_pop(struct mq_queue *q)
{
	struct mq_queue_ring *r = q->ring;
	struct mq_queued *item = &r->items[r->head];

	r->bytes -= mq_message_bytes(item->message);
	mq_message_unref(&item->message);
	mem_free(item->ids);
	r->head = (r->head + 1) & (r->cap - 1);
	if (--r->count > 0)
		return;
	mem_free(r);
	q->ring = NULL;
}
