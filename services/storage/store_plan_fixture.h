/* SPDX-License-Identifier: Apache-2.0
 *
 * store_plan_fixture: for the tests that read plans (docs/decisions/0024-storage-plans.md). */
#ifndef STORAGE_STORE_PLAN_FIXTURE_H
#define STORAGE_STORE_PLAN_FIXTURE_H

#include "services/storage/op.h"
#include "services/storage/store_fixture.h"

/* What pg_conn.c sets on each connection. */
static inline void plans_begin(struct fixture *f)
{
	static const char *const settings[] = { "plan_cache_mode = force_generic_plan", "enable_seqscan = off", "enable_hashjoin = off",
		                                "enable_mergejoin = off", "enable_bitmapscan = off" };
	char sql[80];

	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		snprintf(sql, sizeof sql, "SET %s", settings[i]);
		fixture_sql(f, sql);
	}
}

static inline void plans_end(struct fixture *f)
{
	fixture_sql(f, "RESET ALL");
}

/* Every scan of a statement's plan is by an index and with a condition, or by place. nulls: "(NULL, ...)", one for each parameter. */
static inline void check_plan(struct fixture *f, uint32_t method, const char *nulls)
{
	char sql[128];
	PGresult *res;

	PQclear(PQprepare(f->sql, "p", statements_all()[(method & 0xff) - 1], 0, NULL));
	snprintf(sql, sizeof sql, "EXPLAIN EXECUTE p%s", nulls);
	res = PQexec(f->sql, sql);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		fail_msg("%s", PQresultErrorMessage(res));
	for (int i = 0; i < PQntuples(res); i++) {
		const char *line = PQgetvalue(res, i, 0), *next = i + 1 < PQntuples(res) ? PQgetvalue(res, i + 1, 0) : "";

		if (strstr(line, "Seq Scan") || strstr(line, "Bitmap") ||
		    (strstr(line, "Index") && strstr(line, " on ") && !strstr(next, "Cond")))
			fail_msg("%s: %s", methods[(method & 0xff) - 1]->name, line);
	}
	PQclear(res);
	fixture_sql(f, "DEALLOCATE p");
}

#endif
