/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/store.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/keeper.h"
#include "services/storage/migrate.h"
#include "services/storage/pool.h"
#include "services/storage/store_metrics.h"

struct store {
	struct store_config config;
	struct pg_dsn dsn;
	struct migrate *migrate; /* until the schema is right */
	struct pool *pool;       /* from then on */
	struct keeper *keeper;
	struct arena *scratch;
	uint32_t open;
	size_t open_bytes;
	uint64_t ended;
	bool up, ready, freeing;
	uint64_t away_since_ms; /* 0: not told */
};

/* --- here and away ------------------------------------------------------------------------------------------------- */

static void away(struct store *s, const char *why)
{
	s->up = false;
	if (s->away_since_ms)
		return;
	s->away_since_ms = clock_mono_ms();
	log_warn(s->config.log, "PostgreSQL is away: %s", why);
}

static void here(struct store *s)
{
	s->up = true;
	if (s->away_since_ms)
		log_info(s->config.log, "PostgreSQL is back after %llu ms", (unsigned long long)(clock_mono_ms() - s->away_since_ms));
	s->away_since_ms = 0;
	if (s->ready)
		return;
	s->ready = true;
	s->config.on_ready(s->config.ctx);
}

static void on_pool_state(bool up, const char *why, void *ctx)
{
	if (up)
		here(ctx);
	else
		away(ctx, why);
}

static void pool_start(struct store *s)
{
	const struct pool_config config = {
		.loop = s->config.loop,
		.dsn = &s->dsn,
		.connections = s->config.connections,
		.writers = s->config.writers,
		.connect_timeout_ms = s->config.connect_timeout_ms,
		.statement_timeout_ms = s->config.statement_timeout_ms,
		.wait_ms = s->config.wait_ms,
		.batch_max = s->config.batch_max,
		.batch_bytes = s->config.batch_bytes,
		.batch_ms = s->config.batch_ms,
		.log = s->config.log,
		.on_state = on_pool_state,
		.ctx = s,
	};

	s->pool = pool_new(&config);
}

static void keeper_start(struct store *s)
{
	const struct keeper_config config = {
		.loop = s->config.loop,
		.dsn = &s->dsn,
		.connect_timeout_ms = s->config.connect_timeout_ms,
		.statement_timeout_ms = s->config.statement_timeout_ms,
		.interval_ms = s->config.upkeep_ms,
		.limits = s->config.archive,
		.log = s->config.log,
	};

	if (s->config.upkeep_ms)
		s->keeper = keeper_new(&config);
}

static void on_migrated(uint32_t applied, uint32_t version, void *ctx)
{
	struct store *s = ctx;

	log_info(s->config.log, "schema is at version %u, %u new", version, applied);
	migrate_free(&s->migrate);
	pool_start(s);
	keeper_start(s);
}

static void on_migrate_refused(const char *why, void *ctx)
{
	struct store *s = ctx;

	migrate_free(&s->migrate);
	s->config.on_refused(why, s->config.ctx);
}

static void on_migrate_away(const char *why, void *ctx)
{
	away(ctx, why);
}

static void migrate_start(struct store *s)
{
	const struct migrate_config config = {
		.loop = s->config.loop,
		.dsn = &s->dsn,
		.migrations = migrations,
		.count = migration_count,
		.connect_timeout_ms = s->config.connect_timeout_ms,
		.log = s->config.log,
		.on_done = on_migrated,
		.on_refused = on_migrate_refused,
		.on_away = on_migrate_away,
		.ctx = s,
	};

	s->migrate = migrate_new(&config);
}

/* --- operations ---------------------------------------------------------------------------------------------------- */

static void account(struct store *s, int count, size_t bytes)
{
	if (count > 0) {
		s->open++;
		s->open_bytes += bytes;
	} else {
		s->open--;
		s->open_bytes -= bytes;
	}
	metric_set(&metric_open, s->open);
	metric_set(&metric_open_bytes, (double)s->open_bytes);
}

static void on_op_free(struct op *op, int code, void *owner)
{
	struct store *s = owner;

	(void)code;
	s->ended++;
	account(s, -1, op->bytes);
	if (s->open == 0 && s->config.on_idle && !s->freeing)
		s->config.on_idle(s->config.ctx);
}

static void on_op_again(struct op *op, void *owner)
{
	struct store *s = owner;

	s->open_bytes -= op->bytes;
	op->bytes = op_bytes(op);
	s->open_bytes += op->bytes;
	pool_submit(s->pool, op);
}

void store_submit(struct store *s, uint32_t number, const ProtobufCMessage *request, struct str payload, uint64_t deadline_ms,
                  op_done_fn done, void *ctx)
{
	struct op *op = op_new(number - 1, &s->config.limits, s->scratch, done, ctx);
	const char *why = "";
	int code;

	op->deadline_ms = deadline_ms;
	if (s->open >= s->config.queue_max || s->open_bytes >= s->config.queue_bytes) {
		metric_inc(&metric_refused_full);
		op_fail(op, STARLING__CODE__CODE_OVERLOAD, "too many operations are open");
		return;
	}
	code = op->method->bind(op, request, payload, &why);
	if (code) {
		op_fail(op, code, why);
		return;
	}
	if (!s->pool) {
		metric_inc(&metric_refused_away);
		op_fail(op, STARLING__CODE__CODE_UNAVAILABLE, "the schema is not ready yet");
		return;
	}
	op->on_free = on_op_free;
	op->on_again = on_op_again;
	op->owner = s;
	op->bytes = op_bytes(op);
	account(s, 1, op->bytes);
	pool_submit(s->pool, op);
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

struct store *store_new(const struct store_config *config, struct err *e)
{
	struct store *s = mem_new(struct store);

	if (pg_dsn_init(&s->dsn, config->dsn, config->password_file, e) < 0) {
		mem_free(s);
		return NULL;
	}
	s->config = *config;
	s->config.dsn = s->config.password_file = NULL;
	s->scratch = arena_new(0);
	migrate_start(s);
	return s;
}

void store_free(struct store **store)
{
	struct store *s = *store;

	if (!s)
		return;
	*store = NULL;
	s->freeing = true;
	migrate_free(&s->migrate);
	keeper_free(&s->keeper);
	pool_free(&s->pool);
	pg_dsn_fini(&s->dsn);
	arena_free(&s->scratch);
	mem_free(s);
}

bool store_up(const struct store *s)
{
	return s->up;
}

uint32_t store_open(const struct store *s)
{
	return s->open;
}

uint64_t store_ended(const struct store *s)
{
	return s->ended;
}
