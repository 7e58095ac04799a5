/* SPDX-License-Identifier: Apache-2.0
 *
 * counters: what /metrics says of this daemon beyond what all daemons say. */
#ifndef SESSION_MANAGER_COUNTERS_H
#define SESSION_MANAGER_COUNTERS_H

#include "common/daemon/metrics.h"

struct sm;

struct counters {
	struct metric stanzas[4]; /* by kind, index StanzaKind */
	struct metric routed_out, routed_in;
	struct metric deliveries, offline_stored, offline_delivered, bounces, dropped;
	struct metric opened, attached, closed, conflicts, parked, resumed;
	struct metric sessions, accounts, slots, pending, pending_bytes;
};
extern struct counters counters;

void counters_register(struct sm *sm);
/* Stanzas handled: the daemon's main work. */
double counters_work(void);

#endif
