/* SPDX-License-Identifier: Apache-2.0
 *
 * lane: stanzas for a slot of another owner, or for the remote domains of one slot, which an instance of s2s speaks with, in order (ipc/runtime/lane.h). */
#ifndef SESSION_MANAGER_LANE_H
#define SESSION_MANAGER_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "services/session-manager/packet.h"

struct lane;

void lane_send(struct sm *sm, uint32_t slot, const struct packet *p);
/* To a domain of somebody else's: by the instance of s2s that has its slot (docs/decisions/0032-federation.md). */
void lane_send_remote(struct sm *sm, const struct packet *p);
/* Nothing waits for this slot: what comes now overtakes nothing. */
bool lane_empty(const struct sm *sm, uint32_t slot);
void lane_fini_all(struct sm *sm);

#endif
