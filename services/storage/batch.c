/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/batch.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/store_metrics.h"

#define TRIES_MAX 3u /* of a write that runs alone and meets deadlocks */

struct batch {
	struct pg_tx tx;
	struct batches *run;
	uint32_t count;
	uint64_t sent_us;
	struct op *ops[]; /* in the order of arrival */
};

/* --- steps --------------------------------------------------------------------------------------------------------- */

static int compare_int(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

/* First step: all locks that the batch needs, in ascending order. */
static void step_lock(struct batch *b)
{
	struct pg_args args = { 0 };
	struct pg_array array;
	uint32_t distinct = 0, room = 1;
	int32_t *keys, n = 0;

	for (uint32_t i = 0; i < b->count; i++)
		room += 2 + b->ops[i]->lock_count;
	keys = mem_alloc(room * sizeof *keys);
	for (uint32_t i = 0; i < b->count; i++) {
		if (b->ops[i]->lock != LOCK_NONE)
			keys[n++] = (int32_t)b->ops[i]->lock;
		if (b->ops[i]->lock_other != LOCK_NONE)
			keys[n++] = (int32_t)b->ops[i]->lock_other;
		for (uint32_t k = 0; k < b->ops[i]->lock_count; k++)
			keys[n++] = (int32_t)b->ops[i]->locks[k];
	}
	for (uint32_t i = 0; i < b->count; i++)
		if (b->ops[i]->fenced) {
			keys[n++] = -1;
			break;
		}
	qsort(keys, (size_t)n, sizeof *keys, compare_int);
	for (int32_t i = 0; i < n; i++)
		if (i == 0 || keys[i] != keys[i - 1])
			keys[distinct++] = keys[i];
	array = pg_array_begin(&args, PG_INT4, distinct);
	for (uint32_t i = 0; i < distinct; i++)
		pg_array_int4(&array, keys[i]);
	pg_array_end(&array);
	pg_conn_step(b->run->conn, &b->tx, STATEMENT_LOCK, &args);
	pg_args_fini(&args);
	mem_free(keys);
}

/* How many appends to the same account stand before the op in its batch. Those that may turn out to be repetitions are not counted: rather one
 * too many stored than one refused without cause. */
static uint32_t rank_of(const struct batch *b, uint32_t at)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < at; i++) {
		const struct op *op = b->ops[i];

		n += op->method == b->ops[at]->method && op->lock == b->ops[at]->lock && !op->asks[0] && !op->asks[1];
	}
	return n;
}

/* One step for all ops of one merged method. */
static void step_merged(struct batch *b, uint32_t index)
{
	const struct method *m = methods[index];
	const struct pg_args **rows = mem_alloc(b->count * sizeof *rows);
	struct pg_args args = { 0 };
	uint32_t n = 0, step;

	for (uint32_t i = 0; i < b->count; i++)
		if (b->ops[i]->method == m) {
			if (b->ops[i]->rank_arg)
				pg_args_set_int4(&b->ops[i]->args, b->ops[i]->rank_arg, (int32_t)rank_of(b, i));
			b->ops[i]->row = n;
			rows[n++] = &b->ops[i]->args;
		}
	if (n) {
		pg_args_merge(&args, rows, n, m->columns, m->column_count);
		step = pg_conn_step(b->run->conn, &b->tx, index, &args);
		for (uint32_t i = 0; i < b->count; i++)
			if (b->ops[i]->method == m)
				b->ops[i]->step = step;
	}
	pg_args_fini(&args);
	mem_free(rows);
}

static void step_all(struct batch *b)
{
	step_lock(b);
	for (uint32_t i = 0; i < METHOD_ALL; i++)
		if (methods[i]->kind == METHOD_MERGED)
			step_merged(b, i);
	for (uint32_t i = 0; i < b->count; i++) {
		struct op *op = b->ops[i];

		if (op->method->kind == METHOD_MERGED)
			continue;
		op->row = 0;
		op->step = pg_conn_step(b->run->conn, &b->tx, op->statement, &op->args);
	}
}

/* --- end of a batch ------------------------------------------------------------------------------------------------ */

static void on_batch_end(struct pg_tx *tx, enum pg_end end);

static void send_batch(struct batches *run, struct batch *b)
{
	b->run = run;
	b->sent_us = clock_mono_us();
	pg_tx_init(&b->tx, b->count + 1, on_batch_end);
	step_all(b);
	run->flying = true;
	metric_inc(&metric_batches);
	metric_observe(&metric_batch_writes, b->count);
	pg_conn_commit(run->conn, &b->tx);
}

static void send_next_alone(struct batches *run)
{
	struct batch *b = mem_zalloc(sizeof *b + sizeof b->ops[0]);
	struct op *op = list_entry(run->alone.next, struct op, node);

	list_remove(&op->node);
	b->ops[b->count++] = op;
	op->tries++;
	send_batch(run, b);
}

static void answer(struct batch *b)
{
	metric_add(&metric_writes, b->count);
	metric_observe(&metric_commit_seconds, (double)(clock_mono_us() - b->sent_us) / 1e6);
	for (uint32_t i = 0; i < b->count; i++) {
		struct op *op = b->ops[i];

		op->method->answer(op, b->tx.results[op->step], (int)op->row);
	}
}

static void fail_all(struct batch *b, int code, const char *text)
{
	for (uint32_t i = 0; i < b->count; i++)
		op_fail(b->ops[i], code, text);
}

static void fail_alone(struct batches *run, const char *text)
{
	while (!list_empty(&run->alone)) {
		struct op *op = list_entry(run->alone.next, struct op, node);

		list_remove(&op->node);
		op_fail(op, STARLING__CODE__CODE_UNAVAILABLE, text);
	}
}

/* None of them was done, and their callers will try again: nothing that came after them may be done before that. */
static void refuse(struct batch *b, int code)
{
	fail_all(b, code, b->tx.error);
	fail_alone(b->run, b->tx.error);
	b->run->on_refused(b->run);
}

static void rolled_back(struct batch *b)
{
	enum pg_class class = pg_error_class(b->tx.sqlstate);
	struct batches *run = b->run;

	store_metrics_error(class);
	if (class == PG_CLASS_AWAY || class == PG_CLASS_STALE) {
		log_info(run->log, "batch of %u writes refused by PostgreSQL: %s %s", b->count, b->tx.sqlstate, b->tx.error);
		refuse(b, STARLING__CODE__CODE_UNAVAILABLE);
	} else if (b->count > 1) {
		metric_inc(&metric_batches_split);
		for (uint32_t i = 0; i < b->count; i++)
			list_push_back(&run->alone, &b->ops[i]->node);
	} else if (class == PG_CLASS_RETRY && b->ops[0]->tries < TRIES_MAX) {
		list_push_front(&run->alone, &b->ops[0]->node);
	} else if (class == PG_CLASS_ROW) {
		fail_all(b, pg_error_code(b->tx.sqlstate), b->tx.error);
	} else {
		if (class == PG_CLASS_BUG)
			log_error(run->log, "%s: PostgreSQL says %s %s", b->ops[0]->method->name, b->tx.sqlstate, b->tx.error);
		refuse(b, pg_error_code(b->tx.sqlstate));
	}
}

static void on_batch_end(struct pg_tx *tx, enum pg_end end)
{
	struct batch *b = list_entry(tx, struct batch, tx);
	struct batches *run = b->run;

	switch (end) {
	case PG_COMMITTED:
		answer(b);
		break;
	case PG_FAILED:
		rolled_back(b);
		break;
	case PG_LOST:
		metric_add(&metric_unconfirmed, b->count);
		/* It may be committed yet, by a server that was only slow. */
		fail_all(b, STARLING__CODE__CODE_PEER_LOST, "connection to PostgreSQL lost before the commit was seen");
		fail_alone(run, "connection to PostgreSQL lost");
		break;
	}
	pg_tx_fini(&b->tx);
	mem_free(b);
	run->flying = false;
	if (end == PG_LOST)
		return;
	if (list_empty(&run->alone))
		run->on_landed(run);
	else
		send_next_alone(run);
}

void batches_init(struct batches *run, const struct log_ctx *log)
{
	*run = (struct batches){ .log = log };
	list_init(&run->alone);
}

void batches_send(struct batches *run, struct op *const *ops, uint32_t count)
{
	struct batch *b = mem_zalloc(sizeof *b + count * sizeof b->ops[0]);

	memcpy(b->ops, ops, count * sizeof *ops);
	b->count = count;
	send_batch(run, b);
}
