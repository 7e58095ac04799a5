/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/queue.h"

#include "common/base/mem.h"

void mq_queue_fini(struct mq_queue *q)
{
	while (q->count > 0)
		mq_queue_pop(q);
	mem_free(q->items);
	*q = (struct mq_queue){ 0 };
}

static void grow(struct mq_queue *q)
{
	uint32_t cap = q->cap ? q->cap * 2 : 8;
	struct mq_queued *items = mem_alloc(cap * sizeof(*items));

	for (uint32_t i = 0; i < q->count; i++)
		items[i] = q->items[(q->head + i) & (q->cap - 1)];
	mem_free(q->items);
	q->items = items;
	q->cap = cap;
	q->head = 0;
}

void mq_queue_push(struct mq_queue *q, struct mq_message *message, const struct mqtt_delivery *d)
{
	struct mq_queued item = { .message = message, .qos = d->qos, .retain = d->retain, .id = d->subscription_id_count };

	if (q->count == q->cap)
		grow(q);
	if (item.id == 1)
		item.id = d->subscription_ids[0];
	else if (item.id > 1)
		item.ids = mem_memdup(d->subscription_ids, item.id * sizeof(uint32_t));
	q->items[(q->head + q->count++) & (q->cap - 1)] = item;
	q->bytes += mq_message_bytes(message);
}

const struct mq_queued *mq_queue_first(const struct mq_queue *q, struct mqtt_delivery *out)
{
	const struct mq_queued *item;

	if (q->count == 0)
		return NULL;
	item = &q->items[q->head];
	out->qos = item->qos;
	out->retain = item->retain;
	out->subscription_ids = item->ids ? item->ids : &item->id;
	out->subscription_id_count = item->ids ? item->id : item->id != 0;
	return item;
}

/* An empty queue holds no memory. */
void mq_queue_pop(struct mq_queue *q)
{
	struct mq_queued *item = &q->items[q->head];

	q->bytes -= mq_message_bytes(item->message);
	mq_message_unref(&item->message);
	mem_free(item->ids);
	q->head = (q->head + 1) & (q->cap - 1);
	if (--q->count > 0)
		return;
	mem_free(q->items);
	*q = (struct mq_queue){ 0 };
}
