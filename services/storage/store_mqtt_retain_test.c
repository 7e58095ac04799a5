/* SPDX-License-Identifier: Apache-2.0
 *
 * Retained messages against a real PostgreSQL: what a topic has, limits, versions; what goes by itself. */
#include "common/base/hash.h"
#include "services/storage/store_mqtt_calls.h"

#define MANY 200

/* What is listed, as "topic=body " for each. */
static void check_list(struct fixture *f, const char *after, uint32_t limit, const char *expected, bool complete)
{
	struct answer a;
	const Starling__MqttRetainedReply *r = retained_call(f, after, limit, &a);
	char text[1000] = "";
	size_t n = 0;

	for (size_t i = 0; i < r->n_retained; i++) {
		const Starling__MqttMessage *m = r->retained[i]->message;

		assert_true(r->retained[i]->version > 0 && m->retain && m->qos == 1);
		n += (size_t)snprintf(text + n, sizeof text - n, "%s=%.*s ", m->topic, (int)m->payload.len, (const char *)m->payload.data);
		assert_true(n < sizeof text);
	}
	assert_string_equal(text, expected);
	assert_int_equal(r->complete, complete);
	answer_free(&a);
}

/* The totals say what the rows come to. */
static void check_totals(struct fixture *f)
{
	assert_int_equal(
	        fixture_sql(
	                f,
	                "SELECT count(*) FROM (SELECT stripe, count(*) AS count, sum(size) AS bytes FROM mqtt_retained GROUP BY stripe) r "
	                "FULL JOIN mqtt_retained_total t USING (stripe) WHERE coalesce(r.count, 0) <> t.count OR coalesce(r.bytes, 0) <> "
	                "t.bytes"),
	        0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM mqtt_retained WHERE size < octet_length(topic) + octet_length(message)"), 0);
}

static void fresh(struct fixture *f)
{
	fixture_sql(f, "TRUNCATE mqtt_retained");
	fixture_sql(f, "UPDATE mqtt_retained_total SET count = 0, bytes = 0");
}

static void test_retain(void **state)
{
	struct fixture *f = *state;
	uint64_t one, two, three, four, five;

	fresh(f);
	check_list(f, "", 10, "", true);
	assert_int_equal(retain_call(f, "h/a", "1", 0, &one), OK);
	assert_int_equal(retain_call(f, "h/b", "2", 0, &two), OK);
	assert_int_equal(retain_call(f, "h/a", "longer", 0, &three), OK);
	assert_true(one > 0 && two > one && three > two);
	check_list(f, "", 10, "h/a=longer h/b=2 ", true);
	check_totals(f);
	/* Taken away, and what is not there, too; a version each time. */
	assert_int_equal(retain_call(f, "h/a", "", 0, &four), OK);
	assert_int_equal(retain_call(f, "h/a", "", 0, &five), OK);
	assert_true(four > three && five > four);
	check_list(f, "", 10, "h/b=2 ", true);
	check_totals(f);
}

static void test_pages(void **state)
{
	struct fixture *f = *state;
	char *longest = mem_alloc(65801), large[4001];
	struct answer a;

	fresh(f);
	assert_int_equal(retain_call(f, "h/3", "c", 0, NULL), OK);
	assert_int_equal(retain_call(f, "h/1", "a", 0, NULL), OK);
	assert_int_equal(retain_call(f, "h/2", "b", 0, NULL), OK);
	check_list(f, "", 2, "h/1=a h/2=b ", false);
	check_list(f, "h/2", 2, "h/3=c ", true);
	check_list(f, "h/1", 2, "h/2=b h/3=c ", true);
	check_list(f, "h/3", 2, "", true);
	/* Two of which an index has only the same beginning. */
	memset(longest, 'x', 65800);
	longest[65800] = '\0';
	assert_int_equal(retain_call(f, longest, "1", 0, NULL), OK);
	longest[65799] = 'y';
	assert_int_equal(retain_call(f, longest, "2", 0, NULL), OK);
	longest[65799] = 'x';
	assert_int_equal(retained_call(f, longest, 5, &a)->n_retained, 1);
	answer_free(&a);
	assert_int_equal(retain_call(f, longest, "", 0, NULL), OK);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM mqtt_retained WHERE topic LIKE '%xy'"), 1);
	/* The fixture's replies end beyond 10000 bytes. */
	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	for (int i = 0; i < 5; i++) {
		char topic[16];

		snprintf(topic, sizeof topic, "i/%d", i);
		assert_int_equal(retain_call(f, topic, large, 0, NULL), OK);
	}
	assert_int_equal(retained_call(f, "i", 500, &a)->n_retained, 3);
	assert_false(((Starling__MqttRetainedReply *)a.reply)->complete);
	answer_free(&a);
	check_totals(f);
	mem_free(longest);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	Starling__MqttRetainRequest r = STARLING__MQTT_RETAIN_REQUEST__INIT;
	Starling__MqttRetainedRequest list = STARLING__MQTT_RETAINED_REQUEST__INIT;
	Starling__MqttMessage m = mqtt_message("h/t", 1);
	char *overlong = mem_alloc(65802);

	memset(overlong, 'x', 65801);
	overlong[65801] = '\0';
	fresh(f);
	assert_int_equal(retain_call(f, "", "x", 0, NULL), INVALID);
	assert_int_equal(retain_call(f, "", "", 0, NULL), INVALID);
	assert_int_equal(retain_call(f, "bad\xff", "x", 0, NULL), INVALID);
	assert_int_equal(retain_call(f, overlong, "x", 0, NULL), INVALID);
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_RETAIN, &r), INVALID);
	r.message = &m;
	m.payload = data("x");
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_RETAIN, &r), INVALID);
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_RETAINED_LIST, &list), INVALID);
	list.limit = 501;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_MQTT_RETAINED_LIST, &list), INVALID);
	check_list(f, "", 10, "", true);
	mem_free(overlong);
}

/* Many of a few topics at once: each topic has the last, with the highest version; others read it so at any time. */
static void test_versions(void **state)
{
	struct fixture *f = *state;
	struct answer *a = mem_zalloc(MANY * sizeof *a), page;
	const Starling__MqttRetainedReply *r;
	uint64_t last[7] = { 0 };

	fresh(f);
	for (int i = 0; i < MANY; i++) {
		Starling__MqttRetainRequest request = STARLING__MQTT_RETAIN_REQUEST__INIT;
		Starling__MqttMessage m;
		char topic[16], body[16];

		snprintf(topic, sizeof topic, "v/%d", i % 7);
		snprintf(body, sizeof body, "%d", i);
		m = mqtt_message(topic, 1);
		request.message = &m;
		fixture_send(f, METHOD_STORAGE_MQTT_RETAIN, &request, str_from(body), &a[i]);
		if (i % 30 == 0)
			uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	for (int i = 0; i < MANY; i++) {
		uint64_t version;

		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(a[i].code, OK);
		version = ((Starling__MqttRetainReply *)a[i].reply)->version;
		assert_true(version > last[i % 7]);
		last[i % 7] = version;
		answer_free(&a[i]);
	}
	r = retained_call(f, "v", 10, &page);
	assert_int_equal(r->n_retained, 7);
	for (int i = 0; i < 7; i++) {
		char body[16];

		snprintf(body, sizeof body, "%d", MANY - 1 - (MANY - 1 - i) % 7);
		assert_true(r->retained[i]->version == last[i]);
		assert_true(data_is(r->retained[i]->message->payload, body));
	}
	answer_free(&page);
	mem_free(a);
	check_totals(f);
}

/* A version is drawn under the lock of the topic's stripe, of which there are 64. */
static void test_lock(void **state)
{
	struct fixture *f = *state;
	Starling__MqttRetainRequest r = STARLING__MQTT_RETAIN_REQUEST__INIT;
	Starling__MqttMessage m = mqtt_message("lock/1", 1);
	uint64_t hash = hash_fnv1a64(STR("lock/1")), drawn;
	struct answer a;
	char sql[100];

	snprintf(sql, sizeof sql, "BEGIN; SELECT pg_advisory_xact_lock(1398031706, %u)", (uint32_t)((hash ^ hash >> 32) % 64));
	fixture_sql(f, sql);
	r.message = &m;
	fixture_send(f, METHOD_STORAGE_MQTT_RETAIN, &r, STR("x"), &a);
	fixture_run_ms(f, 150);
	assert_false(a.done);
	drawn = (uint64_t)fixture_sql(f, "SELECT nextval('mqtt_retained_versions')");
	fixture_sql(f, "COMMIT");
	assert_true(fixture_until(f, &a.done));
	assert_true(((Starling__MqttRetainReply *)a.reply)->version > drawn);
	answer_free(&a);
}

static void reopen(struct fixture *f, uint64_t count, uint64_t bytes, uint64_t upkeep_ms)
{
	struct store_config config = fixture_config(f);

	store_free(&f->store);
	fixture_run_ms(f, 30);
	config.limits.retained_count = count;
	config.limits.retained_bytes = bytes;
	config.upkeep_ms = upkeep_ms;
	fixture_open(f, &config);
	fixture_wait_connections(f, config.connections);
}

static void test_limits(void **state)
{
	struct fixture *f = *state;

	fresh(f);
	reopen(f, 3, 0, 0);
	assert_int_equal(retain_call(f, "h/1", "x", 0, NULL), OK);
	assert_int_equal(retain_call(f, "h/2", "x", 0, NULL), OK);
	assert_int_equal(retain_call(f, "h/3", "x", 0, NULL), OK);
	assert_int_equal(retain_call(f, "h/4", "x", 0, NULL), LIMIT);
	/* Those that are there may change, and make room. */
	assert_int_equal(retain_call(f, "h/3", "much longer", 0, NULL), OK);
	assert_int_equal(retain_call(f, "h/4", "", 0, NULL), OK);
	assert_int_equal(retain_call(f, "h/1", "", 0, NULL), OK);
	assert_int_equal(retain_call(f, "h/4", "x", 0, NULL), OK);
	assert_int_equal(retain_call(f, "h/1", "x", 0, NULL), LIMIT);
	check_totals(f);
	fresh(f);
	reopen(f, 0, 200, 0);
	assert_int_equal(retain_call(f, "h/1", "0123456789012345678901234567890123456789", 0, NULL), OK);
	assert_int_equal(retain_call(f, "h/2", "0123456789012345678901234567890123456789", 0, NULL), OK);
	assert_int_equal(retain_call(f, "h/3",
	                             "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
	                             0, NULL),
	                 LIMIT);
	assert_int_equal(retain_call(f, "h/3", "x", 0, NULL), OK);
	/* Growing is refused, and the former stays; shrinking is not. */
	assert_int_equal(retain_call(f, "h/3",
	                             "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
	                             0, NULL),
	                 LIMIT);
	check_list(f, "h/2", 10, "h/3=x ", true);
	assert_int_equal(retain_call(f, "h/2", "y", 0, NULL), OK);
	check_totals(f);
	reopen(f, 0, 0, 0);
}

/* Runs the loop until the query gives the number. */
static void wait_for(struct fixture *f, const char *sql, long wanted)
{
	uint64_t end = clock_mono_ms() + ANSWER_MS;

	while (fixture_sql(f, sql) != wanted && clock_mono_ms() < end)
		fixture_run_ms(f, 50);
	assert_int_equal(fixture_sql(f, sql), wanted);
}

/* Expired ones are not listed, and go; so does what ended sessions have left, a minute later, and old names. */
static void test_upkeep(void **state)
{
	struct fixture *f = *state;
	int64_t now = clock_wall_us();
	Starling__MqttFence ended = open_new(f, "upkeep.example/ended"), open = open_new(f, "upkeep.example/open"), young;

	fresh(f);
	for (int i = 0; i < 20; i++) {
		char topic[16];

		snprintf(topic, sizeof topic, "old/%d", i);
		assert_int_equal(retain_call(f, topic, "x", now - 1000000, NULL), OK);
	}
	assert_int_equal(retain_call(f, "new/1", "x", now + INT64_C(3600000000), NULL), OK);
	assert_int_equal(retain_call(f, "new/2", "y", 0, NULL), OK);
	check_list(f, "", 10, "new/1=x new/2=y ", true);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(queue_call(f, &(struct queued){ .fence = ended, .seq = i, .qos = 2, .origin = 9, .number = i }), STORED);
		assert_int_equal(queue_call(f, &(struct queued){ .fence = open, .seq = i, .qos = 2, .origin = 9, .number = i }), STORED);
	}
	assert_int_equal(done_call(f, ended, (uint64_t[]){ 1 }, 1, NULL, 0), OK);
	assert_int_equal(done_call(f, open, (uint64_t[]){ 1, 2 }, 2, NULL, 0), OK);
	assert_int_equal(subscribe_call(f, ended, "a", 0, 0, NULL), OK);
	assert_int_equal(subscribe_call(f, open, "a", 0, 0, NULL), OK);
	assert_int_equal(receive_call(f, ended, 1, NULL), OK);
	assert_int_equal(receive_call(f, open, 1, NULL), OK);
	assert_int_equal(close_call(f, ended, true), OK);
	fixture_sql(f, "UPDATE mqtt_gone SET at_us = at_us - 61000000");
	fixture_sql(f, "UPDATE mqtt_name SET at_us = at_us - 601000000 WHERE key_number = 2");
	young = open_new(f, "upkeep.example/young");
	assert_int_equal(queue_call(f, &(struct queued){ .fence = young, .seq = 1 }), STORED);
	assert_int_equal(close_call(f, young, true), OK);
	reopen(f, 0, 0, 1000);
	wait_for(f, "SELECT count(*) FROM mqtt_retained", 2);
	wait_for(f, "SELECT count(*) FROM mqtt_gone", 1);
	check_totals(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM mqtt_queue"), 2);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM mqtt_subscription"), 1);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM mqtt_received"), 1);
	wait_for(f, "SELECT count(*) FROM mqtt_name", 1);
	assert_int_equal(waiting(f, open.session), 1);
}

/* A long queue goes in pieces. */
static void test_bury_pieces(void **state)
{
	struct fixture *f = *state;

	reopen(f, 0, 0, 0);
	fixture_sql(f, "TRUNCATE mqtt_queue, mqtt_gone");
	fixture_sql(f, "INSERT INTO mqtt_gone SELECT n, 0 FROM generate_series(1, 3) n");
	fixture_sql(f, "INSERT INTO mqtt_queue SELECT 2, n, 0, 0, 1, NULL, 'x' FROM generate_series(1, 25) n");
	assert_int_equal(fixture_sql(f, "SELECT mqtt_bury(10)"), 10);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM mqtt_queue"), 16);
	assert_int_equal(fixture_sql(f, "SELECT mqtt_bury(10)"), 10);
	assert_int_equal(fixture_sql(f, "SELECT mqtt_bury(10)"), 8);
	assert_int_equal(fixture_sql(f, "SELECT mqtt_bury(10)"), 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM mqtt_queue"), 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM mqtt_gone"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retain),   cmocka_unit_test(test_pages),       cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_versions), cmocka_unit_test(test_lock),        cmocka_unit_test(test_limits),
		cmocka_unit_test(test_upkeep),   cmocka_unit_test(test_bury_pieces),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
