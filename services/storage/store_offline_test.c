/* SPDX-License-Identifier: Apache-2.0
 *
 * The store against a real PostgreSQL: messages for later, and fences. */
#include "services/storage/store_calls.h"

static struct answer fetch(struct fixture *f, const char *account, uint64_t after, uint32_t limit)
{
	Starling__OfflineFetchRequest r = STARLING__OFFLINE_FETCH_REQUEST__INIT;

	r.account = (char *)account;
	r.after = after;
	r.limit = limit;
	return fixture_call(f, METHOD_STORAGE_OFFLINE_FETCH, &r, STR(""));
}

static void test_offline(void **state)
{
	static const char me[] = "box@offline.example";
	struct fixture *f = *state;
	uint64_t ids[5];
	char body[16];
	struct answer a;
	const Starling__OfflineFetchReply *r;

	assert_int_equal(fixture_account(f, me), OK);
	for (int i = 0; i < 5; i++) {
		snprintf(body, sizeof body, "m%d", i);
		assert_int_equal(append(f, &(struct append){ .account = me, .body = body }, &ids[i]), OK);
		assert_true(i == 0 || ids[i] > ids[i - 1]);
	}
	assert_int_equal(count(f, me), 5);
	a = fetch(f, me, ids[0], 3);
	r = (const Starling__OfflineFetchReply *)a.reply;
	assert_int_equal(r->n_messages, 3);
	assert_false(r->complete);
	for (int i = 0; i < 3; i++) {
		snprintf(body, sizeof body, "m%d", i + 1);
		assert_int_equal(r->messages[i]->id, ids[i + 1]);
		assert_true(data_is(r->messages[i]->stanza, body));
		assert_string_equal(r->messages[i]->meta->id, body);
		assert_string_equal(r->messages[i]->meta->from, "romeo@example.net/orchard");
		assert_int_equal(r->messages[i]->meta->flags, STARLING__STANZA_FLAG__FLAG_BODY);
		assert_int_equal(r->messages[i]->time_us, 1234567890123456);
	}
	answer_free(&a);
	a = fetch(f, me, ids[3], 500);
	assert_int_equal(((Starling__OfflineFetchReply *)a.reply)->n_messages, 1);
	assert_true(((Starling__OfflineFetchReply *)a.reply)->complete);
	answer_free(&a);
	a = fetch(f, me, ids[4], 500);
	assert_int_equal(((Starling__OfflineFetchReply *)a.reply)->n_messages, 0);
	assert_true(((Starling__OfflineFetchReply *)a.reply)->complete);
	answer_free(&a);
}

static int remove_ids(struct fixture *f, const char *account, uint64_t *ids, size_t n)
{
	Starling__OfflineRemoveRequest r = STARLING__OFFLINE_REMOVE_REQUEST__INIT;

	r.account = (char *)account;
	r.ids = ids;
	r.n_ids = n;
	return fixture_code(f, METHOD_STORAGE_OFFLINE_REMOVE, &r);
}

static void test_offline_remove(void **state)
{
	static const char me[] = "remove@offline.example", other[] = "other@offline.example";
	struct fixture *f = *state;
	uint64_t ids[3], last;

	assert_int_equal(fixture_account(f, me), OK);
	assert_int_equal(fixture_account(f, other), OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(append(f, &(struct append){ .account = me, .body = "x" }, &ids[i]), OK);
	assert_int_equal(remove_ids(f, other, ids, 3), OK);
	assert_int_equal(count(f, me), 3);
	assert_int_equal(remove_ids(f, me, ids, 2), OK);
	assert_int_equal(remove_ids(f, me, ids, 2), OK);
	assert_int_equal(count(f, me), 1);
	assert_int_equal(remove_ids(f, me, &ids[2], 1), OK);
	assert_int_equal(remove_ids(f, me, NULL, 0), OK);
	/* Ids never start again: a reader's cursor stays right when the box was empty. */
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "y" }, &last), OK);
	assert_true(last > ids[2]);
}

static void test_offline_fetch_bytes(void **state)
{
	static const char me[] = "large@offline.example";
	struct fixture *f = *state;
	char body[6001];
	struct answer a;

	memset(body, 'x', sizeof body - 1);
	body[sizeof body - 1] = '\0';
	assert_int_equal(fixture_account(f, me), OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(append(f, &(struct append){ .account = me, .body = body }, NULL), OK);
	a = fetch(f, me, 0, 500);
	assert_int_equal(((Starling__OfflineFetchReply *)a.reply)->n_messages, 2);
	assert_false(((Starling__OfflineFetchReply *)a.reply)->complete);
	answer_free(&a);
}

static void test_offline_keys(void **state)
{
	static const char me[] = "keys@offline.example", other[] = "keys2@offline.example";
	struct fixture *f = *state;
	uint64_t first, second, third;
	struct answer a[3];

	assert_int_equal(fixture_account(f, me), OK);
	assert_int_equal(fixture_account(f, other), OK);
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "x", .key = "k1" }, &first), OK);
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "x", .key = "k1" }, &second), OK);
	assert_int_equal(first, second);
	assert_int_equal(append(f, &(struct append){ .account = other, .body = "x", .key = "k1" }, &third), OK);
	assert_int_not_equal(first, third);
	assert_int_equal(count(f, me), 1);
	/* Twice in one batch. */
	for (int i = 0; i < 3; i++)
		append_send(f, &(struct append){ .account = me, .body = "y", .key = i == 1 ? "k3" : "k2" }, &a[i]);
	for (int i = 0; i < 3; i++)
		assert_true(fixture_until(f, &a[i].done));
	assert_int_equal(((Starling__OfflineAppendReply *)a[0].reply)->id, ((Starling__OfflineAppendReply *)a[2].reply)->id);
	assert_true(((Starling__OfflineAppendReply *)a[1].reply)->id > ((Starling__OfflineAppendReply *)a[0].reply)->id);
	assert_int_equal(count(f, me), 3);
	for (int i = 0; i < 3; i++)
		answer_free(&a[i]);
}

static void test_offline_limit(void **state)
{
	static const char me[] = "limit@offline.example";
	struct fixture *f = *state;
	uint64_t id;
	struct answer a[5];

	assert_int_equal(fixture_account(f, me), OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(append(f, &(struct append){ .account = me, .body = "x", .max = 3, .key = i ? NULL : "first" }, &id), OK);
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "x", .max = 3 }, NULL), LIMIT);
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "x", .max = 3, .key = "first" }, NULL), OK);
	assert_int_equal(count(f, me), 3);
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "x" }, NULL), OK);
	/* In one batch: room for one more, and one that was stored before. */
	for (int i = 0; i < 5; i++)
		append_send(f, &(struct append){ .account = me, .body = "x", .max = 5, .key = i == 0 ? "first" : NULL }, &a[i]);
	for (int i = 0; i < 5; i++) {
		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(a[i].code, i < 2 ? OK : LIMIT);
		answer_free(&a[i]);
	}
	assert_int_equal(count(f, me), 5);
}

static void test_offline_refusals(void **state)
{
	struct fixture *f = *state;
	Starling__OfflineAppendRequest bare = STARLING__OFFLINE_APPEND_REQUEST__INIT;
	Starling__Fence wild = STARLING__FENCE__INIT;

	bare.account = (char *)"box@offline.example";
	wild.slot = 1024;
	assert_int_equal(append(f, &(struct append){ .account = "nobody@offline.example", .body = "x" }, NULL), NOT_FOUND);
	assert_int_equal(fixture_code(f, METHOD_STORAGE_OFFLINE_APPEND, &bare), INVALID);
	assert_int_equal(append(f, &(struct append){ .account = "box@offline.example", .body = "x", .fence = &wild }, NULL), INVALID);
	assert_int_equal(fetch(f, "box@offline.example", 0, 0).code, INVALID);
	assert_int_equal(fetch(f, "box@offline.example", 0, 501).code, INVALID);
	assert_int_equal(count(f, "nobody@offline.example"), 0);
}

static void test_fences(void **state)
{
	static const char me[] = "fence@example.org";
	struct fixture *f = *state;
	Starling__Fence old = STARLING__FENCE__INIT, new = STARLING__FENCE__INIT, other = STARLING__FENCE__INIT;
	Starling__RosterItem i = item("a@x", "");

	old.slot = new.slot = 7;
	other.slot = 8;
	old.epoch = 5;
	new.epoch = 6;
	other.epoch = 1;
	assert_int_equal(fixture_account(f, me), OK);
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "1", .fence = &old }, NULL), OK);
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "2", .fence = &new }, NULL), OK);
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "3", .fence = &old }, NULL), FENCED);
	assert_int_equal(put(f, me, &i, &old).code, FENCED);
	assert_int_equal(roster_remove_call(f, me, "a@x", &old).code, FENCED);
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "4", .fence = &other }, NULL), OK);
	version_of(put(f, me, &i, &new));
	assert_int_equal(count(f, me), 3);
	/* Raised by another instance: this one learns it from the database. */
	fixture_sql(f, "UPDATE slot_fence SET epoch = 9 WHERE slot = 7");
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "5", .fence = &new }, NULL), FENCED);
	assert_int_equal(put(f, me, &i, &new).code, FENCED);
	assert_int_equal(roster_remove_call(f, me, "a@x", &new).code, FENCED);
	assert_int_equal(count(f, me), 3);
	assert_int_equal(fixture_sql(f, "SELECT epoch FROM slot_fence WHERE slot = 7"), 9);
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "6" }, NULL), OK);
}

/* A lower and a higher epoch in one batch: whatever the order, the lower one must not pass. */
static void test_fences_in_one_batch(void **state)
{
	static const char me[] = "fence2@example.org";
	struct fixture *f = *state;
	Starling__Fence old = STARLING__FENCE__INIT, new = STARLING__FENCE__INIT;
	struct answer a[2];

	old.slot = new.slot = 9;
	old.epoch = 1;
	new.epoch = 2;
	assert_int_equal(fixture_account(f, me), OK);
	append_send(f, &(struct append){ .account = me, .body = "old", .fence = &old }, &a[0]);
	append_send(f, &(struct append){ .account = me, .body = "new", .fence = &new }, &a[1]);
	assert_true(fixture_until(f, &a[0].done) && fixture_until(f, &a[1].done));
	assert_int_equal(a[0].code, FENCED);
	assert_int_equal(a[1].code, OK);
	answer_free(&a[1]);
	assert_int_equal(count(f, me), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offline),      cmocka_unit_test(test_offline_remove),      cmocka_unit_test(test_offline_fetch_bytes),
		cmocka_unit_test(test_offline_keys), cmocka_unit_test(test_offline_limit),       cmocka_unit_test(test_offline_refusals),
		cmocka_unit_test(test_fences),       cmocka_unit_test(test_fences_in_one_batch),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
