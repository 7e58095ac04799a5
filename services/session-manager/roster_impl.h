/* SPDX-License-Identifier: Apache-2.0
 *
 * roster_impl: how the table of items changes; for roster.c, roster_store.c and tests only. */
#ifndef SESSION_MANAGER_ROSTER_IMPL_H
#define SESSION_MANAGER_ROSTER_IMPL_H

#include "services/session-manager/roster.h"

struct roster_item *roster_set(struct roster *r, const struct roster_change *c, uint64_t version);
/* From the store's form; replaces an item of the same JID. */
struct roster_item *roster_load_item(struct roster *r, const Starling__RosterItem *m);
void roster_forget(struct roster *r, struct roster_item *i);

#endif
