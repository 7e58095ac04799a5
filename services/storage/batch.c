/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/batch.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/store_metrics.h"

#define TRIES_MAX 3u /* of a write that runs alone and meets deadlocks */

struct lane {
	struct lane_config config;
	struct pg_conn *conn;
	struct list_node waiting;
	uint32_t count;
	size_t bytes;
	uint32_t flying;  /* batches on the way: 1, or many of one write each */
	uint64_t last_us; /* when the last batch was sent */
	uv_timer_t timer;
};

struct batch {
	struct pg_tx tx;
	struct lane *lane;
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
	int32_t *keys = mem_alloc((b->count + 1) * sizeof *keys), n = 0;
	struct pg_args args = { 0 };
	struct pg_array array;
	uint32_t distinct = 0;

	for (uint32_t i = 0; i < b->count; i++)
		keys[n++] = (int32_t)b->ops[i]->lock;
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
	pg_conn_step(b->lane->conn, &b->tx, STATEMENT_LOCK, &args);
	pg_args_fini(&args);
	mem_free(keys);
}

static uint32_t method_index(const struct method *m)
{
	uint32_t i = 0;

	while (methods[i] != m)
		i++;
	return i;
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
			b->ops[i]->row = n;
			rows[n++] = &b->ops[i]->args;
		}
	if (n) {
		pg_args_merge(&args, rows, n, m->columns, m->column_count);
		step = pg_conn_step(b->lane->conn, &b->tx, index, &args);
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
	for (uint32_t i = 0; i < METHOD_COUNT; i++)
		if (methods[i]->kind == METHOD_MERGED)
			step_merged(b, i);
	for (uint32_t i = 0; i < b->count; i++) {
		struct op *op = b->ops[i];

		if (op->method->kind == METHOD_MERGED)
			continue;
		op->row = 0;
		op->step = pg_conn_step(b->lane->conn, &b->tx, method_index(op->method), &op->args);
	}
}

/* --- end of a batch ------------------------------------------------------------------------------------------------ */

static void on_batch_end(struct pg_tx *tx, enum pg_end end);

static void send_batch(struct lane *l, struct batch *b)
{
	b->lane = l;
	b->sent_us = l->last_us = clock_mono_us();
	pg_tx_init(&b->tx, b->count + 1, on_batch_end);
	step_all(b);
	l->flying++;
	metric_inc(&metric_batches);
	metric_observe(&metric_batch_writes, b->count);
	pg_conn_commit(l->conn, &b->tx);
}

static void send_alone(struct lane *l, struct op *op)
{
	struct batch *b = mem_zalloc(sizeof *b + sizeof b->ops[0]);

	b->ops[b->count++] = op;
	op->tries++;
	send_batch(l, b);
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

static void rolled_back(struct batch *b)
{
	enum pg_class class = pg_error_class(b->tx.sqlstate);

	store_metrics_error(class);
	if (class == PG_CLASS_AWAY || class == PG_CLASS_STALE) {
		log_info(b->lane->config.log, "batch of %u writes refused by PostgreSQL: %s %s", b->count, b->tx.sqlstate, b->tx.error);
		fail_all(b, STARLING__CODE__CODE_UNAVAILABLE, b->tx.error);
	} else if (b->count > 1) {
		metric_inc(&metric_batches_split);
		for (uint32_t i = 0; i < b->count; i++)
			send_alone(b->lane, b->ops[i]);
	} else if (class == PG_CLASS_RETRY && b->ops[0]->tries < TRIES_MAX) {
		send_alone(b->lane, b->ops[0]);
	} else {
		if (class == PG_CLASS_BUG)
			log_error(b->lane->config.log, "%s: PostgreSQL says %s %s", b->ops[0]->method->name, b->tx.sqlstate, b->tx.error);
		fail_all(b, pg_error_code(b->tx.sqlstate), b->tx.error);
	}
}

static void on_batch_end(struct pg_tx *tx, enum pg_end end)
{
	struct batch *b = list_entry(tx, struct batch, tx);
	struct lane *l = b->lane;

	switch (end) {
	case PG_COMMITTED:
		answer(b);
		break;
	case PG_FAILED:
		rolled_back(b);
		break;
	case PG_LOST:
		metric_add(&metric_unconfirmed, b->count);
		fail_all(b, STARLING__CODE__CODE_UNAVAILABLE, "connection to PostgreSQL lost before the commit was seen");
		break;
	}
	pg_tx_fini(&b->tx);
	mem_free(b);
	l->flying--;
	if (end != PG_LOST)
		lane_kick(l);
}

/* --- fences -------------------------------------------------------------------------------------------------------- */

/* A transaction of its own before the batch, in which the writers of lower epochs are waited for. */
struct raise {
	struct pg_tx tx;
	struct lane *lane;
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
			fence_learn(r->lane->config.fences, r->fence[i].slot, r->fence[i].epoch);
	else if (end == PG_FAILED)
		log_info(r->lane->config.log, "fences not raised: %s %s", tx->sqlstate, tx->error);
	pg_tx_fini(tx);
	mem_free(r);
}

static void step_raise(struct raise *r)
{
	struct pg_args args = { 0 };
	struct pg_array array;

	pg_conn_step(r->lane->conn, &r->tx, STATEMENT_FENCE_LOCK, &args);
	array = pg_array_begin(&args, PG_INT4, r->count);
	for (uint32_t i = 0; i < r->count; i++)
		pg_array_int4(&array, (int32_t)r->fence[i].slot);
	pg_array_end(&array);
	array = pg_array_begin(&args, PG_INT8, r->count);
	for (uint32_t i = 0; i < r->count; i++)
		pg_array_int8(&array, (int64_t)r->fence[i].epoch);
	pg_array_end(&array);
	pg_conn_step(r->lane->conn, &r->tx, STATEMENT_FENCE_RAISE, &args);
	pg_args_fini(&args);
}

static void raise_fences(struct lane *l, const struct batch *b)
{
	struct raise *r = mem_zalloc(sizeof *r + b->count * sizeof r->fence[0]);

	for (uint32_t i = 0; i < b->count; i++) {
		const struct op *op = b->ops[i];

		if (!op->fenced || fence_judge(l->config.fences, op->slot, op->epoch) != FENCE_HIGHER)
			continue;
		r->fence[r->count].slot = op->slot;
		r->fence[r->count++].epoch = op->epoch;
	}
	if (r->count == 0) {
		mem_free(r);
		return;
	}
	r->lane = l;
	pg_tx_init(&r->tx, 2, on_raise_end);
	step_raise(r);
	pg_conn_commit(l->conn, &r->tx);
}

/* --- collecting ---------------------------------------------------------------------------------------------------- */

static struct op *pop(struct lane *l)
{
	struct op *op = list_entry(l->waiting.next, struct op, node);

	list_remove(&op->node);
	l->count--;
	l->bytes -= op_bytes(op);
	return op;
}

static bool refuse(struct lane *l, struct op *op, uint64_t now_ms)
{
	if (op->deadline_ms && now_ms >= op->deadline_ms) {
		metric_inc(&metric_expired);
		op_fail(op, STARLING__CODE__CODE_TIMEOUT, "deadline passed before the write was begun");
		return true;
	}
	if (op->fenced && fence_judge(l->config.fences, op->slot, op->epoch) == FENCE_LOWER) {
		op_fail(op, STARLING__CODE__CODE_FENCED, "the slot has a newer owner");
		return true;
	}
	return false;
}

static struct batch *collect(struct lane *l)
{
	uint32_t room = l->count < l->config.max_writes ? l->count : l->config.max_writes;
	struct batch *b = mem_zalloc(sizeof *b + room * sizeof b->ops[0]);
	uint64_t now_ms = clock_mono_ms();
	size_t bytes = 0;

	while (!list_empty(&l->waiting) && b->count < room && bytes < l->config.max_bytes) {
		struct op *op = pop(l);

		if (refuse(l, op, now_ms))
			continue;
		bytes += op_bytes(op);
		b->ops[b->count++] = op;
	}
	return b;
}

static void on_timer(uv_timer_t *timer)
{
	lane_kick(timer->data);
}

void lane_kick(struct lane *l)
{
	uint64_t age_us = clock_mono_us() - l->last_us, window_us = (uint64_t)l->config.window_ms * 1000;
	struct batch *b;

	if (l->flying || l->count == 0 || !l->conn || !pg_conn_up(l->conn))
		return;
	if (age_us < window_us && l->count < l->config.max_writes && l->bytes < l->config.max_bytes) {
		if (!uv_is_active((uv_handle_t *)&l->timer))
			uv_timer_start(&l->timer, on_timer, (window_us - age_us + 999) / 1000, 0);
		return;
	}
	uv_timer_stop(&l->timer);
	b = collect(l);
	if (b->count == 0) {
		mem_free(b);
		return;
	}
	raise_fences(l, b);
	send_batch(l, b);
}

void lane_push(struct lane *l, struct op *op)
{
	list_push_back(&l->waiting, &op->node);
	l->count++;
	l->bytes += op_bytes(op);
}

uint32_t lane_waiting(const struct lane *l)
{
	return l->count;
}

void lane_fail_waiting(struct lane *l, uint64_t queued_before_ms, const char *why)
{
	while (!list_empty(&l->waiting) && list_entry(l->waiting.next, struct op, node)->queued_ms < queued_before_ms) {
		metric_inc(&metric_refused_away);
		op_fail(pop(l), STARLING__CODE__CODE_UNAVAILABLE, why);
	}
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

struct lane *lane_new(const struct lane_config *config)
{
	struct lane *l = mem_new(struct lane);

	l->config = *config;
	list_init(&l->waiting);
	uv_timer_init(config->loop, &l->timer);
	l->timer.data = l;
	return l;
}

void lane_set_conn(struct lane *l, struct pg_conn *conn)
{
	l->conn = conn;
}

static void on_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

void lane_free(struct lane **lane)
{
	struct lane *l = *lane;

	if (!l)
		return;
	*lane = NULL;
	l->conn = NULL;
	lane_fail_waiting(l, UINT64_MAX, "the store is closing");
	uv_close((uv_handle_t *)&l->timer, on_closed);
}
