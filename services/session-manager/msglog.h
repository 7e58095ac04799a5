/* SPDX-License-Identifier: Apache-2.0
 *
 * msglog: what the owner knows of an account's part of the message log (ipc/proto/storage.proto): how far its messages have reached clients,
 * and what its user wants archived. Loaded once, on demand. docs/decisions/0030-one-log-many-cursors.md has the whole picture. A received message is
 *
 *   in flight     on the list of some session (unacked.h) whose client has not acknowledged it
 *   left          it was in flight, and every session that had it ended: the next reader gets it
 *   behind tail   nobody was there: it is read from the log when somebody comes
 *   or done       a client has it */
#ifndef SESSION_MANAGER_MSGLOG_H
#define SESSION_MANAGER_MSGLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/list.h"
#include "ipc/proto/storage.pb-c.h"
#include "services/session-manager/account.h"
#include "services/session-manager/positions.h"

struct session;

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
	uint64_t tail;         /* all received messages up to here are in flight, left or done */
	uint32_t waiting;      /* so many behind the tail, as far as known */
	bool behind;           /* there may be some behind the tail */
	uint64_t flusher;      /* stream that is reading what is behind the tail; 0: none */
	uint64_t holder;       /* stream that takes what waits one by one (XEP-0013); 0: none */
	struct positions flight, left;
	struct archive_prefs prefs;
	struct list_node dirty; /* in sm->dirty_logs: the store does not know the newest */
	struct account *account;
	struct list_node want_list; /* waiters for the list of single messages, */
	bool listing;               /* which is being made */
	bool writing, written_again;
	uint64_t stored;   /* the mark that the store has, or is being sent */
	bool stored_plain; /* it has that, and no holes */
	bool sent_plain;   /* what it is being sent has none */
};

/* fn runs at once when it is loaded, else later; with a NULL account as in account.h. Of an account that does not exist it is empty. */
void msglog_with(struct account *a, account_fn fn, void *ctx);
/* Loaded, and nobody waits for it. */
bool msglog_ready(const struct account *a);
void msglog_free(struct msglog **log);

/* NULL until loaded. */
const struct archive_prefs *msglog_prefs(const struct account *a);
/* Takes the strings of `fresh` over and leaves it empty. After the store has them. */
void msglog_set_prefs(struct account *a, struct archive_prefs *fresh);
/* This session has read the archive up to and including this position by itself (XEP-0313, before its first presence): what is archived up to there
 * does not come to it as offline messages, and counts as delivered. What waits without being archived still comes. */
void msglog_archive_read(struct account *a, struct session *s, uint64_t up_to);

/* --- offline messages one by one (XEP-0013) --- */

/* How many messages wait: left ones and those behind the tail. Loaded. */
uint32_t msglog_waiting(const struct account *a);
/* Where they are: these, rising, and all received messages behind *out_tail up to *out_last. Loaded; valid until the log changes. */
const struct positions *msglog_left(const struct account *a, uint64_t *out_tail, uint64_t *out_last);
/* Loaded or not. This session takes its offline messages one by one: while it lasts, its first presence brings it none, nor does that of another
 * session of the account. What arrives from now on is delivered as ever. Doing it again changes nothing. */
void msglog_hold_offline(struct session *s);
/* fn runs when what waits is a list of single messages, of which some can be taken out: at once, or when the reading that msglog_hold_offline began has ended;
 * with a NULL account when the account is gone before. Loaded. */
void msglog_listed(struct account *a, account_fn fn, void *ctx);
/* Listed. A client has taken these out of what waits: they count as delivered. Ids that do not wait are passed over. */
void msglog_taken(struct account *a, const uint64_t *ids, size_t n);

/* --- for those who deliver; the log is loaded --- */

/* Position of a committed message. False: seen before by this owner, or when it was loaded: nothing more is to be done with it here. */
bool msglog_committed(struct account *a, uint64_t id);
void msglog_in_flight(struct account *a, uint64_t id);
/* It is done with all up to here, as far as handing out goes. */
void msglog_move_tail(struct account *a, uint64_t tail);
/* One more waits behind the tail. */
void msglog_keep_behind(struct account *a);
/* Nothing does. */
void msglog_none_behind(struct account *a);
/* Somebody takes what waits one by one. */
bool msglog_held(const struct account *a);
void msglog_acked(struct account *a, uint64_t id);
/* Some session has it on its list. */
bool msglog_on_list(const struct account *a, uint64_t id);
/* A session ended without it. */
void msglog_orphan(struct account *a, uint64_t id);
/* Nobody has reported in time what became of those in flight without a list (edges of before): they count as left. */
void msglog_orphan_unlisted(struct account *a);
/* To be written soon; now: without delay. */
void msglog_save(struct account *a, bool now);
/* Everything dirty is written now, before slots are given away. */
void msglog_save_all(struct sm *sm);
void msglog_init(struct sm *sm);

#endif
