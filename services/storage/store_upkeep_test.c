/* SPDX-License-Identifier: Apache-2.0
 *
 * The upkeep of the message log against a real PostgreSQL: limits of archives, deleted accounts, partitions. Time is moved by moving rows. */
#include "services/storage/archive_limits.h"
#include "services/storage/store_log_calls.h"

#define DAY INT64_C(86400000000)

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

static int close_store(void **state)
{
	struct fixture *f = *state;

	store_free(&f->store);
	fixture_run_ms(f, 30);
	return 0;
}

/* Without a keeper: the test calls what it would. */
static void open_quiet(struct fixture *f)
{
	struct store_config config = fixture_config(f);

	fixture_open(f, &config);
}

static void open_keeping(struct fixture *f, const struct archive_limits *limits)
{
	struct store_config config = fixture_config(f);

	config.archive = limits;
	config.upkeep_ms = 1000;
	fixture_open(f, &config);
}

/* Runs the loop until the query gives the number. */
static void wait_for(struct fixture *f, const char *sql, long wanted)
{
	uint64_t end = clock_mono_ms() + ANSWER_MS;

	while (fixture_sql(f, sql) != wanted && clock_mono_ms() < end)
		fixture_run_ms(f, 50);
	assert_int_equal(fixture_sql(f, sql), wanted);
}

/* n archived messages to the account and as many from it. */
static uint64_t fill(struct fixture *f, const char *account, int n)
{
	uint64_t last = 0;

	assert_int_equal(fixture_account(f, account), OK);
	for (int i = 0; i < n; i++) {
		log_append_ok(f, &(struct message){ .sender = account, .to = "far@x.invalid" }, NULL);
		last = log_append_ok(f, &(struct message){ .recipient = account, .from = "far@x.invalid", .archived = true }, NULL);
	}
	return last;
}

static void age(struct fixture *f, const char *where, int64_t by)
{
	char sql[256];

	snprintf(sql, sizeof sql, "UPDATE message_log SET id = id - %lld WHERE %s", (long long)by, where);
	fixture_sql(f, sql);
}

static void test_limits(void **state)
{
	static const char old[] = "old@age.example", many[] = "many@count.example", free[] = "free@any.example";
	struct archive_limit hosts[] = { { (char *)"age.example", 10 * DAY, 0 },
		                         { (char *)"count.example", 0, 3 },
		                         { (char *)"any.example", 0, 0 } };
	struct archive_limits limits = { .all = { NULL, 1, 1 }, .hosts = hosts, .count = 3 };
	struct fixture *f = *state;
	uint64_t last;

	open_quiet(f);
	last = fill(f, old, 4);
	age(f, "sender IS NOT NULL OR recipient IS NOT NULL", 11 * DAY);
	/* The last one waits. */
	assert_int_equal(log_delivered_call(f, old, last - 11 * DAY - 1, NULL, 0, NULL), OK);
	log_append_ok(f, &(struct message){ .sender = old, .to = "far@x.invalid" }, NULL);
	last = fill(f, many, 4);
	assert_int_equal(log_delivered_call(f, many, last, NULL, 0, NULL), OK);
	fill(f, free, 2);
	close_store(state);
	open_keeping(f, &limits);
	wait_for(f, "SELECT count(*) FROM message_log", 2 + 3 + 4);
	assert_int_equal(log_count(f, old), 2);
	assert_int_equal(log_count(f, many), 3);
	assert_int_equal(log_count(f, free), 4);
	assert_int_equal(log_waiting(f, old), 1);
}

/* Names of what was delivered are kept for a day. */
static void test_sweep(void **state)
{
	static const char me[] = "me@sweep.example", her[] = "her@sweep.example";
	struct fixture *f = *state;
	uint64_t last = 0;

	open_quiet(f);
	fixture_sql(f, "TRUNCATE message_log");
	assert_int_equal(fixture_account(f, me), OK);
	assert_int_equal(fixture_account(f, her), OK);
	for (int i = 0; i < 6; i++)
		last = log_append_ok(f, &(struct message){ .sender = i % 2 ? her : NULL, .recipient = me, .from = her }, NULL);
	age(f, "true", 2 * DAY);
	last = log_append_ok(f, &(struct message){ .recipient = me, .from = her }, NULL);
	assert_int_equal(log_delivered_call(f, me, last, NULL, 0, NULL), OK);
	close_store(state);
	open_keeping(f, NULL);
	/* Three are hers, one is of today. */
	wait_for(f, "SELECT count(*) FROM message_log", 4);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM message_log WHERE recipient IS NOT NULL"), 1);
	assert_int_equal(log_count(f, her), 3);
	assert_int_equal(log_count(f, me), 0);
}

static void test_deleted(void **state)
{
	static const char me[] = "me@gone.example";
	struct fixture *f = *state;

	open_quiet(f);
	fill(f, me, 3);
	fixture_sql(f, "TRUNCATE accounts_gone");
	assert_int_equal(with_key(f, METHOD_STORAGE_ACCOUNT_DELETE, me), OK);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM message_log m WHERE m.sender = (SELECT account_id FROM accounts_gone) OR "
	                                "m.recipient = (SELECT account_id FROM accounts_gone)"),
	                 6);
	close_store(state);
	open_keeping(f, NULL);
	wait_for(f, "SELECT count(*) FROM accounts_gone", 0);
	assert_int_equal(fixture_sql(f,
	                             "SELECT count(*) FROM message_log m WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id IN (m.sender, "
	                             "m.recipient))"),
	                 0);
}

static void test_partitions(void **state)
{
	static const char me[] = "me@part.example";
	static const char parts[] = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'message_log'::regclass";
	struct fixture *f = *state;
	long before;

	open_quiet(f);
	before = fixture_sql(f, parts);
	fill(f, me, 2);
	/* Two months that have no partition, before the first; one message stays in the default partition. */
	fixture_sql(f, "UPDATE message_log SET id = id - 100 * 86400000000 WHERE sender IS NOT NULL");
	assert_true(fixture_sql(f, "SELECT count(*) FROM message_log_default") >= 2);
	fixture_sql(f, "SELECT message_log_partition((extract(epoch FROM now()) * 1000000)::bigint - 100 * 86400000000)");
	assert_int_equal(
	        fixture_sql(f, "SELECT count(*) FROM message_log_default WHERE id > 0 AND sender = (SELECT id FROM accounts WHERE host "
	                       "= 'part.example')"),
	        0);
	assert_int_equal(log_count(f, me), 4);
	fixture_sql(f, "SELECT message_log_partition((extract(epoch FROM now()) * 1000000)::bigint - 200 * 86400000000)");
	assert_int_equal(fixture_sql(f, parts), before + 2);
	close_store(state);
	/* The empty one of long ago goes, the next two months come. */
	open_keeping(f, NULL);
	wait_for(f,
	         "SELECT count(*) FROM pg_class WHERE relname ~ '^message_log_[0-9]{8}$' AND "
	         "to_timestamp(substr(relname, 13), 'YYYYMMDD') > now()",
	         2);
	wait_for(f,
	         "SELECT count(*) FROM pg_class WHERE relname ~ '^message_log_[0-9]{8}$' AND "
	         "to_timestamp(substr(relname, 13), 'YYYYMMDD') < now() - interval '170 days'",
	         0);
	assert_int_equal(log_count(f, me), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_limits, close_store),
		cmocka_unit_test_teardown(test_sweep, close_store),
		cmocka_unit_test_teardown(test_deleted, close_store),
		cmocka_unit_test_teardown(test_partitions, close_store),
	};

	return cmocka_run_group_tests(tests, setup_server, teardown_server);
}
