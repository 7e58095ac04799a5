/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/lane.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/batch.h"
#include "services/storage/store_metrics.h"

#define TOGETHER_MS 50

struct lane {
	struct lane_config config;
	struct batches batches;
	struct list_node waiting;
	uint32_t count;
	size_t bytes;
	uint64_t late_until_ms, refuse_until_ms;
	uint64_t last_us; /* when the last batch was sent */
	uv_timer_t timer;
	struct op **next; /* the batch being put together */
};

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
	/* What came in one go is given up in one go: else a later one of the same pair could be stored without the earlier one. */
	if (op->deadline_ms && now_ms >= op->deadline_ms)
		l->late_until_ms = op->deadline_ms + TOGETHER_MS;
	if (op->deadline_ms && op->deadline_ms <= l->late_until_ms) {
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

/* Asks whether one of these names was stored before, while an append of that name is in the batch itself: it belongs into the next one. */
static bool asks_for_one_of(const struct op *op, struct op *const *batch, uint32_t n)
{
	for (uint32_t k = 0; k < 2; k++)
		for (uint32_t i = 0; op->asks[k] && i < n; i++)
			if (batch[i]->names[k] == op->names[k])
				return true;
	return false;
}

/* The next batch, into out, which has room for max_writes. */
static uint32_t collect(struct lane *l, struct op **out)
{
	uint64_t now_ms = clock_mono_ms();
	uint32_t n = 0;
	size_t bytes = 0;

	while (!list_empty(&l->waiting) && n < l->config.max_writes && bytes < l->config.max_bytes) {
		struct op *op = list_entry(l->waiting.next, struct op, node);

		if (asks_for_one_of(op, out, n))
			break;
		(void)pop(l);
		if (refuse(l, op, now_ms))
			continue;
		bytes += op_bytes(op);
		out[n++] = op;
	}
	return n;
}

static void on_timer(uv_timer_t *timer)
{
	lane_kick(timer->data);
}

/* A full batch goes at once; a smaller one when the window since the last has passed, which after a pause it has. */
static bool due(struct lane *l)
{
	uint64_t age_us = clock_mono_us() - l->last_us, window_us = (uint64_t)l->config.window_ms * 1000;

	if (age_us >= window_us || l->count >= l->config.max_writes || l->bytes >= l->config.max_bytes)
		return true;
	if (!uv_is_active((uv_handle_t *)&l->timer))
		uv_timer_start(&l->timer, on_timer, (window_us - age_us + 999) / 1000, 0);
	return false;
}

void lane_kick(struct lane *l)
{
	struct pg_conn *conn = l->batches.conn;
	uint32_t n;

	if (l->batches.flying || l->count == 0 || !conn || !pg_conn_up(conn) || !due(l))
		return;
	uv_timer_stop(&l->timer);
	n = collect(l, l->next);
	if (n == 0)
		return;
	l->last_us = clock_mono_us();
	fence_raise(l->config.fences, conn, l->config.log, l->next, n);
	batches_send(&l->batches, l->next, n);
}

static void on_landed(struct batches *batches)
{
	lane_kick(list_entry(batches, struct lane, batches));
}

/* What came in one go fails in one go, also what of it is only coming in now. */
static void on_refused(struct batches *batches)
{
	lane_fail_waiting(list_entry(batches, struct lane, batches), UINT64_MAX, "a write before it was refused by PostgreSQL");
}

void lane_push(struct lane *l, struct op *op)
{
	if (l->refuse_until_ms && clock_mono_ms() < l->refuse_until_ms) {
		metric_inc(&metric_refused_away);
		op_fail(op, STARLING__CODE__CODE_UNAVAILABLE, "writes before it have just failed");
		return;
	}
	l->refuse_until_ms = 0;
	list_push_back(&l->waiting, &op->node);
	l->count++;
	l->bytes += op_bytes(op);
}

void lane_fail_waiting(struct lane *l, uint64_t queued_before_ms, const char *why)
{
	if (queued_before_ms == UINT64_MAX)
		l->refuse_until_ms = clock_mono_ms() + TOGETHER_MS;
	/* The same here (see refuse). */
	else if (!list_empty(&l->waiting) && list_entry(l->waiting.next, struct op, node)->queued_ms < queued_before_ms)
		queued_before_ms += TOGETHER_MS;
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
	batches_init(&l->batches, config->log);
	l->batches.on_landed = on_landed;
	l->batches.on_refused = on_refused;
	l->next = mem_alloc(config->max_writes * sizeof *l->next);
	list_init(&l->waiting);
	uv_timer_init(config->loop, &l->timer);
	l->timer.data = l;
	return l;
}

void lane_set_conn(struct lane *l, struct pg_conn *conn)
{
	l->batches.conn = conn;
}

static void on_closed(uv_handle_t *handle)
{
	struct lane *l = handle->data;

	mem_free(l->next);
	mem_free(l);
}

void lane_free(struct lane **lane)
{
	struct lane *l = *lane;

	if (!l)
		return;
	*lane = NULL;
	l->batches.conn = NULL;
	lane_fail_waiting(l, UINT64_MAX, "the store is closing");
	uv_close((uv_handle_t *)&l->timer, on_closed);
}
