/* SPDX-License-Identifier: Apache-2.0
 *
 * batch: one transaction of many writes. Its steps are the locks that all its writes need, one step for all writes of each merged method, one for each
 * other write. When it fails, each of its writes runs again alone, one after the other, and only those at fault fail; but when it is PostgreSQL that cannot
 * now, all that have not been done fail with it: none may be stored while one before it is not. A write is answered after its commit. */
#ifndef STORAGE_BATCH_H
#define STORAGE_BATCH_H

#include "services/storage/op.h"
#include "services/storage/pg_conn.h"

/* Embedded in the lane that sends them; must outlive its connection. */
struct batches {
	struct pg_conn *conn;
	const struct log_ctx *log;
	struct list_node alone; /* struct op: of a batch that fell apart, in order */
	bool flying;            /* one is on the way */
	/* PostgreSQL has refused some: what waits behind them is not to be sent, either. */
	void (*on_refused)(struct batches *batches);
	/* None is on the way any more; not when the connection broke. */
	void (*on_landed)(struct batches *batches);
};

void batches_init(struct batches *run, const struct log_ctx *log);
/* Takes the ops over. Only while the connection is up and nothing is on the way. */
void batches_send(struct batches *run, struct op *const *ops, uint32_t count);

#endif
