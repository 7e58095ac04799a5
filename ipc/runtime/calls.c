/* SPDX-License-Identifier: Apache-2.0
 *
 * calls: a slab of places and a wheel of deadlines. A call's id holds its place, so that an answer is found without hashing, and a
 * sequence number, so that an answer to an earlier call at the same place is not taken for this one's. */
#include "ipc/runtime/calls.h"

#include "common/base/mem.h"

#define PLACE_BITS 24u
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)

void calls_init(struct calls *c)
{
	*c = (struct calls){ 0 };
	for (uint32_t i = 0; i < CALLS_BUCKETS; i++)
		list_init(&c->buckets[i]);
	list_init(&c->failed);
}

void calls_fini(struct calls *c)
{
	for (uint32_t i = 0; i < c->cap; i++)
		mem_free(c->slab[i]);
	mem_free(c->slab);
	*c = (struct calls){ 0 };
}

static void grow(struct calls *c)
{
	uint32_t cap = c->cap ? c->cap * 2 : 64;

	c->slab = mem_realloc(c->slab, cap * sizeof(struct call *));
	for (uint32_t i = cap; i-- > c->cap;) {
		struct call *call = mem_new(struct call);

		list_init(&call->due);
		list_init(&call->peer);
		call->place = i;
		call->next_free = c->free;
		c->free = i + 1;
		c->slab[i] = call;
	}
	c->cap = cap;
}

static struct list_node *bucket(struct calls *c, uint64_t deadline_ms)
{
	return &c->buckets[deadline_ms / CALLS_BUCKET_MS % CALLS_BUCKETS];
}

struct call *calls_open(struct calls *c, const struct ipc_method *method, uint32_t number, ipc_done_fn done, void *ctx, uint64_t now_ms,
                        uint64_t deadline_ms)
{
	struct call *call;

	if (c->free == 0)
		grow(c);
	call = c->slab[c->free - 1];
	c->free = call->next_free;
	call->id = ++c->sequence << PLACE_BITS | call->place;
	call->method = method;
	call->number = number;
	call->done = done;
	call->ctx = ctx;
	call->deadline_ms = deadline_ms;
	call->instance = 0;
	call->route = -1;
	call->code = 0;
	if (c->open++ == 0)
		c->swept_ms = now_ms;
	list_push_back(bucket(c, deadline_ms), &call->due);
	return call;
}

struct call *calls_find(const struct calls *c, uint64_t id)
{
	uint64_t place = id & PLACE_MASK;

	if (place >= c->cap || c->slab[place]->id != id || c->slab[place]->code != 0)
		return NULL;
	return c->slab[place];
}

void calls_complete(struct calls *c, struct call *call, const struct ipc_result *result, const ProtobufCMessage *reply)
{
	ipc_done_fn done = call->done;
	void *ctx = call->ctx;

	list_remove(&call->due);
	list_remove(&call->peer);
	call->id = 0;
	call->next_free = c->free;
	c->free = call->place + 1;
	c->open--;
	if (done)
		done(result, reply, ctx);
}

void calls_fail_later(struct calls *c, struct call *call, int code, const char *text)
{
	if (call->code != 0)
		return;
	list_remove(&call->due);
	list_remove(&call->peer);
	call->code = code;
	call->text = text;
	list_push_back(&c->failed, &call->due);
}

static void fail(struct calls *c, struct call *call, int code, const char *text)
{
	struct ipc_result result = { .code = code, .text = text };

	calls_complete(c, call, &result, NULL);
}

bool calls_run_failed(struct calls *c)
{
	struct list_node now;

	if (list_empty(&c->failed))
		return false;
	/* What these completions add waits for another turn. */
	list_take(&c->failed, &now);
	while (!list_empty(&now)) {
		struct call *call = list_entry(now.next, struct call, due);

		fail(c, call, call->code, call->text);
	}
	return true;
}

static uint32_t sweep_bucket(struct calls *c, struct list_node *head, uint64_t now_ms)
{
	struct list_node overdue;
	uint32_t n = 0;

	/* Completions may open and end other calls in this bucket, so what is overdue is set apart first. */
	list_init(&overdue);
	list_for_each_safe (it, head) {
		struct call *call = list_entry(it, struct call, due);

		if (call->deadline_ms > now_ms)
			continue;
		list_remove(&call->due);
		list_push_back(&overdue, &call->due);
	}
	while (!list_empty(&overdue)) {
		fail(c, list_entry(overdue.next, struct call, due), STARLING__CODE__CODE_TIMEOUT, "no answer in time");
		n++;
	}
	return n;
}

uint32_t calls_sweep(struct calls *c, uint64_t now_ms)
{
	uint64_t from = c->swept_ms / CALLS_BUCKET_MS, to = now_ms / CALLS_BUCKET_MS;
	uint32_t n = 0;

	if (to - from >= CALLS_BUCKETS)
		from = to - CALLS_BUCKETS + 1;
	c->swept_ms = now_ms;
	for (uint64_t i = from; i <= to; i++)
		n += sweep_bucket(c, &c->buckets[i % CALLS_BUCKETS], now_ms);
	return n;
}

uint64_t calls_next_ms(const struct calls *c)
{
	uint64_t from = c->swept_ms / CALLS_BUCKET_MS;

	if (c->open == 0)
		return UINT64_MAX;
	for (uint64_t i = from; i < from + CALLS_BUCKETS; i++)
		if (!list_empty(&c->buckets[i % CALLS_BUCKETS]))
			return (i + 1) * CALLS_BUCKET_MS;
	return UINT64_MAX; /* all that is open has failed already */
}
