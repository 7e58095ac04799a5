/* SPDX-License-Identifier: Apache-2.0
 *
 * msglog: what the owner knows of an account's part of the message log (ipc/proto/storage.proto): how far its messages have reached clients,
 * and what its user wants archived. Loaded once, on demand. docs/decisions/0030-one-log-many-cursors.md has the whole picture.
 *
 *   handed       a received message was put on some session's list (unacked.h); in `flight` until one of them has it
 *   left         was handed, and every session that had it ended without it: the next reader gets it
 *   behind tail  nobody was there: waits, and is read from the log when somebody comes */
#ifndef SESSION_MANAGER_MSGLOG_H
#define SESSION_MANAGER_MSGLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/str.h"
#include "ipc/proto/storage.pb-c.h"
#include "services/session-manager/account.h"

struct session;

/* Positions, rising. */
struct positions {
	uint64_t *at;
	uint32_t count, cap;
};

/* XEP-0441. Owned by the msglog; JIDs normalised. */
struct archive_prefs {
	Starling__ArchivePrefs__Default fallback; /* UNSET: the host's */
	char **always, **never;
	uint32_t always_count, never_count;
};

struct msglog {
	enum account_load load;
	uint32_t attempts;
	struct list_node want;           /* waiters */
	uint64_t last;                   /* highest position seen of this account */
	uint64_t tail;                   /* all received messages up to here are with a client, in flight or left */
	uint32_t waiting;                /* behind the tail */
	struct positions flight, left;
	struct archive_prefs prefs;
	struct list_node dirty;          /* in sm->msglogs_dirty: the store does not know the newest */
	bool writing;
};

/* fn runs at once when it is loaded, else later; with a NULL account as in account.h. */
void msglog_with(struct account *a, account_fn fn, void *ctx);
/* NULL until loaded. */
const struct archive_prefs *msglog_prefs(const struct account *a);
/* Takes the strings of `fresh` over and leaves it empty. After the store has them. */
void msglog_set_prefs(struct account *a, struct archive_prefs *fresh);
/* This session reads the archive by itself (XEP-0313 before its first presence): what is archived up to now does not come as offline messages. */
void msglog_archive_read(struct account *a, struct session *s);

#endif
