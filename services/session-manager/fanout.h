/* SPDX-License-Identifier: Apache-2.0
 *
 * fanout: one presence to many recipients: directly to accounts of ours, one call an instance for those of other owners, one by one to
 * other domains. */
#ifndef SESSION_MANAGER_FANOUT_H
#define SESSION_MANAGER_FANOUT_H

#include "services/session-manager/packet.h"

struct fanout {
	struct sm *sm;
	const struct packet *packet; /* its `to` is ignored */
	struct fanout_target {
		uint64_t instance;
		const char *jid;
	} * far;
	uint32_t count, cap;
};

void fanout_begin(struct fanout *f, struct sm *sm, const struct packet *p);
/* jid lives until fanout_end. */
void fanout_add(struct fanout *f, const char *jid);
void fanout_end(struct fanout *f);

#endif
