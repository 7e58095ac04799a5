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
	struct list_node want; /* waiters */
	uint64_t last;         /* highest position seen of this account */
	uint64_t tail;         /* all received messages up to here are with a client, in flight or left */
	uint32_t waiting;      /* behind the tail */
	struct positions flight, left;
	struct archive_prefs prefs;
	struct list_node dirty; /* in sm->msglogs_dirty: the store does not know the newest */
	bool writing;
};

/* fn runs at once when it is loaded, else later; with a NULL account as in account.h. */
void msglog_with(struct account *a, account_fn fn, void *ctx);
/* NULL until loaded. */
const struct archive_prefs *msglog_prefs(const struct account *a);
/* Takes the strings of `fresh` over and leaves it empty. After the store has them. */
void msglog_set_prefs(struct account *a, struct archive_prefs *fresh);
/* This session has read the archive up to and including this position by itself (XEP-0313, before its first presence): what is archived up to there does
 * not come to it as offline messages, and counts as delivered. What waits without being archived still comes. */
void msglog_archive_read(struct account *a, struct session *s, uint64_t up_to);

/* --- offline messages one by one (XEP-0013) --- */

/* How many messages wait: left ones and those behind the tail. Loaded. */
uint32_t msglog_waiting(const struct account *a);
/* Where they are: these, rising, and all received messages behind *out_tail up to *out_last. Loaded; valid until the log changes. */
const struct positions *msglog_left(const struct account *a, uint64_t *out_tail, uint64_t *out_last);
/* Loaded or not. This session takes its offline messages one by one: while it lasts, its first presence brings it none, nor does that of another session of the
 * account. What arrives from now on is delivered as ever. Doing it again changes nothing. */
void msglog_hold_offline(struct session *s);
/* A client has taken these out of what waits: they count as delivered. Ids that do not wait are passed over. */
void msglog_taken(struct account *a, const uint64_t *ids, size_t n);

#endif
