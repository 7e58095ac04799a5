/* SPDX-License-Identifier: Apache-2.0
 *
 * pool: the connections to PostgreSQL. The first ones carry writes, one lane each, chosen by the account, so that writes of one account keep
 * their order; the others carry reads, so that a read does not wait behind a commit. Where there are no others, reads go with the writes.
 *
 * While no connection is usable, operations wait for a short time, then fail UNAVAILABLE, and from then on at once. */
#ifndef STORAGE_POOL_H
#define STORAGE_POOL_H

#include "services/storage/lane.h"

struct pool;

struct pool_config {
	uv_loop_t *loop;
	const struct pg_dsn *dsn;
	uint32_t connections;
	uint32_t writers; /* of them, 1..connections */
	uint32_t connect_timeout_ms, statement_timeout_ms;
	uint32_t wait_ms; /* how long operations wait for a connection */
	uint32_t batch_max;
	size_t batch_bytes;
	uint32_t batch_ms;
	const struct log_ctx *log;
	/* The first connection came up, or the last one went (or none came up at the first attempt). */
	void (*on_state)(bool up, const char *why, void *ctx);
	void *ctx;
};

struct pool *pool_new(const struct pool_config *config);
void pool_free(struct pool **pool);                 /* what is open fails UNAVAILABLE; no on_state */
void pool_submit(struct pool *pool, struct op *op); /* takes the op over */

#endif
