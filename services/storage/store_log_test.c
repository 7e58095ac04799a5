/* SPDX-License-Identifier: Apache-2.0
 *
 * The message log against a real PostgreSQL: appending. */
#include "services/storage/store_log_calls.h"

static void pair(struct fixture *f, const char *a, const char *b)
{
	assert_int_equal(fixture_account(f, a), OK);
	assert_int_equal(fixture_account(f, b), OK);
}

/* One row, seen by both; ids are times and rise. */
static void test_append(void **state)
{
	static const char juliet[] = "juliet@append.example", romeo[] = "romeo@append.example";
	struct fixture *f = *state;
	uint64_t before = (uint64_t)clock_wall_us(), one, two;
	struct answer a;
	const Starling__LogFetchReply *r;

	pair(f, juliet, romeo);
	one = log_append_ok(f,
	                    &(struct message){ .sender = juliet,
	                                       .recipient = romeo,
	                                       .archived = true,
	                                       .from = "juliet@append.example/balcony",
	                                       .id = "m1",
	                                       .body = "<message><body>1</body></message>" },
	                    NULL);
	two = log_append_ok(f, &(struct message){ .sender = juliet, .recipient = romeo }, NULL);
	assert_true(one >= before && one <= (uint64_t)clock_wall_us());
	assert_true(two > one);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM message_log"), 2);
	a = log_fetch_call(f, juliet, 0, 10, false);
	r = (const Starling__LogFetchReply *)a.reply;
	assert_int_equal(r->n_entries, 2);
	assert_true(r->complete);
	assert_true(r->entries[0]->sent && !r->entries[0]->received && r->entries[0]->archived);
	assert_string_equal(r->entries[0]->meta->from, "juliet@append.example/balcony");
	assert_true(data_is(r->entries[0]->stanza, "<message><body>1</body></message>"));
	answer_free(&a);
	a = log_fetch_call(f, juliet, 0, 10, true);
	assert_int_equal(((const Starling__LogFetchReply *)a.reply)->n_entries, 0);
	answer_free(&a);
	a = log_fetch_call(f, romeo, 0, 10, true);
	r = (const Starling__LogFetchReply *)a.reply;
	assert_int_equal(r->n_entries, 2);
	assert_true(!r->entries[0]->sent && r->entries[0]->received && r->entries[0]->archived && !r->entries[1]->archived);
	assert_int_equal(r->entries[0]->id, one);
	assert_int_equal(r->entries[1]->id, two);
	answer_free(&a);
	a = log_fetch_call(f, romeo, one, 10, true);
	assert_int_equal(((const Starling__LogFetchReply *)a.reply)->n_entries, 1);
	answer_free(&a);
}

static void test_append_refusals(void **state)
{
	static const char me[] = "me@refuse.example";
	struct fixture *f = *state;
	Starling__LogAppendRequest bare = STARLING__LOG_APPEND_REQUEST__INIT;
	struct answer a;
	size_t before;

	assert_int_equal(fixture_account(f, me), OK);
	assert_int_equal(log_code(f, &(struct message){ .from = "a@x", .to = "b@x" }), INVALID);
	assert_int_equal(log_code(f, &(struct message){ .recipient = "no bare jid" }), INVALID);
	assert_int_equal(log_code(f, &(struct message){ .sender = "me@refuse.example/x" }), INVALID);
	bare.recipient = (char *)me;
	a = fixture_call(f, METHOD_STORAGE_LOG_APPEND, &bare, STR("<message/>"));
	assert_int_equal(a.code, INVALID);
	assert_int_equal(log_code(f, &(struct message){ .recipient = me, .body = "" }), INVALID);
	assert_int_equal(log_code(f, &(struct message){ .recipient = me, .max = UINT32_MAX }), INVALID);
	assert_int_equal(log_code(f, &(struct message){ .sender = me, .recipient = "nobody@refuse.example" }), NOT_FOUND);
	assert_int_equal(log_count(f, me), 0);
	/* A sender that does not exist is passed over. */
	before = (size_t)fixture_sql(f, "SELECT count(*) FROM message_log");
	assert_int_equal(log_code(f, &(struct message){ .sender = "nobody@refuse.example", .recipient = me }), OK);
	assert_int_equal(log_count(f, me), 1);
	assert_int_equal(log_code(f, &(struct message){ .sender = "nobody@refuse.example", .to = "far@away.example" }), OK);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM message_log"), before + 1);
	assert_int_equal(log_fetch_call(f, me, 0, 0, false).code, INVALID);
	assert_int_equal(log_fetch_call(f, me, 0, 501, false).code, INVALID);
}

/* Also in the answer to a query that looks from both sides. */
static void test_to_oneself(void **state)
{
	static const char me[] = "me@self.example";
	struct fixture *f = *state;
	struct answer a;
	const Starling__LogFetchReply *r;

	assert_int_equal(fixture_account(f, me), OK);
	log_append_ok(f, &(struct message){ .sender = me, .recipient = me, .archived = true, .from = "me@self.example/a" }, NULL);
	a = log_fetch_call(f, me, 0, 10, true);
	r = (const Starling__LogFetchReply *)a.reply;
	assert_int_equal(r->n_entries, 1);
	assert_true(r->entries[0]->sent && r->entries[0]->received && r->entries[0]->archived);
	answer_free(&a);
	assert_int_equal(log_count(f, me), 1);
	assert_int_equal(log_waiting(f, me), 1);
}

static void test_repeated(void **state)
{
	static const char juliet[] = "juliet@twice.example", romeo[] = "romeo@twice.example", far[] = "far@twice.invalid";
	struct fixture *f = *state;
	struct message m = { .sender = juliet, .recipient = romeo, .archived = true, .stream = 5, .number = 1, .origin = "o1" };
	struct message out = { .sender = juliet, .to = far, .stream = 6, .number = 1, .check = true };
	struct message again = m;
	struct answer a[4];
	bool duplicate;
	uint64_t one, two;

	pair(f, juliet, romeo);
	one = log_append_ok(f, &m, &duplicate);
	assert_false(duplicate);
	/* Not asked for: stored. */
	two = log_append_ok(f, &m, &duplicate);
	assert_false(duplicate);
	assert_true(two > one);
	again.check = true;
	assert_in_range(log_append_ok(f, &again, &duplicate), one, two);
	assert_true(duplicate);
	again.number = 2;
	log_append_ok(f, &again, &duplicate);
	assert_false(duplicate);
	/* By origin id: another stream, the same pair. */
	again = (struct message){ .sender = juliet, .recipient = romeo, .stream = 9, .number = 1, .origin = "o1", .check_origin = true };
	log_append_ok(f, &again, &duplicate);
	assert_true(duplicate);
	again.from = "other@twice.example";
	log_append_ok(f, &again, &duplicate);
	assert_false(duplicate);
	again.from = NULL;
	again.origin = "o2";
	log_append_ok(f, &again, &duplicate);
	assert_false(duplicate);
	/* Without a recipient here: among what the sender sent. */
	one = log_append_ok(f, &out, &duplicate);
	assert_false(duplicate);
	assert_int_equal(log_append_ok(f, &out, &duplicate), one);
	assert_true(duplicate);
	/* All at once. */
	again = (struct message){ .sender = juliet, .recipient = romeo, .stream = 7, .check = true };
	for (int i = 0; i < 4; i++) {
		again.number = i == 2 ? 2 : 1;
		log_send(f, &again, &a[i]);
	}
	for (int i = 0; i < 4; i++) {
		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(((Starling__LogAppendReply *)a[i].reply)->duplicate, i == 1 || i == 3);
	}
	assert_int_equal(log_id(&a[0]), log_id(&a[1]));
	assert_int_equal(log_id(&a[0]), log_id(&a[3]));
	assert_true(log_id(&a[2]) > log_id(&a[0]));
	for (int i = 0; i < 4; i++)
		answer_free(&a[i]);
}

/* So many more messages of juliet@ago.example to a server elsewhere. */
#define SENT_SINCE(n)                                                                                                                      \
	"INSERT INTO message_log SELECT p + g, a.id, NULL, 1, 2, false, false, '', '', '' FROM accounts a, message_log_positions(" n       \
	") p, generate_series(0, " n " - 1) g WHERE a.jid = 'juliet@ago.example'"

/* Who knows when the first try was is spared the look at what is older; an origin id is looked for within a day. */
static void test_repeated_not_long_ago(void **state)
{
	static const char juliet[] = "juliet@ago.example", romeo[] = "romeo@ago.example";
	struct fixture *f = *state;
	struct message m = { .sender = juliet, .recipient = romeo, .archived = true, .stream = 5, .number = 1, .origin = "o1" };
	bool duplicate;

	pair(f, juliet, romeo);
	log_append_ok(f, &m, &duplicate);
	fixture_sql(
	        f,
	        "UPDATE message_log m SET id = m.id - 600000000 FROM accounts a WHERE a.id = m.recipient AND a.jid = 'romeo@ago.example'");
	m.check = true;
	m.age_ms = 600000;
	log_append_ok(f, &m, &duplicate);
	assert_true(duplicate);
	m.check_origin = true;
	m.age_ms = 1;
	log_append_ok(f, &m, &duplicate);
	assert_true(duplicate);
	m.check_origin = false;
	log_append_ok(f, &m, &duplicate);
	assert_false(duplicate);
	/* This one is near. */
	log_append_ok(f, &m, &duplicate);
	assert_true(duplicate);
	/* However much other clients of the account have sent since: a day. */
	m.stream = 6;
	m.check_origin = true;
	fixture_sql(f, SENT_SINCE("5000"));
	log_append_ok(f, &m, &duplicate);
	assert_true(duplicate);
	fixture_sql(f, "UPDATE message_log m SET id = m.id - 86500000000 FROM accounts a WHERE a.id = m.recipient AND a.jid = "
	               "'romeo@ago.example'");
	log_append_ok(f, &m, &duplicate);
	assert_false(duplicate);
}

/* What was delivered and belongs to nobody's archive is gone, but a repetition is still known. */
static void test_repeated_after_delivery(void **state)
{
	static const char romeo[] = "romeo@late.example";
	struct fixture *f = *state;
	struct message m = { .recipient = romeo, .from = "far@late.invalid/x", .stream = 5, .number = 1, .origin = "o1", .check = true };
	uint64_t id;
	bool duplicate;

	assert_int_equal(fixture_account(f, romeo), OK);
	id = log_append_ok(f, &m, NULL);
	assert_int_equal(log_delivered_call(f, romeo, id, NULL, 0, NULL), OK);
	assert_int_equal(log_count(f, romeo), 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM message_log WHERE meta <> '' AND recipient = (SELECT id FROM accounts "
	                                "WHERE host = 'late.example')"),
	                 0);
	assert_int_equal(log_append_ok(f, &m, &duplicate), id);
	assert_true(duplicate);
	assert_int_equal(log_count(f, romeo), 0);
	assert_int_equal(log_waiting(f, romeo), 0);
}

static void test_limit(void **state)
{
	static const char romeo[] = "romeo@limit.example";
	struct fixture *f = *state;
	struct message m = { .recipient = romeo, .from = "far@limit.invalid", .archived = true, .max = 3 };
	struct answer a[5];
	uint64_t last = 0;

	assert_int_equal(fixture_account(f, romeo), OK);
	for (int i = 0; i < 3; i++) {
		m.archived = i % 2;
		last = log_append_ok(f, &m, NULL);
	}
	assert_int_equal(log_code(f, &m), LIMIT);
	m.max = 0;
	assert_int_equal(log_code(f, &m), OK);
	m.max = 3;
	assert_int_equal(log_delivered_call(f, romeo, last, NULL, 0, NULL), OK);
	/* One waits: room for two more, in one batch. */
	for (int i = 0; i < 5; i++)
		log_send(f, &m, &a[i]);
	for (int i = 0; i < 5; i++) {
		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(a[i].code, i < 2 ? OK : LIMIT);
		answer_free(&a[i]);
	}
	assert_int_equal(log_waiting(f, romeo), 3);
}

static void test_fences(void **state)
{
	static const char me[] = "me@logfence.example";
	struct fixture *f = *state;
	Starling__Fence old = STARLING__FENCE__INIT, new = STARLING__FENCE__INIT, wild = STARLING__FENCE__INIT;
	struct message m = { .recipient = me, .from = "a@x" };

	old.slot = new.slot = 30;
	old.epoch = 1;
	new.epoch = 2;
	wild.slot = 1024;
	assert_int_equal(fixture_account(f, me), OK);
	m.fence = &new;
	assert_int_equal(log_code(f, &m), OK);
	m.fence = &old;
	assert_int_equal(log_code(f, &m), FENCED);
	assert_int_equal(log_delivered_call(f, me, 1, NULL, 0, &old), FENCED);
	assert_int_equal(log_delivered_call(f, me, 1, NULL, 0, &new), OK);
	assert_int_equal(log_delivered_call(f, me, 1, NULL, 0, &wild), INVALID);
	/* Raised by another instance. */
	fixture_sql(f, "UPDATE slot_fence SET epoch = 9 WHERE slot = 30");
	m.fence = &new;
	assert_int_equal(log_code(f, &m), FENCED);
	assert_int_equal(log_delivered_call(f, me, 2, NULL, 0, &new), FENCED);
	assert_int_equal(log_count(f, me), 1);
}

/* The clock goes back, or stands still: positions go on. */
static void test_positions(void **state)
{
	static const char me[] = "me@clock.example";
	struct fixture *f = *state;
	uint64_t one, two, three;

	assert_int_equal(fixture_account(f, me), OK);
	one = log_append_ok(f, &(struct message){ .recipient = me, .from = "a@x" }, NULL);
	fixture_sql(f, "SELECT setval('message_log_position', last_value + 3600000000) FROM message_log_position");
	two = log_append_ok(f, &(struct message){ .recipient = me, .from = "a@x" }, NULL);
	three = log_append_ok(f, &(struct message){ .recipient = me, .from = "a@x" }, NULL);
	assert_true(two >= one + 3600000000);
	assert_int_equal(three, two + 1);
	/* Nobody keeps the lock that orders them. */
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1398031702"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_append_refusals),
		cmocka_unit_test(test_to_oneself),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_repeated_not_long_ago),
		cmocka_unit_test(test_repeated_after_delivery),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_fences),
		cmocka_unit_test(test_positions),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
