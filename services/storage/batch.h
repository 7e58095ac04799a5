/* SPDX-License-Identifier: Apache-2.0
 *
 * batch: one transaction of many writes. Its steps are the locks that all its writes need, one step for all writes of each merged method, one for each
 * other write. When it fails, each of its writes runs again alone, in order, and only those at fault fail. A write is answered after its commit. */
#ifndef STORAGE_BATCH_H
#define STORAGE_BATCH_H

#include "services/storage/op.h"
#include "services/storage/pg_conn.h"

/* Embedded in the lane that sends them; must outlive its connection. */
struct batches {
	struct pg_conn *conn;
	const struct log_ctx *log;
	uint32_t flying;                            /* on the way: one, or many of one write each */
	void (*on_landed)(struct batches *batches); /* none is on the way any more; not when the connection broke */
};

/* Takes the ops over. Only while the connection is up and nothing is on the way. */
void batches_send(struct batches *run, struct op *const *ops, uint32_t count);

#endif
