/* SPDX-License-Identifier: Apache-2.0
 *
 * account: what this owner knows of one bare JID. Made when first asked for, filled in two steps on demand (sessions from Redis, roster from
 * the store), each loaded once however many wait for it; kept while it has sessions, is pinned, or was used recently.
 * Operations that read, write and tell in several asynchronous steps run one at a time (account_serial). */
#ifndef SESSION_MANAGER_ACCOUNT_H
#define SESSION_MANAGER_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/base/str.h"
#include "services/session-manager/table.h"

struct msglog;
struct roster;
struct sm;

enum account_load { ACCOUNT_UNKNOWN, ACCOUNT_LOADING, ACCOUNT_LOADED };

struct account {
	struct sm *sm;
	struct table_node by_bare;
	struct list_node idle; /* in sm->idle, or unlinked */
	char *bare_text;
	struct str bare;
	uint32_t slot;
	uint32_t pins; /* asynchronous work that holds the pointer */
	bool dead;     /* out of the table: the slot was lost or the account removed; freed with the last pin */
	bool exists;   /* known with the roster */
	bool serial_busy;
	enum account_load sessions_load, roster_load;
	uint32_t load_attempts;
	struct list_node sessions;
	struct list_node want_sessions, want_roster, serial; /* waiters */
	struct roster *roster;                               /* NULL until loaded */
	struct msglog *log;                                  /* NULL until asked for */
	uint32_t appending;                                  /* stanzas in the appender's line: what comes now goes behind them */
	int64_t last_us; /* when its last resource went away, as far as seen here (XEP-0012); 0: not seen */
	char *last_status;
};

/* a is NULL when this instance no longer owns the account: start again from route_packet or fail with WRONG_OWNER. */
typedef void (*account_fn)(struct account *a, void *ctx);

struct account *account_find(struct sm *sm, struct str bare);
/* Found or made. The slot must be owned here. */
struct account *account_get(struct sm *sm, struct str bare);
/* fn runs at once when the thing is loaded, else later. */
void account_with_sessions(struct account *a, account_fn fn, void *ctx);
void account_with_roster(struct account *a, account_fn fn, void *ctx);
/* With the roster loaded and no other serial operation under way; fn must lead to exactly one account_serial_done. With a NULL account it
 * must not call that. */
void account_serial(struct account *a, account_fn fn, void *ctx);
void account_serial_done(struct account *a);
/* Nothing under way or in line, and the roster is loaded: what only reads may go ahead at once. */
bool account_quiet(const struct account *a);
void account_pin(struct account *a);
void account_unpin(struct account *a);
/* Its sessions changed: idle accounts stand in line for eviction. */
void account_touch(struct account *a);
/* Forgets without telling anybody: somebody else owns it now. */
void account_drop(struct account *a);
void account_drop_slots(struct sm *sm, const bool slots[]);

#endif
