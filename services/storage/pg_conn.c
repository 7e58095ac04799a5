/* SPDX-License-Identifier: Apache-2.0
 *
 * The first transaction on every new link sets the session up and prepares all statements; the connection is up when it has
 * committed. What libpq delivers is matched to transactions in order: results of a step, NULL, ..., PGRES_PIPELINE_SYNC. */
#include "services/storage/pg_conn.h"

#include <assert.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/storage/pg_error.h"
#include "services/storage/pg_link.h"

#define BACKOFF_MIN_MS 50u
#define BACKOFF_MAX_MS 3000u
#define WATCH_MS       1000u
#define SILENCE_MS     5000u

enum conn_state { CONN_WAITING, CONN_CONNECTING, CONN_SETTING_UP, CONN_UP };

struct pg_conn {
	struct pg_conn_config config;
	enum conn_state state;
	struct pg_link *link;
	uv_timer_t retry, watch;
	uint32_t closing; /* handles still open after free */
	uint32_t failures;
	struct list_node txs; /* sent, oldest first */
	uint32_t load;
	struct pg_tx setup;
};

/* Plans are made once and kept, so they must not depend on how full a table was then: by index, row by row. Left to itself,
 * PostgreSQL plans sequential scans and hashes while tables are new.
 *
 * The string of 8 MiB: glibc gives memory back to the kernel at the end of every statement that used more than 128 KiB, and for a batch of writes
 * that, and the page faults of the next, are a third of PostgreSQL's time. Freeing one large piece once makes it keep what a batch needs (mallopt(3),
 * M_MMAP_THRESHOLD: the threshold for trimming follows it). With another malloc it does nothing. */
static const char setup_sql[] =
        "SELECT set_config('statement_timeout', '%u', false), "
        "set_config('idle_in_transaction_session_timeout', '%u', false), "
        "set_config('plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false), "
        "set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false), "
        "set_config('enable_mergejoin', 'off', false), set_config('enable_bitmapscan', 'off', false), set_config('synchronous_commit', "
        "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false), "
        "octet_length(repeat('x', 8388608))";

void pg_tx_init(struct pg_tx *tx, uint32_t room, void (*on_end)(struct pg_tx *tx, enum pg_end end))
{
	*tx = (struct pg_tx){ .on_end = on_end, .room = room };
	list_init(&tx->node);
	tx->results = mem_zalloc(room * sizeof *tx->results);
}

void pg_tx_fini(struct pg_tx *tx)
{
	assert(list_unlinked(&tx->node));
	for (uint32_t i = 0; i < tx->steps; i++)
		PQclear(tx->results[i]);
	mem_free(tx->results);
	tx->results = NULL;
	tx->steps = 0;
}

/* --- results ----------------------------------------------------------------------------------------------------- */

static void tx_finish(struct pg_conn *c, struct pg_tx *tx, enum pg_end end)
{
	list_remove(&tx->node);
	c->load--;
	if (!list_empty(&c->txs))
		list_entry(c->txs.next, struct pg_tx, node)->since_ms = clock_mono_ms();
	tx->on_end(tx, end);
}

static void tx_error(struct pg_tx *tx, const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (tx->failed)
		return;
	tx->failed = true;
	snprintf(tx->sqlstate, sizeof tx->sqlstate, "%s", state ? state : "08006");
	snprintf(tx->error, sizeof tx->error, "%s", text ? text : "connection lost");
}

/* Takes over res. */
static void take(struct pg_conn *c, struct pg_tx *tx, PGresult *res)
{
	switch (PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		if (tx->at < tx->steps && !tx->results[tx->at]) {
			tx->results[tx->at] = res;
			return;
		}
		break;
	case PGRES_PIPELINE_SYNC:
		PQclear(res);
		tx_finish(c, tx, tx->failed ? PG_FAILED : PG_COMMITTED);
		return;
	case PGRES_PIPELINE_ABORTED:
		break;
	default:
		tx_error(tx, res);
		if (pg_error_class(tx->sqlstate) == PG_CLASS_STALE)
			pg_link_break(c->link, tx->error);
	}
	PQclear(res);
}

static void on_readable(void *ctx)
{
	struct pg_conn *c = ctx;
	PGconn *pg = pg_link_pg(c->link);

	if (list_empty(&c->txs)) {
		(void)PQisBusy(pg); /* parses notices, such as the server's farewell */
		return;
	}
	while (!list_empty(&c->txs) && !PQisBusy(pg)) {
		struct pg_tx *tx = list_entry(c->txs.next, struct pg_tx, node);
		PGresult *res = PQgetResult(pg);

		if (res) {
			take(c, tx, res);
		} else if (tx->at < tx->steps) {
			tx->at++;
		} else if (!tx->failed || PQstatus(pg) != CONNECTION_OK) {
			pg_link_break(c->link, NULL);
			return;
		}
	}
	pg_link_flush(c->link);
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

static void sent(struct pg_conn *c, struct pg_tx *tx, int ok)
{
	assert(tx->steps < tx->room);
	tx->steps++;
	if (!ok)
		pg_link_break(c->link, NULL);
}

uint32_t pg_conn_step(struct pg_conn *c, struct pg_tx *tx, uint32_t statement, const struct pg_args *args)
{
	const char *values[PG_ARGS_MAX], *data = buf_str(&args->data).p;
	int lengths[PG_ARGS_MAX], formats[PG_ARGS_MAX];
	char name[16];

	for (uint32_t i = 0; i < args->count; i++) {
		values[i] = args->arg[i].n < 0 ? NULL : data ? data + args->arg[i].at : "";
		lengths[i] = args->arg[i].n < 0 ? 0 : args->arg[i].n;
		formats[i] = 1;
	}
	snprintf(name, sizeof name, "s%u", statement);
	sent(c, tx, PQsendQueryPrepared(pg_link_pg(c->link), name, (int)args->count, values, lengths, formats, 1));
	return tx->steps - 1;
}

void pg_conn_commit(struct pg_conn *c, struct pg_tx *tx)
{
	tx->since_ms = clock_mono_ms();
	list_push_back(&c->txs, &tx->node);
	c->load++;
	if (!PQpipelineSync(pg_link_pg(c->link)))
		pg_link_break(c->link, NULL);
	pg_link_flush(c->link);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static void on_setup_end(struct pg_tx *tx, enum pg_end end)
{
	struct pg_conn *c = list_entry(tx, struct pg_conn, setup);

	if (end == PG_FAILED)
		pg_link_break(c->link, tx->error);
	pg_tx_fini(tx);
	if (end != PG_COMMITTED)
		return;
	c->state = CONN_UP;
	c->failures = 0;
	c->config.on_state(true, NULL, c->config.ctx);
}

static void on_up(void *ctx)
{
	struct pg_conn *c = ctx;
	PGconn *pg = pg_link_pg(c->link);
	char sql[1024], name[16];

	c->state = CONN_SETTING_UP;
	if (!PQenterPipelineMode(pg)) {
		pg_link_break(c->link, NULL);
		return;
	}
	pg_tx_init(&c->setup, c->config.statement_count + 1, on_setup_end);
	snprintf(sql, sizeof sql, setup_sql, c->config.statement_timeout_ms, c->config.statement_timeout_ms + SILENCE_MS);
	sent(c, &c->setup, PQsendQueryParams(pg, sql, 0, NULL, NULL, NULL, NULL, 1));
	for (uint32_t i = 0; i < c->config.statement_count; i++) {
		snprintf(name, sizeof name, "s%u", i);
		sent(c, &c->setup, PQsendPrepare(pg, name, c->config.statements[i], 0, NULL));
	}
	pg_conn_commit(c, &c->setup);
}

static void lose_all(struct pg_conn *c)
{
	while (!list_empty(&c->txs))
		tx_finish(c, list_entry(c->txs.next, struct pg_tx, node), PG_LOST);
}

static void on_retry(uv_timer_t *timer);

static void on_down(const char *why, void *ctx)
{
	struct pg_conn *c = ctx;
	char text[512];
	uint32_t delay = BACKOFF_MIN_MS << (c->failures < 8 ? c->failures : 8);

	snprintf(text, sizeof text, "%s", why);
	pg_link_free(&c->link);
	c->state = CONN_WAITING;
	c->failures++;
	delay = delay > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : delay;
	delay = delay / 2 + (uint32_t)(random_u64() % (delay / 2 + 1));
	lose_all(c);
	log_debug(c->config.log, "connection to PostgreSQL down: %s; next attempt in %u ms", text, delay);
	uv_timer_start(&c->retry, on_retry, delay, 0);
	c->config.on_state(false, text, c->config.ctx);
}

static void on_retry(uv_timer_t *timer)
{
	static const struct pg_link_hooks hooks = { on_up, on_readable, on_down };
	struct pg_conn *c = timer->data;

	c->state = CONN_CONNECTING;
	c->link = pg_link_new(c->config.loop, c->config.dsn, c->config.connect_timeout_ms, &hooks, c);
}

/* A server that was stopped or a network that swallows everything: the oldest transaction has waited longer than the
 * server itself would let it run. */
static void on_watch(uv_timer_t *timer)
{
	struct pg_conn *c = timer->data;

	if (!c->link || list_empty(&c->txs))
		return;
	if (clock_mono_ms() - list_entry(c->txs.next, struct pg_tx, node)->since_ms > c->config.statement_timeout_ms + SILENCE_MS)
		pg_link_break(c->link, "no answer within the time limit");
}

struct pg_conn *pg_conn_new(const struct pg_conn_config *config)
{
	struct pg_conn *c = mem_new(struct pg_conn);

	c->config = *config;
	list_init(&c->txs);
	uv_timer_init(config->loop, &c->retry);
	uv_timer_init(config->loop, &c->watch);
	c->retry.data = c->watch.data = c;
	uv_timer_start(&c->retry, on_retry, 0, 0);
	uv_timer_start(&c->watch, on_watch, WATCH_MS, WATCH_MS);
	return c;
}

static void on_closed(uv_handle_t *handle)
{
	struct pg_conn *c = handle->data;

	if (--c->closing == 0)
		mem_free(c);
}

void pg_conn_free(struct pg_conn **conn)
{
	struct pg_conn *c = *conn;

	if (!c)
		return;
	*conn = NULL;
	pg_link_free(&c->link);
	c->state = CONN_WAITING;
	lose_all(c);
	c->closing = 2;
	uv_close((uv_handle_t *)&c->retry, on_closed);
	uv_close((uv_handle_t *)&c->watch, on_closed);
}

bool pg_conn_up(const struct pg_conn *c)
{
	return c->state == CONN_UP;
}

uint32_t pg_conn_load(const struct pg_conn *c)
{
	return c->load;
}
