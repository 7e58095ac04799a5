/* SPDX-License-Identifier: Apache-2.0
 *
 * share: which instance of a role should do which piece of the role's work. All compute the same from the directory; for moments they may see
 * different ones, so what must never be done by two needs a lock besides: a lease, a session that only one connection can have. */
#ifndef COMMON_DAEMON_SHARE_H
#define COMMON_DAEMON_SHARE_H

#include "ipc/runtime/bus.h"

#define SHARE_MEMBERS_MAX 64u

enum share { SHARE_UNKNOWN, SHARE_MINE, SHARE_OTHERS };

/* Whose this piece is, by a number that all know it by, of those that are ready. UNKNOWN: we are not among the members that we see, as before the first
 * router and after the last: then whoever does something goes on. */
enum share share_of(const struct ipc_bus *bus, const char *role, uint32_t piece);
/* One is a former life of the other, or both are the same: whoever starts an instance under a name on a machine has seen its former life there end. */
bool share_same_life(const Starling__Registration *a, const Starling__Registration *b);

#endif
