/* SPDX-License-Identifier: Apache-2.0
 *
 * append: messages on their way into the log, in the order of arrival. An appender takes the slots of one residue, sends a group of messages to
 * one instance of storage, and the next group when all of the first were answered: whatever fails, order in the log is the order here. A group that
 * failed is sent again, marked as such, so that nothing is stored twice. What must not overtake an account's messages stands in line with them. */
#ifndef SESSION_MANAGER_APPEND_H
#define SESSION_MANAGER_APPEND_H

#include <stdbool.h>
#include <stdint.h>

#include "services/session-manager/packet.h"

struct account;
struct sm;

struct append_result {
	int code;       /* OK, or why the message will never be stored: NOT_FOUND, LIMIT, INVALID */
	uint64_t id;    /* its position */
	bool archived;  /* in the archive of the account that it was appended for */
	bool duplicate; /* it had been there before */
};
typedef void (*append_fn)(struct account *a, const struct packet *p, const struct append_result *result);

/* For a, the recipient; or as sent by a (outgoing), to somebody elsewhere. archived: its archive wants it. */
void append(struct account *a, const struct packet *p, bool outgoing, bool archived, append_fn done);
/* Runs fn when what a has in line by now is stored; at once when that is nothing. */
void append_behind(struct account *a, const struct packet *p, append_fn fn);
/* The same for what a itself has sent, and what is at log_id by now. If a is lost before, the packet's receipt fails: its edge presents it to the next owner. */
void append_behind_sent(struct account *a, const struct packet *p, uint64_t log_id, append_fn fn);

/* The account is lost to another owner: what is in line goes there. */
void append_abandon(struct account *a);
/* End of a loop turn. */
void append_flush(struct sm *sm);
void append_init(struct sm *sm);
void append_fini(struct sm *sm);

#endif
