/* SPDX-License-Identifier: Apache-2.0
 *
 * unacked: what was given to a session and is not known to have reached its client, in order. Deliveries have numbers from 1 on each session
 * (session.proto); the first entry's is acked + 1. The first `sent` entries went to the edge, the rest waits for it. Pure. */
#ifndef SESSION_MANAGER_UNACKED_H
#define SESSION_MANAGER_UNACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kept;

struct unacked_entry {
	uint64_t log_id : 56; /* 0: not in the log */
	uint64_t form : 8;    /* Starling__DeliverForm */
	struct kept *copy;    /* of what is not in the log; NULL: an owner before this one sent it, and it cannot be sent again */
};

struct unacked {
	struct unacked_entry *ring; /* cap is a power of two */
	uint32_t head, count, cap;
	uint32_t sent;
	uint32_t turn; /* rises when what had been sent waits again: a look at what waits is then out of date */
	uint64_t acked;
	size_t bytes; /* of copies */
};

typedef void (*unacked_fn)(const struct unacked_entry *e, void *ctx);

static inline struct unacked_entry *unacked_at(const struct unacked *u, uint32_t i)
{
	return &u->ring[(u->head + i) & (u->cap - 1)];
}
/* Number of the last one sent. */
static inline uint64_t unacked_sent(const struct unacked *u)
{
	return u->acked + u->sent;
}
static inline bool unacked_waiting(const struct unacked *u)
{
	return u->sent < u->count;
}
/* Takes the reference to the copy. Behind what waits, it waits too. */
void unacked_push(struct unacked *u, uint64_t log_id, uint32_t form, struct kept *copy, bool sent);
/* All up to this number have arrived; each is shown to fn and dropped. Numbers that were not sent are not taken. */
void unacked_ack(struct unacked *u, uint64_t number, unacked_fn fn, void *ctx);
/* What was sent after this number did not arrive: it waits again. */
void unacked_rewind(struct unacked *u, uint64_t number);
/* The first one that waits can never be sent. */
void unacked_skip(struct unacked *u);
/* As a message of its client's own. A copy (XEP-0280) goes with the session: whoever it is a copy for still has to get the message. */
bool unacked_has(const struct unacked *u, uint64_t log_id);
/* Shows each to fn; all go. */
void unacked_clear(struct unacked *u, unacked_fn fn, void *ctx);

#endif
