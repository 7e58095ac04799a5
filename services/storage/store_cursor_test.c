/* SPDX-License-Identifier: Apache-2.0
 *
 * The message log against a real PostgreSQL: what an account sees of it: pages in order, its cursor, its preferences. */
#include "services/storage/store_log_calls.h"

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

	assert_int_equal(fixture_account(f, juliet), OK);
	assert_int_equal(fixture_account(f, romeo), OK);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_delivered_but_in_the_senders_archive),
		cmocka_unit_test(test_fetch_pages),
		cmocka_unit_test(test_prefs),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
