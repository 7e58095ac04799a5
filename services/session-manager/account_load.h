/* SPDX-License-Identifier: Apache-2.0
 *
 * account_load: fills an account, once, trying again while Redis or the store is away. */
#ifndef SESSION_MANAGER_ACCOUNT_LOAD_H
#define SESSION_MANAGER_ACCOUNT_LOAD_H

#include <stdint.h>

struct account;
struct sm;

void account_load_sessions(struct account *a);
void account_load_roster(struct account *a);
/* account.c: something finished loading, or will never; wakes who waits. */
void account_loaded(struct account *a);
/* After slots were taken: loads the accounts that had sessions under their former owner, a few at a time. */
void account_warm_stop(struct sm *sm);
void account_warm_up(struct sm *sm, const uint32_t *slots, uint32_t count);

#endif
