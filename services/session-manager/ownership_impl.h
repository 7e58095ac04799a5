/* SPDX-License-Identifier: Apache-2.0
 *
 * ownership_impl: shared by ownership.c and handoff.c only. */
#ifndef SESSION_MANAGER_OWNERSHIP_IMPL_H
#define SESSION_MANAGER_OWNERSHIP_IMPL_H

#include <uv.h>

#include "services/session-manager/ownership.h"
#include "services/session-manager/rendezvous.h"

#define OWNERSHIP_MEMBERS_MAX 256u

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
	int closed;
};

/* Tells the routers which slots are served now. */
void ownership_announce(struct ownership *o);

#endif
