/* SPDX-License-Identifier: Apache-2.0
 *
 * The store against a real PostgreSQL: rosters. */
#include "services/storage/store_calls.h"

static struct answer load(struct fixture *f, const char *account, uint64_t since)
{
	Starling__RosterLoadRequest r = STARLING__ROSTER_LOAD_REQUEST__INIT;
	struct answer a;

	r.account = (char *)account;
	r.since = since;
	a = fixture_call(f, METHOD_STORAGE_ROSTER_LOAD, &r, STR(""));
	assert_int_equal(a.code, OK);
	return a;
}

static void assert_roster(struct fixture *f, const char *account, uint64_t since, bool complete, size_t items, size_t removed,
                          uint64_t version)
{
	struct answer a = load(f, account, since);
	const Starling__RosterReply *r = (const Starling__RosterReply *)a.reply;

	assert_int_equal(r->complete, complete);
	assert_int_equal(r->n_items, items);
	assert_int_equal(r->n_removed, removed);
	assert_int_equal(r->version, version);
	answer_free(&a);
}

static void test_roster_fields(void **state)
{
	struct fixture *f = *state;
	char *groups[] = { (char *)"Friends", (char *)"", (char *)"Verona \xe2\x9c\x93" };
	Starling__RosterItem i = item("romeo@example.net", "Romeo");
	const Starling__RosterItem *back;
	struct answer a;

	assert_int_equal(fixture_account(f, "fields@roster.example"), OK);
	i.groups = groups;
	i.n_groups = 3;
	i.subscription = STARLING__SUBSCRIPTION__SUBSCRIPTION_FROM;
	i.ask = i.approved = true;
	i.pending_in = i.hidden = false;
	i.pending_stanza = data("<presence/>");
	a = put(f, "fields@roster.example", &i, NULL);
	assert_int_equal(a.code, OK);
	answer_free(&a);
	a = load(f, "fields@roster.example", 0);
	assert_int_equal(((Starling__RosterReply *)a.reply)->n_items, 1);
	back = ((Starling__RosterReply *)a.reply)->items[0];
	assert_string_equal(back->jid, "romeo@example.net");
	assert_string_equal(back->name, "Romeo");
	assert_int_equal(back->n_groups, 3);
	for (size_t g = 0; g < 3; g++)
		assert_string_equal(back->groups[g], groups[g]);
	assert_int_equal(back->subscription, i.subscription);
	assert_true(back->ask && back->approved && !back->pending_in && !back->hidden);
	assert_true(data_is(back->pending_stanza, "<presence/>"));
	assert_int_equal(back->version, ((Starling__RosterReply *)a.reply)->version);
	answer_free(&a);
}

static void test_roster_versions(void **state)
{
	static const char me[] = "versions@roster.example";
	struct fixture *f = *state;
	uint64_t v1, v2, v3, v4;

	assert_int_equal(fixture_account(f, me), OK);
	assert_roster(f, me, 0, true, 0, 0, 0);
	v1 = put_ok(f, me, "a@x", "A");
	v2 = put_ok(f, me, "b@x", "B");
	assert_int_equal(v2, v1 + 1);
	assert_roster(f, me, 0, true, 2, 0, v2);
	assert_roster(f, me, v1, false, 1, 0, v2);
	assert_roster(f, me, v2, false, 0, 0, v2);
	v3 = version_of(roster_remove_call(f, me, "a@x", NULL));
	assert_int_equal(v3, v2 + 1);
	assert_int_equal(version_of(roster_remove_call(f, me, "a@x", NULL)), v3);
	assert_roster(f, me, v2, false, 0, 1, v3);
	assert_roster(f, me, 0, true, 1, 0, v3);
	v4 = put_ok(f, me, "a@x", "A again");
	assert_roster(f, me, v2, false, 1, 0, v4);
	/* A version that this roster never had, and one from before its time: all of it. */
	assert_roster(f, me, v4 + 1, true, 2, 0, v4);
	assert_roster(f, me, v1 - 2, true, 2, 0, v4);
}

/* An account made again under the same name must not take an old client's version for its own. */
static void test_roster_of_second_life(void **state)
{
	static const char me[] = "phoenix@roster.example";
	struct fixture *f = *state;
	uint64_t old, new;

	assert_int_equal(fixture_account(f, me), OK);
	put_ok(f, me, "a@x", "A");
	old = put_ok(f, me, "b@x", "B");
	assert_int_equal(with_key(f, METHOD_STORAGE_ACCOUNT_DELETE, me), OK);
	usleep(5000);
	assert_int_equal(fixture_account(f, me), OK);
	new = put_ok(f, me, "c@x", "C");
	assert_true(new > old);
	assert_roster(f, me, old, true, 1, 0, new);
}

static void test_roster_prune(void **state)
{
	static const char me[] = "prune@roster.example";
	struct fixture *f = *state;
	uint64_t start, v = 0;
	char jid[32];

	assert_int_equal(fixture_account(f, me), OK);
	start = put_ok(f, me, "x0@x", "");
	fixture_sql(f, "INSERT INTO roster_removed SELECT a.id, 'gone' || n || '@x', r.version + n FROM accounts a "
	               "JOIN rosters r ON r.account_id = a.id, generate_series(1, 1100) n WHERE local = 'prune'");
	fixture_sql(f, "UPDATE rosters SET version = version + 1100 FROM accounts a WHERE a.id = account_id AND local = 'prune'");
	for (int i = 0; i < 2; i++) {
		snprintf(jid, sizeof jid, "x%d@x", i);
		put_ok(f, me, jid, "");
		v = version_of(roster_remove_call(f, me, jid, NULL));
	}
	assert_roster(f, me, start, true, 0, 0, v);
	assert_roster(f, me, v - 1000, false, 0, 1000 - 2, v);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM roster_removed d JOIN accounts a ON a.id = account_id WHERE local = 'prune'"),
	                 999);
}

static void test_roster_refusals(void **state)
{
	static const char me[] = "refusals@roster.example";
	struct fixture *f = *state;
	Starling__RosterItem i = item("a@x", ""), nameless = item("", ""), last = item("m1201@x", ""), known = item("m1200@x", "changed");

	assert_int_equal(put(f, "nobody@roster.example", &i, NULL).code, NOT_FOUND);
	assert_int_equal(roster_remove_call(f, "nobody@roster.example", "a@x", NULL).code, NOT_FOUND);
	assert_int_equal(fixture_account(f, me), OK);
	assert_int_equal(put(f, me, &nameless, NULL).code, INVALID);
	assert_int_equal(put(f, me, NULL, NULL).code, INVALID);
	fixture_sql(f, "INSERT INTO roster_items SELECT id, 'm' || n || '@x', '', '{}', 0, false, false, '', false, false, 1 "
	               "FROM accounts, generate_series(1, 1200) n WHERE local = 'refusals'");
	assert_int_equal(put(f, me, &last, NULL).code, LIMIT);
	put_ok(f, me, known.jid, known.name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roster_fields), cmocka_unit_test(test_roster_versions), cmocka_unit_test(test_roster_of_second_life),
		cmocka_unit_test(test_roster_prune),  cmocka_unit_test(test_roster_refusals),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
