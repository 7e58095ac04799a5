/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store does for mqtt-brokers goes by index, while the tables are new and when they are full. */
#include "services/storage/store_mqtt_calls.h"
#include "services/storage/store_plan_fixture.h"

static void check_plans(struct fixture *f)
{
	plans_begin(f);
	check_plan(f, METHOD_STORAGE_MQTT_SESSION_SET, "(NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
	check_plan(f, METHOD_STORAGE_MQTT_CLOSE, "(NULL, NULL, NULL)");
	check_plan(f, METHOD_STORAGE_MQTT_SUBSCRIBE, "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
	check_plan(f, METHOD_STORAGE_MQTT_DONE, "(NULL, NULL, NULL, NULL)");
	check_plan(f, METHOD_STORAGE_MQTT_RECEIVE, "(NULL, NULL, NULL)");
	check_plan(f, METHOD_STORAGE_MQTT_RELEASED, "(NULL, NULL, NULL)");
	check_plan(f, METHOD_STORAGE_MQTT_QUEUE, "(NULL, NULL, NULL, NULL, NULL)");
	check_plan(f, METHOD_STORAGE_MQTT_FETCH, "(NULL, NULL, NULL, NULL)");
	plans_end(f);
}

/* Functions plan inside. In one transaction PostgreSQL counts how each table was read: never as a whole, and not by more index entries than there is reason. */
static void check_functions(struct fixture *f, const char *all_slots, long reads)
{
	static const char *const calls[] = {
		"SELECT o_code FROM mqtt_open('h/500', 1, '', 5, 10, NULL, 0, false, 1, '{}')",
		"SELECT o_code FROM mqtt_open('h/501', 1, '', 5, 10, NULL, 0, true, 1, '{}')",
		"SELECT mqtt_subscribe(7, '{1,2}', '{a,b}', '{0,0}', '{3}', 10, 1000)",
		"SELECT mqtt_has(7, true, 1, 999999)",
		"SELECT mqtt_has(7, false, 1, 999999)",
		"SELECT o_code FROM mqtt_retain('h/500', 3, 'x', 0, 1000000, 1000000000)",
		"SELECT o_code FROM mqtt_retain('h/new', 3, 'x', 5, 1000000, 1000000000)",
		"SELECT count(*) FROM mqtt_retained_page('h/500', 10, 1000000)",
		"SELECT mqtt_forget_names(10)",
		"SELECT mqtt_bury(10)",
		"SELECT mqtt_expire_retained(10)",
	};
	char sql[8192];

	plans_begin(f);
	fixture_sql(f, "BEGIN");
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		fixture_sql(f, calls[i]);
	snprintf(sql, sizeof sql, "SELECT count(*) FROM mqtt_adopt('%s', 2, '{3}', 'h/200', 10, 1000000)", all_slots);
	fixture_sql(f, sql);
	assert_int_equal(fixture_sql(f, "SELECT sum(seq_scan) FROM pg_stat_xact_user_tables WHERE relname LIKE 'mqtt%'"), 0);
	assert_true(
	        fixture_sql(f, "SELECT sum(idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE relname IN ('mqtt_session', 'mqtt_retained', "
	                       "'mqtt_name', 'mqtt_gone')") <= reads);
	fixture_sql(f, "ROLLBACK");
	plans_end(f);
}

static void test_plans(void **state)
{
	struct fixture *f = *state;
	char slots[8192] = "{0";
	size_t n = 2;

	for (int i = 1; i < 1024; i++)
		n += (size_t)snprintf(slots + n, sizeof slots - n, ",%d", i);
	snprintf(slots + n, sizeof slots - n, "}");
	check_plans(f);
	check_functions(f, slots, 100);
	fixture_sql(f, "INSERT INTO mqtt_session SELECT n + 100000000, 1, 1, 10, 0, 0, 0, 5, 'h/' || n, '', NULL FROM generate_series(1, "
	               "20000) n");
	fixture_sql(f, "INSERT INTO mqtt_queue SELECT n % 10, n, 1, n, 1 + n % 2, NULL, 'x' FROM generate_series(1, 20000) n");
	fixture_sql(f, "INSERT INTO mqtt_name SELECT n % 10, 1, n, (extract(epoch FROM now()) * 1000000)::bigint FROM generate_series(1, "
	               "20000) n");
	fixture_sql(f, "INSERT INTO mqtt_subscription SELECT n / 10, n, 1, n::text FROM generate_series(1, 20000) n");
	fixture_sql(f, "INSERT INTO mqtt_received SELECT n / 10, n, n FROM generate_series(1, 20000) n");
	fixture_sql(f, "INSERT INTO mqtt_retained SELECT n, 0, n % 64, 10, 'h/' || n, 'x' FROM generate_series(1, 20000) n");
	/* As new as tables without statistics are, and then with them; new connections have no plans kept. */
	check_functions(f, slots, 200);
	for (int i = 0; i < 2; i++) {
		PQreset(f->sql);
		check_plans(f);
		check_functions(f, slots, 200);
		fixture_sql(f, "ANALYZE");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
