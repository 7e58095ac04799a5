/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/ownership.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/rendezvous.h"
#include "services/session-manager/handoff.h"
#include "services/session-manager/ownership_impl.h"
#include "services/session-manager/ownership_redis.h"
#include "services/session-manager/sm.h"

#define SOON_MS 20

static void tick(struct ownership *o);

static void on_tick_timer(uv_timer_t *timer)
{
	tick(timer->data);
}

void ownership_schedule(struct ownership *o, uint64_t delay_ms)
{
	uint64_t due = clock_mono_ms() + delay_ms;

	if (o->stopped || (uv_is_active((uv_handle_t *)&o->tick_timer) && o->tick_due <= due))
		return;
	o->tick_due = due;
	uv_timer_start(&o->tick_timer, on_tick_timer, delay_ms, 0);
}

void ownership_announce(struct ownership *o)
{
	uint32_t slots[SLOT_COUNT], count = 0;
	uint64_t epochs[SLOT_COUNT];

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (o->slots[i].state != SLOT_SERVING)
			continue;
		slots[count] = i;
		epochs[count++] = o->slots[i].epoch;
	}
	o->serving = count;
	ipc_bus_claim_slots(o->sm->bus, slots, epochs, count);
}

/* --- the lease ran out, as far as we know --- */

static void on_lease_end(uv_timer_t *timer)
{
	struct ownership *o = timer->data;
	uint32_t suspended = 0;

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (o->slots[i].state == SLOT_SERVING || o->slots[i].state == SLOT_RELEASING) {
			o->slots[i].state = SLOT_SUSPENDED;
			suspended++;
		}
	}
	o->leased = false;
	if (suspended == 0)
		return;
	log_warn(&o->sm->log, "the lease could not be renewed: %u slots wait for redis", suspended);
	ownership_announce(o);
}

/* --- the tick --- */

/* Redis has forgotten who owns it, but somebody says that he does: he will write it again. */
static bool held_elsewhere(const struct ownership *o, uint32_t slot)
{
	uint64_t owner = o->fresh ? ipc_bus_slot_owner(o->sm->bus, slot, NULL) : 0;

	return owner != 0 && owner != ipc_bus_instance(o->sm->bus);
}

static bool wanted(const struct ownership *o, uint32_t slot)
{
	const struct slot *s = &o->slots[slot];

	switch (s->state) {
	case SLOT_FOREIGN:
		return !held_elsewhere(o, slot);
	case SLOT_SERVING:
		return s->stale;
	case SLOT_SUSPENDED:
		return true;
	case SLOT_RELEASING:
		return false;
	}
	return false;
}

static void rebalance(struct ownership *o)
{
	uint64_t me = ipc_bus_instance(o->sm->bus);
	bool want[SLOT_COUNT] = { false }, give[SLOT_COUNT] = { false };
	bool any = false;

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		struct slot *s = &o->slots[i];
		bool mine = rendezvous_owner(o->members, o->member_count, i) == me && !o->draining;

		if (mine)
			want[i] = wanted(o, i);
		else
			give[i] = s->state == SLOT_SERVING || s->state == SLOT_SUSPENDED;
		any = any || give[i];
	}
	if (any)
		handoff_begin(o, give);
	ownership_take(o, want);
}

static void read_members(struct ownership *o, const redisReply *reply)
{
	o->member_count = 0;
	for (size_t i = 2; i + 1 < reply->elements && o->member_count < OWNERSHIP_MEMBERS_MAX; i += 2) {
		const redisReply *name = reply->element[i + 1];

		o->members[o->member_count++] = (struct rendezvous_member){
			.instance = strtoull(reply->element[i]->str, NULL, 16),
			.key = hash_fnv1a64(str_make(name->str, name->len)),
		};
	}
}

static void check_generation(struct ownership *o, const char *text)
{
	uint64_t generation = strtoull(text, NULL, 16);

	if (o->generation && o->generation != generation) {
		log_warn(&o->sm->log, "redis lost its memory: slots and sessions are written again");
		for (uint32_t i = 0; i < SLOT_COUNT; i++) {
			o->slots[i].stale = o->slots[i].state == SLOT_SERVING;
			o->slots[i].bump = false;
		}
	}
	o->generation = generation;
}

static void on_tick(const redisReply *reply, void *ctx)
{
	struct sm *sm = ctx;
	struct ownership *o = sm->ownership;
	uint64_t lease = (uint64_t)sm->options->lease_ms, now = clock_mono_ms(), end;

	o->ticking = false;
	if (o->stopped)
		return;
	if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
		if (reply && reply->type == REDIS_REPLY_ERROR)
			log_warn(&sm->log, "redis refused the lease: %s", reply->str);
		ownership_schedule(o, OWNERSHIP_AGAIN_MS);
		return;
	}
	/* Counted from when the renewal was sent, and ended early: the lease must outlive our belief in it. */
	end = o->tick_sent + lease - lease / 6;
	if (end <= now) {
		ownership_schedule(o, SOON_MS);
		return;
	}
	o->leased = o->known = true;
	uv_timer_start(&o->lease_timer, on_lease_end, end - now, 0);
	read_members(o, reply);
	check_generation(o, reply->element[0]->str);
	o->fresh = reply->element[1]->str[0] == '1';
	rebalance(o);
}

static void tick(struct ownership *o)
{
	ownership_schedule(o, (uint64_t)o->sm->options->lease_ms / 3);
	if (o->ticking || !o->started || !ipc_bus_joined(o->sm->bus))
		return;
	o->tick_sent = clock_mono_ms();
	o->ticking = ownership_redis_tick(o->sm, (uint64_t)o->sm->options->lease_ms, !o->draining, !o->known, on_tick);
}

/* --- from outside --- */

void ownership_init(struct sm *sm)
{
	struct ownership *o = mem_new(struct ownership);

	o->sm = sm;
	sm->ownership = o;
	uv_timer_init(sm->loop, &o->tick_timer);
	uv_timer_init(sm->loop, &o->lease_timer);
	uv_timer_init(sm->loop, &o->handoff_timer);
	o->tick_timer.data = o->lease_timer.data = o->handoff_timer.data = o;
	ownership_redis_register(sm->redis);
}

static void closed(uv_handle_t *handle)
{
	struct ownership *o = handle->data;

	if (++o->closed == 3)
		mem_free(o);
}

void ownership_fini(struct sm *sm)
{
	struct ownership *o = sm->ownership;

	o->stopped = true;
	sm->ownership = NULL;
	uv_close((uv_handle_t *)&o->tick_timer, closed);
	uv_close((uv_handle_t *)&o->lease_timer, closed);
	uv_close((uv_handle_t *)&o->handoff_timer, closed);
}

void ownership_start(struct sm *sm)
{
	sm->ownership->started = true;
	tick(sm->ownership);
}

void ownership_redis_up(struct sm *sm)
{
	if (sm->ownership && sm->ownership->started)
		tick(sm->ownership);
}

void ownership_soon(struct sm *sm)
{
	if (sm->ownership && sm->ownership->started)
		ownership_schedule(sm->ownership, SOON_MS);
}

bool ownership_serving(const struct sm *sm, uint32_t slot)
{
	return sm->ownership && sm->ownership->slots[slot].state == SLOT_SERVING;
}

uint64_t ownership_epoch(const struct sm *sm, uint32_t slot)
{
	return sm->ownership && sm->ownership->slots[slot].state != SLOT_FOREIGN ? sm->ownership->slots[slot].epoch : 0;
}

size_t ownership_stamp(const struct sm *sm, uint32_t slot, char *out, size_t size)
{
	return (size_t)snprintf(out, size, "%016llx %llu", (unsigned long long)ipc_bus_instance(sm->bus),
	                        (unsigned long long)ownership_epoch(sm, slot));
}

void ownership_fenced(struct sm *sm, uint32_t slot)
{
	struct slot *s = &sm->ownership->slots[slot];
	uint64_t now_ms = (uint64_t)(clock_wall_us() / 1000);

	if (s->state != SLOT_SERVING || s->stale)
		return;
	log_info(&sm->log, "slot %u is fenced at epoch %llu", slot, (unsigned long long)s->epoch);
	/* Whoever refused knows a higher epoch than Redis told us; if the slot is still ours there, jump over it. */
	if (s->epoch < now_ms)
		s->epoch = now_ms;
	s->stale = true;
	s->bump = false;
	ownership_soon(sm);
}

void ownership_bump(struct sm *sm, uint32_t slot)
{
	struct slot *s = &sm->ownership->slots[slot];

	if (s->state != SLOT_SERVING || s->stale)
		return;
	s->stale = s->bump = true;
	ownership_soon(sm);
}

uint64_t ownership_since_ms(const struct sm *sm, uint32_t slot)
{
	return sm->ownership ? sm->ownership->slots[slot].since_ms : 0;
}

uint32_t ownership_count(const struct sm *sm)
{
	return sm->ownership ? sm->ownership->serving : 0;
}

bool ownership_healthy(const struct sm *sm)
{
	return sm->ownership && sm->ownership->leased;
}

void ownership_drain(struct sm *sm, void (*drained)(struct sm *sm))
{
	struct ownership *o = sm->ownership;
	bool give[SLOT_COUNT];

	o->draining = true;
	o->drained = drained;
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		give[i] = o->slots[i].state == SLOT_SERVING;
	tick(o);
	handoff_begin(o, give);
}
