/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/pool.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/store_metrics.h"

#define EXPIRE_MS 100u

struct member {
	struct pool *pool;
	struct pg_conn *conn;
	struct lane *lane; /* NULL: reads only */
	bool up;
};

struct pool {
	struct pool_config config;
	struct member *members;
	uint32_t count, lanes;
	uint32_t up;
	bool told; /* on_state(false) was called since the last connection went */
	uint64_t down_since_ms;
	struct fence_book fences;
	struct list_node reads; /* waiting for any connection */
	uint32_t next;          /* where the search for a connection begins */
	bool dirty;
	uv_prepare_t turn; /* end of a loop turn: what came in it goes out as one batch */
	uv_timer_t expire;
	uint32_t closing;
};

/* --- reads --------------------------------------------------------------------------------------------------------- */

struct read {
	struct pg_tx tx;
	struct op *op;
};

static void on_read_end(struct pg_tx *tx, enum pg_end end)
{
	struct read *r = list_entry(tx, struct read, tx);
	struct op *op = r->op;
	enum pg_class class;

	switch (end) {
	case PG_COMMITTED:
		metric_inc(&metric_reads);
		metric_observe(&metric_read_seconds, (double)(clock_mono_ms() - op->queued_ms) / 1e3);
		op->head = op->has_head ? tx->results[1] : NULL;
		op->method->answer(op, tx->results[0], 0);
		break;
	case PG_FAILED:
		class = pg_error_class(tx->sqlstate);
		store_metrics_error(class);
		if (class == PG_CLASS_BUG)
			log_error(NULL, "%s: PostgreSQL says %s %s", op->method->name, tx->sqlstate, tx->error);
		op_fail(op, pg_error_code(tx->sqlstate), tx->error);
		break;
	case PG_LOST:
		metric_inc(&metric_unconfirmed);
		op_fail(op, STARLING__CODE__CODE_UNAVAILABLE, "connection to PostgreSQL lost");
		break;
	}
	pg_tx_fini(tx);
	mem_free(r);
}

/* The least loaded connection for reads; one for writes when there is no other. NULL: none is up. */
static struct pg_conn *choose(struct pool *p)
{
	struct pg_conn *best = NULL, *spare = NULL;

	for (uint32_t i = 0; i < p->count; i++) {
		struct member *m = &p->members[(p->next + i) % p->count];
		struct pg_conn **place = m->lane ? &spare : &best;

		if (m->up && (!*place || pg_conn_load(m->conn) < pg_conn_load(*place)))
			*place = m->conn;
	}
	p->next++;
	return best ? best : spare;
}

static void send_read(struct pg_conn *conn, struct op *op)
{
	struct read *r = mem_new(struct read);

	r->op = op;
	pg_tx_init(&r->tx, 2, on_read_end);
	pg_conn_step(conn, &r->tx, op->statement, &op->args);
	if (op->has_head)
		pg_conn_step(conn, &r->tx, op->head_statement, &op->head_args);
	pg_conn_commit(conn, &r->tx);
}

static void send_waiting_reads(struct pool *p)
{
	struct pg_conn *conn;

	while (!list_empty(&p->reads) && (conn = choose(p)) != NULL) {
		struct op *op = list_entry(p->reads.next, struct op, node);

		list_remove(&op->node);
		send_read(conn, op);
	}
}

/* --- submitting ---------------------------------------------------------------------------------------------------- */

void pool_submit(struct pool *p, struct op *op)
{
	struct pg_conn *conn;

	if (p->up == 0 && clock_mono_ms() - p->down_since_ms >= p->config.wait_ms) {
		metric_inc(&metric_refused_away);
		op_fail(op, STARLING__CODE__CODE_UNAVAILABLE, "PostgreSQL is away");
		return;
	}
	if (op->method->kind != METHOD_READ) {
		/* The lowest bit says only whether a lock is shared (handlers/mqtt.h). */
		lane_push(p->members[(op->lock >> 1) % p->lanes].lane, op);
		p->dirty = true;
		return;
	}
	conn = choose(p);
	if (conn)
		send_read(conn, op);
	else
		list_push_back(&p->reads, &op->node);
}

static void on_turn(uv_prepare_t *turn)
{
	struct pool *p = turn->data;

	if (!p->dirty)
		return;
	p->dirty = false;
	for (uint32_t i = 0; i < p->lanes; i++)
		lane_kick(p->members[i].lane);
}

/* Waiting has an end, also for the lane of one connection that stays away while the others are there. */
static void on_expire(uv_timer_t *timer)
{
	struct pool *p = timer->data;
	uint64_t now = clock_mono_ms(), before = now > p->config.wait_ms ? now - p->config.wait_ms : 0;

	for (uint32_t i = 0; i < p->lanes; i++)
		if (!p->members[i].up)
			lane_fail_waiting(p->members[i].lane, before, "no connection to PostgreSQL");
	while (!list_empty(&p->reads) && list_entry(p->reads.next, struct op, node)->queued_ms < before) {
		metric_inc(&metric_refused_away);
		op_fail(list_entry(p->reads.next, struct op, node), STARLING__CODE__CODE_UNAVAILABLE, "no connection to PostgreSQL");
	}
}

/* --- connections --------------------------------------------------------------------------------------------------- */

static void member_up(struct pool *p, struct member *m)
{
	m->up = true;
	metric_set(&metric_connections_up, ++p->up);
	if (p->up == 1) {
		p->told = false;
		fence_forget(&p->fences);
		p->config.on_state(true, NULL, p->config.ctx);
	}
	if (m->lane)
		lane_kick(m->lane);
	send_waiting_reads(p);
}

static void member_down(struct pool *p, struct member *m, const char *why)
{
	if (m->up) {
		m->up = false;
		metric_set(&metric_connections_up, --p->up);
		metric_inc(&metric_losses);
		if (p->up == 0)
			p->down_since_ms = clock_mono_ms();
		if (m->lane)
			lane_fail_waiting(m->lane, UINT64_MAX, "connection to PostgreSQL lost");
	}
	if (p->up == 0 && !p->told) {
		p->told = true;
		p->config.on_state(false, why, p->config.ctx);
	}
}

static void on_conn_state(bool up, const char *why, void *ctx)
{
	struct member *m = ctx;

	if (up)
		member_up(m->pool, m);
	else
		member_down(m->pool, m, why);
}

static void member_init(struct pool *p, struct member *m, bool writes)
{
	const struct lane_config lane = { p->config.loop,     p->config.batch_max, p->config.batch_bytes,
		                          p->config.batch_ms, &p->fences,          p->config.log };
	const struct pg_conn_config conn = {
		.loop = p->config.loop,
		.dsn = p->config.dsn,
		.statements = statements_all(),
		.statement_count = STATEMENT_COUNT,
		.connect_timeout_ms = p->config.connect_timeout_ms,
		.statement_timeout_ms = p->config.statement_timeout_ms,
		.log = p->config.log,
		.on_state = on_conn_state,
		.ctx = m,
	};

	m->pool = p;
	m->conn = pg_conn_new(&conn);
	if (!writes)
		return;
	m->lane = lane_new(&lane);
	lane_set_conn(m->lane, m->conn);
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

struct pool *pool_new(const struct pool_config *config)
{
	struct pool *p = mem_new(struct pool);

	p->config = *config;
	p->count = config->connections;
	p->lanes = config->writers;
	p->members = mem_zalloc(p->count * sizeof *p->members);
	p->down_since_ms = clock_mono_ms();
	list_init(&p->reads);
	for (uint32_t i = 0; i < p->count; i++)
		member_init(p, &p->members[i], i < p->lanes);
	uv_prepare_init(config->loop, &p->turn);
	uv_timer_init(config->loop, &p->expire);
	p->turn.data = p->expire.data = p;
	uv_prepare_start(&p->turn, on_turn);
	uv_timer_start(&p->expire, on_expire, EXPIRE_MS, EXPIRE_MS);
	return p;
}

static void on_closed(uv_handle_t *handle)
{
	struct pool *p = handle->data;

	if (--p->closing == 0) {
		mem_free(p->members);
		mem_free(p);
	}
}

void pool_free(struct pool **pool)
{
	struct pool *p = *pool;

	if (!p)
		return;
	*pool = NULL;
	for (uint32_t i = 0; i < p->count; i++)
		pg_conn_free(&p->members[i].conn);
	for (uint32_t i = 0; i < p->count; i++)
		lane_free(&p->members[i].lane);
	while (!list_empty(&p->reads))
		op_fail(list_entry(p->reads.next, struct op, node), STARLING__CODE__CODE_UNAVAILABLE, "the store is closing");
	p->closing = 2;
	uv_close((uv_handle_t *)&p->turn, on_closed);
	uv_close((uv_handle_t *)&p->expire, on_closed);
}
