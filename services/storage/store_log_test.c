/* SPDX-License-Identifier: Apache-2.0
 *
 * The message log against a real PostgreSQL: appending, reading in order, cursors. */
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

static void test_cursor(void **state)
{
	static const char me[] = "me@cursor.example";
	struct fixture *f = *state;
	struct message m = { .recipient = me, .from = "a@x" };
	uint64_t ids[5], hole;
	struct answer a;
	const Starling__LogState *s;

	assert_int_equal(fixture_account(f, me), OK);
	s = log_open_call(f, me, &a);
	assert_true(s->last == 0 && s->delivered == 0 && s->n_holes == 0 && s->waiting == 0 && s->prefs->default_ == 0);
	answer_free(&a);
	for (int i = 0; i < 5; i++) {
		m.archived = i == 0;
		ids[i] = log_append_ok(f, &m, NULL);
	}
	assert_int_equal(log_waiting(f, me), 5);
	hole = ids[1];
	assert_int_equal(log_delivered_call(f, me, ids[3], &hole, 1, NULL), OK);
	s = log_open_call(f, me, &a);
	assert_int_equal(s->last, ids[4]);
	assert_int_equal(s->delivered, ids[3]);
	assert_int_equal(s->n_holes, 1);
	assert_int_equal(s->holes[0], hole);
	assert_int_equal(s->waiting, 1);
	answer_free(&a);
	/* The archived one, the hole, and the one behind. */
	assert_int_equal(log_count(f, me), 3);
	assert_int_equal(log_delivered_call(f, me, ids[4], NULL, 0, NULL), OK);
	assert_int_equal(log_count(f, me), 1);
	assert_int_equal(
	        fixture_sql(f, "SELECT count(*) FROM message_log m JOIN accounts a ON a.id = m.recipient WHERE a.host = 'cursor.example' "
	                       "AND m.stanza = ''"),
	        4);
	assert_int_equal(log_delivered_call(f, "nobody@cursor.example", 1, NULL, 0, NULL), NOT_FOUND);
	assert_int_equal(log_delivered_call(f, me, UINT64_MAX, NULL, 0, NULL), INVALID);
	assert_int_equal(with_key(f, METHOD_STORAGE_LOG_OPEN, "nobody@cursor.example"), NOT_FOUND);
}

/* In the sender's archive, so the row stays; the recipient does not see it any more. */
static void test_delivered_but_in_the_senders_archive(void **state)
{
	static const char juliet[] = "juliet@half.example", romeo[] = "romeo@half.example";
	struct fixture *f = *state;
	uint64_t id;

	pair(f, juliet, romeo);
	id = log_append_ok(f, &(struct message){ .sender = juliet, .recipient = romeo }, NULL);
	assert_int_equal(log_count(f, romeo), 1);
	assert_int_equal(log_delivered_call(f, romeo, id, NULL, 0, NULL), OK);
	assert_int_equal(log_count(f, romeo), 0);
	assert_int_equal(log_count(f, juliet), 1);
}

static void test_fetch_pages(void **state)
{
	static const char me[] = "me@pages.example";
	struct fixture *f = *state;
	char body[4001];
	struct answer a;
	Starling__LogFetchRequest r = STARLING__LOG_FETCH_REQUEST__INIT;
	const Starling__LogFetchReply *reply;
	uint64_t ids[6], wanted[3];

	memset(body, 'x', sizeof body - 1);
	body[sizeof body - 1] = '\0';
	assert_int_equal(fixture_account(f, me), OK);
	for (int i = 0; i < 6; i++)
		ids[i] = log_append_ok(f,
		                       &(struct message){ .sender = i % 2 ? me : NULL,
		                                          .recipient = i % 2 ? NULL : me,
		                                          .from = i % 2 ? me : "a@x",
		                                          .to = i % 2 ? "a@x" : me,
		                                          .archived = i < 4,
		                                          .body = i < 3 ? "<message/>" : body },
		                       NULL);
	a = log_fetch_call(f, me, 0, 2, false);
	reply = (const Starling__LogFetchReply *)a.reply;
	assert_int_equal(reply->n_entries, 2);
	assert_false(reply->complete);
	assert_int_equal(reply->entries[1]->id, ids[1]);
	answer_free(&a);
	/* 10000 bytes are reached with the sixth. */
	a = log_fetch_call(f, me, ids[1], 500, false);
	reply = (const Starling__LogFetchReply *)a.reply;
	assert_int_equal(reply->n_entries, 4);
	assert_true(reply->complete);
	answer_free(&a);
	log_append_ok(f, &(struct message){ .recipient = me, .from = "a@x" }, NULL);
	a = log_fetch_call(f, me, ids[1], 500, false);
	reply = (const Starling__LogFetchReply *)a.reply;
	assert_int_equal(reply->n_entries, 4);
	assert_false(reply->complete);
	answer_free(&a);
	wanted[0] = ids[4];
	wanted[1] = 12345;
	wanted[2] = ids[1];
	r.account = (char *)me;
	r.ids = wanted;
	r.n_ids = 3;
	a = fixture_call(f, METHOD_STORAGE_LOG_FETCH, &r, STR(""));
	reply = (const Starling__LogFetchReply *)a.reply;
	assert_int_equal(reply->n_entries, 2);
	assert_int_equal(reply->entries[0]->id, ids[1]);
	assert_int_equal(reply->entries[1]->id, ids[4]);
	assert_true(reply->complete);
	answer_free(&a);
}

static void test_prefs(void **state)
{
	static const char me[] = "me@prefs.example";
	struct fixture *f = *state;
	Starling__ArchivePrefsSetRequest r = STARLING__ARCHIVE_PREFS_SET_REQUEST__INIT;
	Starling__ArchivePrefs p = STARLING__ARCHIVE_PREFS__INIT;
	char *always[] = { (char *)"a@x", (char *)"b@x" }, *never[] = { (char *)"c@x" }, *many[1001];
	struct answer a;
	const Starling__LogState *s;

	assert_int_equal(fixture_account(f, me), OK);
	r.account = (char *)me;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_ARCHIVE_PREFS_SET, &r), INVALID);
	r.prefs = &p;
	p.default_ = STARLING__ARCHIVE_PREFS__DEFAULT__ROSTER;
	p.always = always;
	p.n_always = 2;
	p.never = never;
	p.n_never = 1;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_ARCHIVE_PREFS_SET, &r), OK);
	s = log_open_call(f, me, &a);
	assert_int_equal(s->prefs->default_, STARLING__ARCHIVE_PREFS__DEFAULT__ROSTER);
	assert_int_equal(s->prefs->n_always, 2);
	assert_string_equal(s->prefs->always[1], "b@x");
	assert_int_equal(s->prefs->n_never, 1);
	assert_string_equal(s->prefs->never[0], "c@x");
	answer_free(&a);
	for (int i = 0; i < 1001; i++)
		many[i] = (char *)"d@x";
	p.always = many;
	p.n_always = 1000;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_ARCHIVE_PREFS_SET, &r), OK);
	p.n_always = 1001;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_ARCHIVE_PREFS_SET, &r), LIMIT);
	p.n_always = 0;
	p.default_ = 4;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_ARCHIVE_PREFS_SET, &r), INVALID);
	p.default_ = 0;
	r.account = (char *)"nobody@prefs.example";
	assert_int_equal(fixture_code(f, METHOD_STORAGE_ARCHIVE_PREFS_SET, &r), NOT_FOUND);
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
		cmocka_unit_test(test_repeated_after_delivery),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_fences),
		cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_delivered_but_in_the_senders_archive),
		cmocka_unit_test(test_fetch_pages),
		cmocka_unit_test(test_prefs),
		cmocka_unit_test(test_positions),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
