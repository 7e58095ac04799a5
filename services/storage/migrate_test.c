/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/migrate.h"

#include "services/storage/store_fixture.h"

struct run {
	bool ended;
	bool done;
	uint32_t applied, version;
	char why[512];
};

static int setup_server(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown_server(void **state)
{
	fixture_free(*state);
	return 0;
}

static void on_done(uint32_t applied, uint32_t version, void *ctx)
{
	struct run *r = ctx;

	r->ended = r->done = true;
	r->applied = applied;
	r->version = version;
}

static void on_refused(const char *why, void *ctx)
{
	struct run *r = ctx;

	r->ended = true;
	snprintf(r->why, sizeof r->why, "%s", why);
}

static void on_away(const char *why, void *ctx)
{
	(void)ctx;
	print_message("away: %s\n", why);
}

static struct migrate *begin(struct fixture *f, const struct pg_dsn *dsn, const struct migration *list, uint32_t count, struct run *r)
{
	const struct migrate_config config = {
		.loop = &f->loop,
		.dsn = dsn,
		.migrations = list,
		.count = count,
		.connect_timeout_ms = 5000,
		.on_done = on_done,
		.on_refused = on_refused,
		.on_away = on_away,
		.ctx = r,
	};

	*r = (struct run){ .ended = false };
	return migrate_new(&config);
}

static struct run run(struct fixture *f, const struct migration *list, uint32_t count)
{
	struct pg_dsn dsn;
	struct migrate *m;
	struct run r;

	assert_int_equal(pg_dsn_init(&dsn, f->dsn, NULL, NULL), 0);
	m = begin(f, &dsn, list, count, &r);
	assert_true(fixture_until(f, &r.ended));
	migrate_free(&m);
	pg_dsn_fini(&dsn);
	return r;
}

static const struct migration good[] = {
	{ 1, "one", "c1", "CREATE TABLE t1 (a int); -- a comment\nINSERT INTO t1 VALUES (1)" },
	{ 2, "two", "c2", "ALTER TABLE t1 ADD b int;\nCREATE TABLE t2 ();" },
	{ 3, "three", "c3", "CREATE TABLE t3 ()" },
};

static void test_in_steps(void **state)
{
	struct fixture *f = *state;
	struct run r = run(f, good, 1);

	assert_true(r.done);
	assert_int_equal(r.applied, 1);
	r = run(f, good, 2);
	assert_true(r.done);
	assert_int_equal(r.applied, 1);
	assert_int_equal(r.version, 2);
	r = run(f, good, 2);
	assert_int_equal(r.applied, 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM t1 WHERE b IS NULL"), 1);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM schema_version"), 2);
	/* An older build beside a newer one. */
	r = run(f, good, 1);
	assert_true(r.done);
	assert_int_equal(r.version, 2);
}

static void test_changed_file(void **state)
{
	static const struct migration changed[] = { { 1, "one", "c1", "" }, { 2, "two", "other", "" } };
	struct run r = run(*state, changed, 2);

	assert_false(r.done);
	assert_non_null(strstr(r.why, "migration 2"));
}

/* All of a migration or nothing, and the next start tries again. */
static void test_failing_file(void **state)
{
	static const struct migration bad[] = { { 1, "one", "c1", "" },
		                                { 2, "two", "c2", "" },
		                                { 3, "three", "c3", "CREATE TABLE half (); SELECT 1 / 0" } };
	struct fixture *f = *state;
	struct run r = run(f, bad, 3);

	assert_false(r.done);
	assert_non_null(strstr(r.why, "division by zero"));
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM pg_tables WHERE tablename = 'half'"), 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM schema_version"), 2);
	r = run(f, good, 3);
	assert_true(r.done);
	assert_int_equal(r.applied, 1);
}

static void test_race(void **state)
{
	struct fixture *f = *state;
	struct migrate *m[4];
	struct run r[4];
	struct pg_dsn dsn;
	uint32_t applied = 0;

	fixture_sql(f, "DROP TABLE schema_version, t1, t2, t3");
	assert_int_equal(pg_dsn_init(&dsn, f->dsn, NULL, NULL), 0);
	for (int i = 0; i < 4; i++)
		m[i] = begin(f, &dsn, good, 3, &r[i]);
	for (int i = 0; i < 4; i++) {
		assert_true(fixture_until(f, &r[i].ended));
		assert_true(r[i].done);
		assert_int_equal(r[i].version, 3);
		applied += r[i].applied;
		migrate_free(&m[i]);
	}
	assert_int_equal(applied, 3);
	pg_dsn_fini(&dsn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_steps),
		cmocka_unit_test(test_changed_file),
		cmocka_unit_test(test_failing_file),
		cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests(tests, setup_server, teardown_server);
}
