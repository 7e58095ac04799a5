/* SPDX-License-Identifier: Apache-2.0
 *
 * resent: names of messages that were sent again. What had been written the first time, without that mark, may still arrive behind the second: from another
 * server's connection that hung, through an instance of s2s that stood still; from an owner of ours, out of the connection of a router that died, if we stood
 * still. Then it must be looked for in the log as well (docs/decisions/0032-federation.md). */
#ifndef SESSION_MANAGER_RESENT_H
#define SESSION_MANAGER_RESENT_H

#include <stdbool.h>
#include <stdint.h>

#include "services/session-manager/packet.h"

#define RESENT_MAX     65536u
#define RESENT_KEEP_MS 300000u /* longer than a connection that was given up may hold something back */
#define RESENT_NEW_MS                                                                                                                      \
	30000u /* so long after a slot was taken all are looked for, as far back: its former owner knew what had been sent again */

struct resent;

struct resent *resent_new(void);
void resent_free(struct resent **r);
/* A message with a name, to an account of the slot, held under that epoch; again: as its sender says. Returns whether it is to be looked for in the log, and
 * if only for this table's sake how long ago at most it can have come there, in ms; otherwise *out_age_ms stays as it is. */
bool resent_look(struct resent *r, uint32_t slot, uint64_t epoch, struct packet_key key, bool again, uint64_t now_ms, uint64_t *out_age_ms);
/* The same where a slot's former owner has left nothing behind: each owner names the epoch to which it sends. */
bool resent_seen(struct resent *r, struct packet_key key, bool again, uint64_t now_ms, uint64_t *out_age_ms);
uint32_t resent_count(const struct resent *r);

#endif
