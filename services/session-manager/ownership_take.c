/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking Redis for slots, and what follows from its answer: what is new is loaded, what went elsewhere is forgotten. */
#include <stdlib.h>

#include "common/base/clock.h"
#include "services/session-manager/account.h"
#include "services/session-manager/account_load.h"
#include "services/session-manager/handoff.h"
#include "services/session-manager/ownership_impl.h"
#include "services/session-manager/ownership_redis.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"

static void lose(struct ownership *o, const bool lost[])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (!lost[i])
			continue;
		count++;
		o->slots[i].state = SLOT_FOREIGN;
		o->slots[i].stale = false;
	}
	if (count == 0)
		return;
	log_info(&o->sm->log, "%u slots belong to another instance now", count);
	handoff_tell_edges(o->sm, lost);
	account_drop_slots(o->sm, lost);
}

/* Marks what the reply says was taken; `fresh` collects slots whose memory is another's. */
static uint32_t apply_taken(struct ownership *o, const redisReply *reply, bool taken[], bool fresh[])
{
	uint32_t count = 0;

	for (size_t i = 0; i + 2 < reply->elements; i += 3) {
		uint32_t slot = (uint32_t)strtoul(reply->element[i]->str, NULL, 10);
		struct slot *s;

		if (slot >= SLOT_COUNT)
			continue;
		s = &o->slots[slot];
		fresh[slot] = reply->element[i + 2]->str[0] == '0' || s->state == SLOT_FOREIGN;
		s->epoch = strtoull(reply->element[i + 1]->str, NULL, 10);
		taken[slot] = true;
		count++;
	}
	return count;
}

static void settle(struct ownership *o, const bool taken[], const bool fresh[])
{
	bool lost[SLOT_COUNT] = { false }, forget[SLOT_COUNT] = { false };
	uint32_t warm[SLOT_COUNT], warm_count = 0;
	bool forgotten = false; /* Redis may not know our sessions */

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		struct slot *s = &o->slots[i];

		if (!taken[i]) {
			lost[i] = o->asked[i] && (s->state == SLOT_SUSPENDED || s->stale);
			continue;
		}
		if (fresh[i]) {
			forget[i] = s->state != SLOT_FOREIGN;
			warm[warm_count++] = i;
			s->since_ms = clock_mono_ms();
		}
		forgotten = forgotten || fresh[i] || !s->bump || s->state != SLOT_SERVING;
		s->state = SLOT_SERVING;
		s->stale = s->bump = false;
	}
	lose(o, lost);
	account_drop_slots(o->sm, forget);
	ownership_announce(o);
	account_warm_up(o->sm, warm, warm_count);
	if (forgotten)
		session_save_all(o->sm);
}

static void on_taken(const redisReply *reply, void *ctx)
{
	struct sm *sm = ctx;
	struct ownership *o = sm->ownership;
	bool taken[SLOT_COUNT] = { false }, fresh[SLOT_COUNT] = { false };
	uint32_t count, missing = 0;

	if (o->stopped)
		return;
	o->taking = false;
	if (!reply || reply->type != REDIS_REPLY_ARRAY) {
		if (reply && reply->type == REDIS_REPLY_ERROR)
			log_warn(&sm->log, "redis refused to give slots: %s", reply->str);
		ownership_schedule(o, OWNERSHIP_AGAIN_MS);
		return;
	}
	count = apply_taken(o, reply, taken, fresh);
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		missing += o->asked[i] && !taken[i];
	if (o->leased && !o->draining)
		settle(o, taken, fresh);
	if (count)
		log_info(&sm->log, "took %u slots, serving %u", count, o->serving);
	if (missing)
		ownership_schedule(o, OWNERSHIP_AGAIN_MS);
	if (!sm->ready) {
		sm->ready = true;
		daemon_ready(sm->daemon);
	}
}

void ownership_take(struct ownership *o, const bool want[])
{
	uint32_t slots[SLOT_COUNT], count = 0;
	uint64_t known[SLOT_COUNT];

	if (o->taking)
		return;
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		o->asked[i] = want[i];
		if (!want[i])
			continue;
		slots[count] = i;
		known[count++] = o->slots[i].epoch;
	}
	if (count == 0)
		return;
	o->taking = ownership_redis_take(o->sm, slots, known, count, on_taken);
}
