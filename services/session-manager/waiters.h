/* SPDX-License-Identifier: Apache-2.0
 *
 * waiters: who waits until something of an account is known, in order. */
#ifndef SESSION_MANAGER_WAITERS_H
#define SESSION_MANAGER_WAITERS_H

#include "common/base/list.h"
#include "services/session-manager/account.h"

void waiters_add(struct list_node *waiters, account_fn fn, void *ctx);
/* Takes the first out; false: there is none. */
bool waiters_pop(struct list_node *waiters, account_fn *out_fn, void **out_ctx);
/* Every waiter of the list as it stands now; those of a dead account get NULL. a is pinned by the caller. */
void waiters_wake(struct list_node *waiters, struct account *a);

#endif
