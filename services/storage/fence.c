/* SPDX-License-Identifier: Apache-2.0
 *
 * The lock on fences is held alone here, and shared by every batch that writes under one (methods.c). */
#include "services/storage/fence.h"

#include "common/base/mem.h"

struct raise {
	struct pg_tx tx;
	struct fence_book *book;
	const struct log_ctx *log;
	uint32_t count;
	struct {
		uint32_t slot;
		uint64_t epoch;
	} fence[];
};

static void on_raise_end(struct pg_tx *tx, enum pg_end end)
{
	struct raise *r = list_entry(tx, struct raise, tx);

	if (end == PG_COMMITTED)
		for (uint32_t i = 0; i < r->count; i++)
			fence_learn(r->book, r->fence[i].slot, r->fence[i].epoch);
	else if (end == PG_FAILED)
		log_info(r->log, "fences not raised: %s %s", tx->sqlstate, tx->error);
	pg_tx_fini(tx);
	mem_free(r);
}

static void step_raise(struct raise *r, struct pg_conn *conn)
{
	struct pg_args args = { 0 };
	struct pg_array array;

	pg_conn_step(conn, &r->tx, STATEMENT_FENCE_LOCK, &args);
	array = pg_array_begin(&args, PG_INT4, r->count);
	for (uint32_t i = 0; i < r->count; i++)
		pg_array_int4(&array, (int32_t)r->fence[i].slot);
	pg_array_end(&array);
	array = pg_array_begin(&args, PG_INT8, r->count);
	for (uint32_t i = 0; i < r->count; i++)
		pg_array_int8(&array, (int64_t)r->fence[i].epoch);
	pg_array_end(&array);
	pg_conn_step(conn, &r->tx, STATEMENT_FENCE_RAISE, &args);
	pg_args_fini(&args);
}

void fence_raise(struct fence_book *b, struct pg_conn *conn, const struct log_ctx *log, struct op *const *ops, uint32_t count)
{
	struct raise *r = mem_zalloc(sizeof *r + count * sizeof r->fence[0]);

	for (uint32_t i = 0; i < count; i++) {
		const struct op *op = ops[i];

		if (!op->fenced || fence_judge(b, op->slot, op->epoch) != FENCE_HIGHER)
			continue;
		r->fence[r->count].slot = op->slot;
		r->fence[r->count++].epoch = op->epoch;
	}
	if (r->count == 0) {
		mem_free(r);
		return;
	}
	r->book = b;
	r->log = log;
	pg_tx_init(&r->tx, 2, on_raise_end);
	step_raise(r, conn);
	pg_conn_commit(conn, &r->tx);
}
