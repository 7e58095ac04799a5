/* SPDX-License-Identifier: Apache-2.0
 *
 * fence: the highest epoch of each slot that this process knows to stand in slot_fence. It only saves work: a lower epoch is refused without
 * asking, an equal one needs no raising. Who decides is the check in SQL, within the write's own transaction. */
#ifndef STORAGE_FENCE_H
#define STORAGE_FENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/hash.h"
#include "services/storage/op.h"
#include "services/storage/pg_conn.h"

struct fence_book {
	uint64_t known[SLOT_COUNT]; /* 0: nothing */
};

enum fence_verdict { FENCE_KNOWN, FENCE_HIGHER, FENCE_LOWER };

static inline enum fence_verdict fence_judge(const struct fence_book *b, uint32_t slot, uint64_t epoch)
{
	return epoch == b->known[slot] ? FENCE_KNOWN : epoch > b->known[slot] ? FENCE_HIGHER : FENCE_LOWER;
}

static inline void fence_learn(struct fence_book *b, uint32_t slot, uint64_t epoch)
{
	if (epoch > b->known[slot])
		b->known[slot] = epoch;
}

/* After the connection to PostgreSQL was lost it may be another one, restored from a backup. */
static inline void fence_forget(struct fence_book *b)
{
	*b = (struct fence_book){ { 0 } };
}

/* Where the ops bring higher epochs than the book has: raises them in a transaction of its own, which waits for the writers under lower ones. The
 * ops go after it on the same connection. The book learns when it has committed. */
void fence_raise(struct fence_book *b, struct pg_conn *conn, const struct log_ctx *log, struct op *const *ops, uint32_t count);

#endif
