/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/handoff.h"

#include "common/base/clock.h"
#include "services/session-manager/account.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/ownership_impl.h"
#include "services/session-manager/ownership_redis.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"

#define PATIENCE_MS 2000
#define LOOK_MS     20

struct by_slot {
	struct sm *sm;
	const bool *slots;
	uint32_t unsaved;
};

static void tell_one(struct table_node *n, void *ctx)
{
	struct session *s = table_entry(n, struct session, by_stream);
	struct by_slot *b = ctx;

	if (b->slots[s->account->slot])
		edge_not_owner(b->sm, s->edge->instance, s->stream);
}

void handoff_tell_edges(struct sm *sm, const bool slots[])
{
	struct by_slot b = { .sm = sm, .slots = slots };

	table_each(&sm->streams, tell_one, &b);
}

static void save_one(struct table_node *n, void *ctx)
{
	struct session *s = table_entry(n, struct session, by_stream);
	struct by_slot *b = ctx;

	if (b->slots[s->account->slot])
		session_save(s);
}

static bool busy(const struct ownership *o)
{
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (o->slots[i].state == SLOT_RELEASING && o->sm->slot_work[i] > 0)
			return true;
	}
	return false;
}

static void on_released(const redisReply *reply, void *ctx)
{
	(void)reply;
	(void)ctx;
}

static void finish(struct ownership *o)
{
	uint32_t slots[SLOT_COUNT], count = 0;
	uint64_t epochs[SLOT_COUNT];
	bool gone[SLOT_COUNT] = { false };

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (o->slots[i].state != SLOT_RELEASING)
			continue;
		gone[i] = true;
		slots[count] = i;
		epochs[count++] = o->slots[i].epoch;
	}
	/* Written behind the sessions on the same connection: whoever takes the slot finds them. */
	ownership_redis_release(o->sm, slots, epochs, count, on_released);
	for (uint32_t i = 0; i < count; i++)
		o->slots[slots[i]].state = SLOT_FOREIGN;
	handoff_tell_edges(o->sm, gone);
	edge_flush_all(o->sm);
	account_drop_slots(o->sm, gone);
	log_info(&o->sm->log, "handed off %u slots", count);
	if (o->draining && o->drained) {
		void (*drained)(struct sm * sm) = o->drained;

		o->drained = NULL;
		drained(o->sm);
	}
}

/* Two stages: until nothing is in flight, then until the sessions, with their final numbers, are on the way to Redis. */
static void look(uv_timer_t *timer)
{
	struct ownership *o = timer->data;
	struct by_slot b = { .sm = o->sm };
	bool releasing[SLOT_COUNT];
	bool late = clock_mono_ms() >= o->handoff_end_ms;

	if (busy(o) && !late)
		return;
	uv_timer_stop(timer);
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		releasing[i] = o->slots[i].state == SLOT_RELEASING;
	b.slots = releasing;
	table_each(&o->sm->streams, save_one, &b);
	session_store_flush(o->sm, true);
	finish(o);
}

void handoff_begin(struct ownership *o, const bool slots[])
{
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (slots[i])
			o->slots[i].state = SLOT_RELEASING;
	}
	ownership_announce(o);
	msglog_save_all(o->sm);
	if (uv_is_active((uv_handle_t *)&o->handoff_timer))
		return;
	o->handoff_end_ms = clock_mono_ms() + PATIENCE_MS;
	uv_timer_start(&o->handoff_timer, look, 0, LOOK_MS);
}
