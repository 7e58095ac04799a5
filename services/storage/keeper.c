/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of duties. The timer looks which one has been due for the longest time; while there is one, they follow each other after short pauses. A duty that
 * says it has more to do is due again at once, behind those that wait. */
#include "services/storage/keeper.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/storage/pg_conn.h"
#include "services/storage/store_metrics.h"

#define PAUSE_MS 50u /* between two steps of a duty that has more to do */
#define TICK_MS  1000u
#define SOON_MS  60000u /* how often all is looked after but the limits of archives */
#define ROWS_MAX 1000   /* of one step */

struct keeper;

struct duty {
	const char *name, *sql;
	uint64_t every_ms; /* 0: as configured */
	void (*bind)(const struct keeper *k, struct pg_args *args);
	bool (*more)(struct keeper *k, const PGresult *res); /* true: once more, soon */
};

enum { DUTY_TURN, DUTY_BURY, DUTY_KEEP, DUTY_NAMES, DUTY_SESSIONS, DUTY_RETAINED, DUTY_COUNT };

struct keeper {
	struct keeper_config config;
	struct pg_conn *conn;
	const char *statements[DUTY_COUNT];
	uv_timer_t timer;
	struct pg_tx tx;
	bool busy;
	uint32_t duty; /* of the step on the way */
	uint64_t due_ms[DUTY_COUNT];
	int64_t after; /* account at which the round over all stands */
};

/* --- duties -------------------------------------------------------------------------------------------------------- */

static bool erased(int64_t rows)
{
	metric_add(&metric_erased, rows > 0 ? (double)rows : 0);
	return rows > 0;
}

static void bind_nothing(const struct keeper *k, struct pg_args *args)
{
	(void)k;
	(void)args;
}

static bool more_turn(struct keeper *k, const PGresult *res)
{
	int64_t n = pg_get_int8(res, 0, 0);

	if (n > 0)
		log_info(k->config.log, "partitions of the message log: %lld made or dropped", (long long)n);
	return n > 0;
}

static void bind_most(const struct keeper *k, struct pg_args *args)
{
	(void)k;
	pg_args_int8(args, ROWS_MAX);
}

static bool more_bury(struct keeper *k, const PGresult *res)
{
	(void)k;
	return erased(pg_get_int8(res, 0, 0));
}

static bool more_mqtt(struct keeper *k, const PGresult *res)
{
	(void)k;
	return pg_get_int8(res, 0, 0) > 0;
}

static void bind_keep(const struct keeper *k, struct pg_args *args)
{
	static const struct archive_limits none;
	const struct archive_limits *l = k->config.limits ? k->config.limits : &none;
	uint32_t n = (uint32_t)l->count;
	struct pg_array array;

	pg_args_int8(args, k->after);
	array = pg_array_begin(args, PG_TEXT, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_bytes(&array, str_from(l->hosts[i].host));
	pg_array_end(&array);
	array = pg_array_begin(args, PG_INT8, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_int8(&array, l->hosts[i].max_age_us);
	pg_array_end(&array);
	array = pg_array_begin(args, PG_INT8, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_int8(&array, l->hosts[i].max_messages);
	pg_array_end(&array);
	pg_args_int8(args, l->all.max_age_us);
	pg_args_int8(args, l->all.max_messages);
	pg_args_int8(args, ROWS_MAX);
}

static bool more_keep(struct keeper *k, const PGresult *res)
{
	erased(pg_get_int8(res, 0, 1));
	k->after = pg_get_int8(res, 0, 0); /* 0 for null */
	return !PQgetisnull(res, 0, 0);
}

static const struct duty duties[DUTY_COUNT] = {
	[DUTY_TURN] = { "partitions", "SELECT message_log_turn()", SOON_MS, bind_nothing, more_turn },
	[DUTY_BURY] = { "deleted accounts", "SELECT message_log_bury($1)", SOON_MS, bind_most, more_bury },
	[DUTY_KEEP] = { "archives", "SELECT next, done FROM message_log_keep($1, $2, $3, $4, $5, $6, $7)", 0, bind_keep, more_keep },
	[DUTY_NAMES] = { "names of MQTT messages", "SELECT mqtt_forget_names($1)", SOON_MS, bind_most, more_mqtt },
	[DUTY_SESSIONS] = { "ended MQTT sessions", "SELECT mqtt_bury($1)", SOON_MS, bind_most, more_mqtt },
	[DUTY_RETAINED] = { "expired retained messages", "SELECT mqtt_expire_retained($1)", SOON_MS, bind_most, more_mqtt },
};

/* --- steps --------------------------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

/* DUTY_COUNT: none is due. */
static uint32_t next_duty(const struct keeper *k)
{
	uint64_t best = clock_mono_ms();
	uint32_t next = DUTY_COUNT;

	for (uint32_t i = 0; i < DUTY_COUNT; i++)
		if (k->due_ms[i] < best || (next == DUTY_COUNT && k->due_ms[i] == best)) {
			best = k->due_ms[i];
			next = i;
		}
	return next;
}

static void on_step_end(struct pg_tx *tx, enum pg_end end)
{
	struct keeper *k = list_entry(tx, struct keeper, tx);
	const struct duty *d = &duties[k->duty];
	uint64_t every_ms = d->every_ms ? d->every_ms : k->config.interval_ms;

	k->busy = false;
	k->due_ms[k->duty] = clock_mono_ms();
	if (end == PG_FAILED)
		log_info(k->config.log, "upkeep, %s: %s %s", d->name, tx->sqlstate, tx->error);
	if (end != PG_COMMITTED || !d->more(k, tx->results[0]))
		k->due_ms[k->duty] += every_ms;
	if (next_duty(k) < DUTY_COUNT)
		uv_timer_start(&k->timer, on_timer, PAUSE_MS, TICK_MS);
	pg_tx_fini(tx);
}

static void step(struct keeper *k, uint32_t duty)
{
	struct pg_args args = { 0 };

	k->busy = true;
	k->duty = duty;
	duties[duty].bind(k, &args);
	pg_tx_init(&k->tx, 1, on_step_end);
	pg_conn_step(k->conn, &k->tx, duty, &args);
	pg_conn_commit(k->conn, &k->tx);
	pg_args_fini(&args);
}

static void on_timer(uv_timer_t *timer)
{
	struct keeper *k = timer->data;
	uint32_t duty = next_duty(k);

	if (duty < DUTY_COUNT && !k->busy && pg_conn_up(k->conn))
		step(k, duty);
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

static void on_conn_state(bool up, const char *why, void *ctx)
{
	(void)up;
	(void)why;
	(void)ctx;
}

struct keeper *keeper_new(const struct keeper_config *config)
{
	struct keeper *k = mem_new(struct keeper);
	const struct pg_conn_config conn = {
		.loop = config->loop,
		.dsn = config->dsn,
		.statements = k->statements,
		.statement_count = DUTY_COUNT,
		.connect_timeout_ms = config->connect_timeout_ms,
		.statement_timeout_ms = config->statement_timeout_ms,
		.log = config->log,
		.on_state = on_conn_state,
	};

	for (uint32_t i = 0; i < DUTY_COUNT; i++)
		k->statements[i] = duties[i].sql;
	k->config = *config;
	k->conn = pg_conn_new(&conn);
	uv_timer_init(config->loop, &k->timer);
	k->timer.data = k;
	uv_timer_start(&k->timer, on_timer, PAUSE_MS, TICK_MS);
	return k;
}

static void on_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

void keeper_free(struct keeper **keeper)
{
	struct keeper *k = *keeper;

	if (!k)
		return;
	*keeper = NULL;
	pg_conn_free(&k->conn);
	uv_close((uv_handle_t *)&k->timer, on_closed);
}
