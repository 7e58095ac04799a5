/* SPDX-License-Identifier: Apache-2.0
 *
 * kept: a copy of a stanza that is not in the log, held by the lists of all sessions that were given it until their clients have it. Counted. */
#ifndef SESSION_MANAGER_KEPT_H
#define SESSION_MANAGER_KEPT_H

#include "services/session-manager/packet.h"

struct kept {
	uint32_t refs;
	uint32_t size;
	struct packet packet; /* views into this same allocation; no receipt */
	Starling__StanzaMeta meta;
};

struct kept *kept_new(const struct packet *p);
struct kept *kept_ref(struct kept *k);
void kept_unref(struct kept *k); /* NULL is allowed */

#endif
