/* SPDX-License-Identifier: Apache-2.0
 *
 * ownership_impl: shared by ownership.c, ownership_take.c and handoff.c only. */
#ifndef SESSION_MANAGER_OWNERSHIP_IMPL_H
#define SESSION_MANAGER_OWNERSHIP_IMPL_H

#include <uv.h>

#include "common/base/rendezvous.h"
#include "services/session-manager/ownership.h"

#define OWNERSHIP_MEMBERS_MAX 256u
#define OWNERSHIP_AGAIN_MS    200 /* after a try that failed, or while slots that should be ours are still another's */

struct ownership {
	struct sm *sm;
	uv_timer_t tick_timer, lease_timer, handoff_timer;
	uint64_t tick_due, tick_sent;
	struct slot slots[SLOT_COUNT];
	bool asked[SLOT_COUNT]; /* in the take under way */
	struct rendezvous_member members[OWNERSHIP_MEMBERS_MAX];
	uint32_t member_count;
	uint32_t serving;
	uint64_t generation;
	bool fresh;
	uint64_t handoff_end_ms; /* patience with what is in flight ends */
	void (*drained)(struct sm *sm);
	bool started, ticking, taking, leased, draining, stopped;
	bool known; /* Redis has heard of this life */
	int closed;
};

/* The next tick comes no later than that. */
void ownership_schedule(struct ownership *o, uint64_t delay_ms);
/* Tries to take these slots. */
void ownership_take(struct ownership *o, const bool want[]);
/* Tells the routers which slots are served now. */
void ownership_announce(struct ownership *o);

#endif
