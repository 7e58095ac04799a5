/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/outbox.h"

#include "common/base/mem.h"

#define COUNT_MAX 4096u

static struct mq_item *at(const struct mq_outbox *o, uint32_t i)
{
	return &o->items[(o->head + i) & (o->cap - 1)];
}

static void clear(struct mq_outbox *o, struct mq_item *item)
{
	if (item->message)
		o->bytes -= mq_message_bytes(item->message);
	mq_message_unref(&item->message);
	mem_free(item->ids);
	item->ids = NULL;
}

/* An empty ring holds no memory. */
static void release(struct mq_outbox *o)
{
	if (o->count > 0)
		return;
	mem_free(o->items);
	o->items = NULL;
	o->cap = o->head = 0;
}

static void drop_last(struct mq_outbox *o)
{
	clear(o, at(o, --o->count));
}

void mq_outbox_fini(struct mq_outbox *o)
{
	while (o->count > 0)
		drop_last(o);
	release(o);
}

void mq_outbox_rewind(struct mq_outbox *o)
{
	mq_outbox_fini(o);
	o->read_to = 0;
	o->behind = true;
}

static struct mq_item *append(struct mq_outbox *o)
{
	if (o->count == o->cap) {
		uint32_t cap = o->cap ? o->cap * 2 : 8;
		struct mq_item *items = mem_alloc(cap * sizeof(*items));

		for (uint32_t i = 0; i < o->count; i++)
			items[i] = *at(o, i);
		mem_free(o->items);
		o->items = items;
		o->cap = cap;
		o->head = 0;
	}
	return at(o, o->count++);
}

static void put(struct mq_outbox *o, uint64_t seq, enum mq_item_state state, struct mq_message *message, const struct mqtt_delivery *d)
{
	struct mq_item item = { .seq = seq, .message = message, .id = d->subscription_id_count, .state = (uint8_t)state, .qos = d->qos };

	item.retain = d->retain;
	if (item.id == 1)
		item.id = d->subscription_ids[0];
	else if (item.id > 1)
		item.ids = mem_memdup(d->subscription_ids, item.id * sizeof(uint32_t));
	*append(o) = item;
	o->bytes += message ? mq_message_bytes(message) : 0;
	o->read_to = seq;
}

void mq_outbox_push(struct mq_outbox *o, uint64_t seq, struct mq_message *message, const struct mqtt_delivery *d, uint64_t bytes_max)
{
	if (!o->behind && (o->count >= COUNT_MAX || o->bytes >= bytes_max))
		o->behind = true;
	if (!o->behind)
		put(o, seq, MQ_ITEM_PENDING, mq_message_ref(message), d);
}

void mq_outbox_add(struct mq_outbox *o, uint64_t seq, struct mq_message *message, const struct mqtt_delivery *d)
{
	put(o, seq, message ? MQ_ITEM_READY : MQ_ITEM_RELEASE, message, d);
}

void mq_outbox_read(struct mq_outbox *o, uint64_t seq)
{
	if (seq > o->read_to)
		o->read_to = seq;
	o->behind = o->read_to + 1 < o->next_seq;
}

/* The first in the ring that is not below seq; count: none. */
static uint32_t find(const struct mq_outbox *o, uint64_t seq)
{
	uint32_t low = 0, high = o->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (at(o, mid)->seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void mq_outbox_settle(struct mq_outbox *o, uint64_t seq, enum mq_item_state state)
{
	uint32_t i = find(o, seq);

	if (i < o->count && at(o, i)->seq == seq && at(o, i)->state == MQ_ITEM_PENDING)
		at(o, i)->state = (uint8_t)state;
}

void mq_outbox_doubt(struct mq_outbox *o, uint64_t seq)
{
	uint32_t keep = find(o, seq);

	/* Beyond what was read: it is read in its turn anyway. */
	if (seq > o->read_to)
		return;
	while (o->count > keep)
		drop_last(o);
	release(o);
	o->read_to = seq - 1;
	o->behind = true;
}

uint64_t mq_outbox_drop(struct mq_outbox *o, uint64_t after)
{
	uint32_t i = find(o, after + 1);
	struct mq_item *item;

	while (i < o->count && at(o, i)->state == MQ_ITEM_VOID)
		i++;
	if (i == o->count || at(o, i)->state != MQ_ITEM_READY)
		return 0;
	item = at(o, i);
	clear(o, item);
	item->state = MQ_ITEM_VOID;
	return item->seq;
}

const struct mq_item *mq_outbox_first(struct mq_outbox *o, struct mqtt_delivery *out)
{
	struct mq_item *item;

	while (o->count > 0 && at(o, 0)->state == MQ_ITEM_VOID)
		mq_outbox_pop(o);
	if (o->count == 0 || at(o, 0)->state == MQ_ITEM_PENDING)
		return NULL;
	item = at(o, 0);
	out->qos = item->qos;
	out->retain = item->retain;
	out->subscription_ids = item->ids ? item->ids : &item->id;
	out->subscription_id_count = item->ids ? item->id : item->id != 0;
	return item;
}

void mq_outbox_pop(struct mq_outbox *o)
{
	clear(o, at(o, 0));
	o->head = (o->head + 1) & (o->cap - 1);
	o->count--;
	release(o);
}
