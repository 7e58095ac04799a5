/* SPDX-License-Identifier: Apache-2.0
 *
 * The store against a real PostgreSQL: what OfflineAppend stored moves into the log. */
#include "services/storage/store_log_calls.h"

static void test_move(void **state)
{
	static const char me[] = "me@move.example";
	struct fixture *f = *state;
	struct answer a;
	const Starling__LogFetchReply *r;
	char body[3000];

	assert_int_equal(fixture_account(f, me), OK);
	for (int i = 0; i < 9; i++) {
		snprintf(body, sizeof body, i == 1 ? "<message id='%d'/>" : "<message id='%d'><body>%0*d</body></message>", i,
		         i < 4 ? 1 : 2500, 1);
		assert_int_equal(append(f, &(struct append){ .account = me, .body = body }, NULL), OK);
	}
	fixture_sql(f, "UPDATE offline_messages SET time_us = (extract(epoch FROM now()) * 1000000)::bigint WHERE stanza LIKE "
	               "'%id=''2''%'::bytea");
	assert_int_equal(log_waiting(f, me), 9);
	assert_int_equal(count(f, me), 0);
	a = log_fetch_call(f, me, 0, 3, true);
	r = (const Starling__LogFetchReply *)a.reply;
	assert_int_equal(r->n_entries, 3);
	assert_true(data_is(r->entries[0]->stanza, "<message id='0'><body>1</body><delay xmlns='urn:xmpp:delay' from='move.example' "
	                                           "stamp='2009-02-13T23:31:30.123456Z'/></message>"));
	assert_true(r->entries[0]->meta->flags & STARLING__STANZA_FLAG__FLAG_DELAY);
	assert_true(data_is(r->entries[1]->stanza, "<message id='1'><delay xmlns='urn:xmpp:delay' from='move.example' "
	                                           "stamp='2009-02-13T23:31:30.123456Z'/></message>"));
	assert_true(data_is(r->entries[2]->stanza, "<message id='2'><body>1</body></message>"));
	assert_true(r->entries[0]->received && !r->entries[0]->archived);
	assert_string_equal(r->entries[0]->meta->from, "romeo@example.net/orchard");
	answer_free(&a);
	assert_int_equal(log_waiting(f, me), 9);
	/* An older session-manager goes on storing. */
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "<message id='9'/>" }, NULL), OK);
	assert_int_equal(log_waiting(f, me), 10);
	assert_int_equal(count(f, me), 0);
}

#define ROMEO "romeo@example.net/orchard" /* who sends what append() stores */
#define KEY   "12345678abcdefgh"

static uint64_t little_endian(const char *eight)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | (uint8_t)eight[i];
	return v;
}

static uint64_t first_of(struct fixture *f, const char *account)
{
	struct answer a = log_fetch_call(f, account, 0, 1, true);
	uint64_t id;

	assert_int_equal(((Starling__LogFetchReply *)a.reply)->n_entries, 1);
	id = ((Starling__LogFetchReply *)a.reply)->entries[0]->id;
	answer_free(&a);
	return id;
}

/* A session-manager of the release before stored it and went; the same stanza is presented to one of this release. */
static void test_move_keeps_the_key(void **state)
{
	static const char me[] = "me@key.example", body[] = "<message id='1'><body>1</body></message>";
	struct fixture *f = *state;
	struct message m = { .recipient = me, .archived = true, .from = ROMEO, .body = body, .check = true };
	bool duplicate;

	m.stream = little_endian(KEY);
	m.number = little_endian(KEY + 8);
	assert_int_equal(fixture_account(f, me), OK);
	assert_int_equal(append(f, &(struct append){ .account = me, .body = body, .key = KEY }, NULL), OK);
	assert_int_equal(log_waiting(f, me), 1);
	/* Its time was written into it meanwhile. */
	assert_int_equal(log_append_ok(f, &m, &duplicate), first_of(f, me));
	assert_true(duplicate);
	m.age_ms = 1000;
	log_append_ok(f, &m, &duplicate);
	assert_true(duplicate);
	assert_int_equal(log_waiting(f, me), 1);
	m.number++;
	log_append_ok(f, &m, &duplicate);
	assert_false(duplicate);
	m.number--;
	m.body = "<message id='2'/>";
	log_append_ok(f, &m, &duplicate);
	assert_false(duplicate);
	assert_int_equal(log_waiting(f, me), 3);
}

static void test_move_without_a_name(void **state)
{
	static const char me[] = "me@nokey.example";
	static const char *const keys[] = { NULL, "x", "12345678abcdefg", "12345678abcdefghi" };
	struct fixture *f = *state;
	struct message m = { .recipient = me, .from = ROMEO, .body = "<message/>", .stream = 1, .number = 1, .check = true };
	bool duplicate;

	assert_int_equal(fixture_account(f, me), OK);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		assert_int_equal(append(f, &(struct append){ .account = me, .body = "<message/>", .key = keys[i] }, NULL), OK);
	assert_int_equal(log_waiting(f, me), 4);
	log_append_ok(f, &m, &duplicate);
	assert_false(duplicate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_move_keeps_the_key),
		cmocka_unit_test(test_move_without_a_name),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
