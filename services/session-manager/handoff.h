/* SPDX-License-Identifier: Apache-2.0
 *
 * handoff: giving slots away in order: announce, finish what is in flight (for a bounded time), leave the sessions in Redis as they are,
 * release, forget, and tell the edges to attach to the next owner. */
#ifndef SESSION_MANAGER_HANDOFF_H
#define SESSION_MANAGER_HANDOFF_H

#include <stdbool.h>

struct ownership;
struct sm;

void handoff_begin(struct ownership *o, const bool slots[]);
/* NotOwner for every stream of these slots. */
void handoff_tell_edges(struct sm *sm, const bool slots[]);

#endif
