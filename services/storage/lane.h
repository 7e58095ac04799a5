/* SPDX-License-Identifier: Apache-2.0
 *
 * lane: group commit. It collects the writes of one connection and sends them as one batch: at once when the connection has been idle, else when the
 * window since the last batch has passed or the batch is full. One batch at a time is on the way, so a lane's writes take effect in the order of
 * arrival, also when a batch falls apart. When the connection breaks, or PostgreSQL refuses a batch, what was sent, what waits and what comes in the next
 * 50 ms fail together, in order: their callers try all of it again, and none is to be stored before one that stood in front of it. */
#ifndef STORAGE_LANE_H
#define STORAGE_LANE_H

#include "services/storage/fence.h"

struct lane;

struct lane_config {
	uv_loop_t *loop;
	uint32_t max_writes;
	size_t max_bytes;
	uint32_t window_ms;
	struct fence_book *fences; /* shared by the lanes */
	const struct log_ctx *log;
};

struct lane *lane_new(const struct lane_config *config);
void lane_set_conn(struct lane *l, struct pg_conn *conn);
void lane_free(struct lane **lane); /* after its connection */
void lane_push(struct lane *l, struct op *op);
void lane_kick(struct lane *l);                                                     /* sends a batch if it is time */
void lane_fail_waiting(struct lane *l, uint64_t queued_before_ms, const char *why); /* UNAVAILABLE */

#endif
