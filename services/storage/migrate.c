/* SPDX-License-Identifier: Apache-2.0
 *
 * One query after the other on a link of its own, in the simple protocol: a migration has many statements, and a query string of
 * many statements is one transaction. The lock is a session's and goes with the link. */
#include "services/storage/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/storage/pg_error.h"
#include "services/storage/pg_link.h"

#define RETRY_MIN_MS 200u
#define RETRY_MAX_MS 3000u

enum step { STEP_LOCK, STEP_TABLE, STEP_LIST, STEP_APPLY, STEP_DONE };

struct migrate {
	struct migrate_config config;
	enum step step;
	struct pg_link *link;
	uv_timer_t timer; /* the next attempt, or the deferred end */
	uint32_t failures;
	uint32_t found; /* highest version in the database */
	uint32_t applied;
	char sqlstate[6];
	char error[512]; /* of the query in hand; empty: none */
	char refused[512];
};

static void on_end(uv_timer_t *timer);
static void send_step(struct migrate *m);

/* The verdict is given from the loop, when no libpq call is on the stack. */
static void finish(struct migrate *m)
{
	m->step = STEP_DONE;
	uv_timer_start(&m->timer, on_end, 0, 0);
}

static void on_end(uv_timer_t *timer)
{
	struct migrate *m = timer->data;

	pg_link_free(&m->link);
	if (*m->refused)
		m->config.on_refused(m->refused, m->config.ctx);
	else
		m->config.on_done(m->applied, m->found, m->config.ctx);
}

static const struct migration *next_migration(const struct migrate *m)
{
	return m->found < m->config.count ? &m->config.migrations[m->found] : NULL;
}

static void send_migration(struct migrate *m)
{
	const struct migration *next = next_migration(m);
	struct buf sql = { 0 };

	buf_printf(&sql, "%s\n;\nINSERT INTO schema_version (version, name, checksum) VALUES (%u, '%s', '%s')", next->sql, next->version,
	           next->name, next->checksum);
	buf_append_char(&sql, '\0');
	if (!PQsendQuery(pg_link_pg(m->link), buf_str(&sql).p))
		pg_link_break(m->link, NULL);
	buf_fini(&sql);
}

static void send_step(struct migrate *m)
{
	static const char *const sql[] = {
		[STEP_LOCK] = "SELECT pg_advisory_lock(6004523341501923)",
		[STEP_TABLE] = ("CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY, name text NOT NULL, "
		                "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"),
		[STEP_LIST] = "SELECT version, checksum FROM schema_version ORDER BY version",
	};

	if (m->step == STEP_APPLY && !next_migration(m)) {
		finish(m);
		return;
	}
	if (m->step == STEP_APPLY)
		send_migration(m);
	else if (!PQsendQuery(pg_link_pg(m->link), sql[m->step]))
		pg_link_break(m->link, NULL);
	pg_link_flush(m->link);
}

/* What stands in the database must be what this build has; more than this build has is a newer neighbour's, which expands only. */
static void check_list(struct migrate *m, const PGresult *res)
{
	for (int i = 0; i < PQntuples(res); i++) {
		uint32_t version = (uint32_t)strtoul(PQgetvalue(res, i, 0), NULL, 10);

		if (version != m->found + 1) {
			snprintf(m->refused, sizeof m->refused, "the database lacks migration %u but has %u", m->found + 1, version);
			return;
		}
		m->found = version;
		if (version <= m->config.count && strcmp(PQgetvalue(res, i, 1), m->config.migrations[version - 1].checksum) != 0) {
			snprintf(m->refused, sizeof m->refused, "migration %u (%s) is not the one that was applied to this database",
			         version, m->config.migrations[version - 1].name);
			return;
		}
	}
}

static void query_failed(struct migrate *m)
{
	enum pg_class class = pg_error_class(m->sqlstate);

	if (class == PG_CLASS_AWAY || class == PG_CLASS_RETRY) {
		pg_link_break(m->link, m->error);
		return;
	}
	if (m->step == STEP_APPLY)
		snprintf(m->refused, sizeof m->refused, "migration %u (%s): %.400s", m->found + 1, next_migration(m)->name, m->error);
	else
		snprintf(m->refused, sizeof m->refused, "%s", m->error);
	finish(m);
}

static void query_done(struct migrate *m)
{
	if (*m->error) {
		query_failed(m);
		return;
	}
	if (*m->refused) {
		finish(m);
		return;
	}
	if (m->step == STEP_APPLY) {
		log_info(m->config.log, "schema brought to version %u (%s)", m->found + 1, next_migration(m)->name);
		m->found++;
		m->applied++;
	} else {
		m->step++;
	}
	send_step(m);
}

static void on_readable(void *ctx)
{
	struct migrate *m = ctx;
	PGconn *pg = pg_link_pg(m->link);
	PGresult *res;

	while (m->step != STEP_DONE && !PQisBusy(pg)) {
		res = PQgetResult(pg);
		if (!res) {
			if (PQstatus(pg) == CONNECTION_OK)
				query_done(m);
			if (PQtransactionStatus(pg) != PQTRANS_ACTIVE)
				return;
			continue;
		}
		if (PQresultStatus(res) == PGRES_FATAL_ERROR && !*m->error) {
			const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE),
			           *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

			snprintf(m->sqlstate, sizeof m->sqlstate, "%s", state ? state : "08006");
			snprintf(m->error, sizeof m->error, "%s", text ? text : "connection lost");
		} else if (m->step == STEP_LIST && PQresultStatus(res) == PGRES_TUPLES_OK) {
			check_list(m, res);
		}
		PQclear(res);
	}
}

static void on_up(void *ctx)
{
	struct migrate *m = ctx;

	m->step = STEP_LOCK;
	m->found = 0;
	m->error[0] = '\0';
	send_step(m);
}

static void on_attempt(uv_timer_t *timer);

static void on_down(const char *why, void *ctx)
{
	struct migrate *m = ctx;
	uint32_t delay = RETRY_MIN_MS << (m->failures < 5 ? m->failures : 5);
	char text[512];

	if (m->step == STEP_DONE)
		return;
	snprintf(text, sizeof text, "%s", why);
	pg_link_free(&m->link);
	m->failures++;
	delay = delay > RETRY_MAX_MS ? RETRY_MAX_MS : delay;
	uv_timer_start(&m->timer, on_attempt, delay / 2 + random_u64() % (delay / 2 + 1), 0);
	m->config.on_away(text, m->config.ctx);
}

static void on_attempt(uv_timer_t *timer)
{
	static const struct pg_link_hooks hooks = { on_up, on_readable, on_down };
	struct migrate *m = timer->data;

	m->link = pg_link_new(m->config.loop, m->config.dsn, m->config.connect_timeout_ms, &hooks, m);
}

struct migrate *migrate_new(const struct migrate_config *config)
{
	struct migrate *m = mem_new(struct migrate);

	m->config = *config;
	uv_timer_init(config->loop, &m->timer);
	m->timer.data = m;
	uv_timer_start(&m->timer, on_attempt, 0, 0);
	return m;
}

static void on_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

void migrate_free(struct migrate **migrate)
{
	struct migrate *m = *migrate;

	if (!m)
		return;
	*migrate = NULL;
	pg_link_free(&m->link);
	uv_close((uv_handle_t *)&m->timer, on_closed);
}
