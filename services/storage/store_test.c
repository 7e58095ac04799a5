/* SPDX-License-Identifier: Apache-2.0
 *
 * The store against a real PostgreSQL: accounts and the small things. */
#include "services/storage/store_calls.h"

static Starling__ScramKeys keys(const char *hash, const char *stored)
{
	Starling__ScramKeys k = STARLING__SCRAM_KEYS__INIT;

	k.hash = (char *)hash;
	k.salt = data("salt");
	k.iterations = 10000;
	k.stored_key = data(stored);
	k.server_key = data("server");
	return k;
}

static int set_credentials(struct fixture *f, uint32_t method, const char *jid, Starling__ScramKeys *a, Starling__ScramKeys *b)
{
	Starling__Credentials r = STARLING__CREDENTIALS__INIT;
	Starling__ScramKeys *list[] = { a, b };

	r.account = (char *)jid;
	r.scram = list;
	r.n_scram = b ? 2 : a ? 1 : 0;
	return fixture_code(f, method, &r);
}

static struct answer get_credentials(struct fixture *f, const char *jid)
{
	Starling__AccountKey r = STARLING__ACCOUNT_KEY__INIT;

	r.account = (char *)jid;
	return fixture_call(f, METHOD_STORAGE_CREDENTIALS_GET, &r, STR(""));
}

static void test_accounts(void **state)
{
	struct fixture *f = *state;
	Starling__ScramKeys one = keys("SHA-1", "s1"), two = keys("SHA-256", "s256"), again = keys("SHA-256", "other");
	struct answer a;

	assert_int_equal(set_credentials(f, METHOD_STORAGE_ACCOUNT_CREATE, "juliet@example.org", &one, &two), OK);
	assert_int_equal(set_credentials(f, METHOD_STORAGE_ACCOUNT_CREATE, "juliet@example.org", &one, &two), EXISTS);
	assert_int_equal(set_credentials(f, METHOD_STORAGE_ACCOUNT_CREATE, "juliet@example.net", &one, NULL), OK);
	a = get_credentials(f, "juliet@example.org");
	assert_int_equal(a.code, OK);
	assert_int_equal(((Starling__Credentials *)a.reply)->n_scram, 2);
	assert_string_equal(((Starling__Credentials *)a.reply)->account, "juliet@example.org");
	answer_free(&a);
	assert_int_equal(set_credentials(f, METHOD_STORAGE_CREDENTIALS_SET, "juliet@example.org", &again, NULL), OK);
	a = get_credentials(f, "juliet@example.org");
	assert_int_equal(((Starling__Credentials *)a.reply)->n_scram, 1);
	assert_string_equal(((Starling__Credentials *)a.reply)->scram[0]->hash, "SHA-256");
	assert_true(data_is(((Starling__Credentials *)a.reply)->scram[0]->stored_key, "other"));
	assert_true(data_is(((Starling__Credentials *)a.reply)->scram[0]->salt, "salt"));
	assert_int_equal(((Starling__Credentials *)a.reply)->scram[0]->iterations, 10000);
	answer_free(&a);
	assert_int_equal(set_credentials(f, METHOD_STORAGE_CREDENTIALS_SET, "nobody@example.org", &one, NULL), NOT_FOUND);
	assert_int_equal(get_credentials(f, "nobody@example.org").code, NOT_FOUND);
	assert_int_equal(with_key(f, METHOD_STORAGE_ACCOUNT_DELETE, "juliet@example.net"), OK);
	assert_int_equal(with_key(f, METHOD_STORAGE_ACCOUNT_DELETE, "juliet@example.net"), NOT_FOUND);
	assert_int_equal(get_credentials(f, "juliet@example.net").code, NOT_FOUND);
}

static void test_account_without_keys(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	assert_int_equal(fixture_account(f, "bare@keys.example"), OK);
	a = get_credentials(f, "bare@keys.example");
	assert_int_equal(a.code, OK);
	assert_int_equal(((Starling__Credentials *)a.reply)->n_scram, 0);
	answer_free(&a);
}

static void test_bad_accounts(void **state)
{
	static const char *const bad[] = { "", "example.org", "@example.org", "user@", "user@example.org/phone", "user\xff@example.org" };
	struct fixture *f = *state;
	Starling__ScramKeys one = keys("SHA-1", "a"), twin = keys("SHA-1", "b"), nameless = keys("", "c");

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(fixture_account(f, bad[i]), INVALID);
		assert_int_equal(get_credentials(f, bad[i]).code, INVALID);
	}
	assert_int_equal(set_credentials(f, METHOD_STORAGE_ACCOUNT_CREATE, "twin@example.org", &one, &twin), INVALID);
	assert_int_equal(set_credentials(f, METHOD_STORAGE_ACCOUNT_CREATE, "twin@example.org", &nameless, NULL), INVALID);
	assert_int_equal(get_credentials(f, "twin@example.org").code, NOT_FOUND);
}

static struct answer list(struct fixture *f, const char *after, uint32_t limit)
{
	Starling__AccountListRequest r = STARLING__ACCOUNT_LIST_REQUEST__INIT;

	r.host = (char *)"list.example";
	r.after = (char *)after;
	r.limit = limit;
	return fixture_call(f, METHOD_STORAGE_ACCOUNT_LIST, &r, STR(""));
}

static void test_account_list(void **state)
{
	struct fixture *f = *state;
	struct answer a;
	const Starling__AccountListReply *reply;

	assert_int_equal(fixture_account(f, "b@list.example"), OK);
	assert_int_equal(fixture_account(f, "a@list.example"), OK);
	assert_int_equal(fixture_account(f, "\xc3\xa9@list.example"), OK);
	a = list(f, "", 2);
	reply = (const Starling__AccountListReply *)a.reply;
	assert_int_equal(reply->n_accounts, 2);
	assert_string_equal(reply->accounts[0], "a@list.example");
	assert_string_equal(reply->accounts[1], "b@list.example");
	assert_false(reply->complete);
	answer_free(&a);
	a = list(f, "b@list.example", 2);
	reply = (const Starling__AccountListReply *)a.reply;
	assert_int_equal(reply->n_accounts, 1);
	assert_string_equal(reply->accounts[0], "\xc3\xa9@list.example");
	assert_true(reply->complete);
	answer_free(&a);
	assert_int_equal(list(f, "", 0).code, INVALID);
	assert_int_equal(list(f, "", 1001).code, INVALID);
}

static struct answer private_call(struct fixture *f, const char *account, const char *ns)
{
	Starling__PrivateKey r = STARLING__PRIVATE_KEY__INIT;

	r.account = (char *)account;
	r.name = (char *)"storage";
	r.ns = (char *)ns;
	return fixture_call(f, METHOD_STORAGE_PRIVATE_GET, &r, STR(""));
}

static int private_set(struct fixture *f, const char *account, const char *ns, const char *xml)
{
	Starling__PrivatePutRequest r = STARLING__PRIVATE_PUT_REQUEST__INIT;
	Starling__PrivateKey key = STARLING__PRIVATE_KEY__INIT;

	key.account = (char *)account;
	key.name = (char *)"storage";
	key.ns = (char *)ns;
	r.key = &key;
	r.xml = data(xml);
	return fixture_code(f, METHOD_STORAGE_PRIVATE_PUT, &r);
}

static void assert_xml(struct answer a, const char *text)
{
	assert_int_equal(a.code, OK);
	assert_true(data_is(((Starling__XmlReply *)a.reply)->xml, text));
	answer_free(&a);
}

static void test_private(void **state)
{
	static const char me[] = "private@example.org";
	struct fixture *f = *state;
	Starling__PrivatePutRequest bare = STARLING__PRIVATE_PUT_REQUEST__INIT;

	assert_int_equal(fixture_account(f, me), OK);
	assert_xml(private_call(f, me, "one"), "");
	assert_int_equal(private_set(f, me, "one", "<storage xmlns='one'/>"), OK);
	assert_int_equal(private_set(f, me, "two", "<storage xmlns='two'/>"), OK);
	assert_int_equal(private_set(f, me, "one", "<storage xmlns='one'>2</storage>"), OK);
	assert_xml(private_call(f, me, "one"), "<storage xmlns='one'>2</storage>");
	assert_int_equal(private_set(f, me, "one", ""), OK);
	assert_xml(private_call(f, me, "one"), "");
	assert_xml(private_call(f, me, "two"), "<storage xmlns='two'/>");
	assert_int_equal(private_set(f, "nobody@example.org", "one", "<x/>"), NOT_FOUND);
	assert_int_equal(fixture_code(f, METHOD_STORAGE_PRIVATE_PUT, &bare), INVALID);
}

static void test_vcard_and_last(void **state)
{
	static const char me[] = "vcard@example.org";
	struct fixture *f = *state;
	Starling__VcardPutRequest v = STARLING__VCARD_PUT_REQUEST__INIT;
	Starling__LastPutRequest l = STARLING__LAST_PUT_REQUEST__INIT;
	Starling__AccountKey key = STARLING__ACCOUNT_KEY__INIT;
	struct answer a;

	assert_int_equal(fixture_account(f, me), OK);
	key.account = v.account = l.account = (char *)me;
	assert_xml(fixture_call(f, METHOD_STORAGE_VCARD_GET, &key, STR("")), "");
	v.xml = data("<vCard xmlns='vcard-temp'/>");
	assert_int_equal(fixture_code(f, METHOD_STORAGE_VCARD_PUT, &v), OK);
	assert_int_equal(fixture_code(f, METHOD_STORAGE_VCARD_PUT, &v), OK);
	assert_xml(fixture_call(f, METHOD_STORAGE_VCARD_GET, &key, STR("")), "<vCard xmlns='vcard-temp'/>");
	v.xml = data("");
	assert_int_equal(fixture_code(f, METHOD_STORAGE_VCARD_PUT, &v), OK);
	assert_xml(fixture_call(f, METHOD_STORAGE_VCARD_GET, &key, STR("")), "");
	a = fixture_call(f, METHOD_STORAGE_LAST_GET, &key, STR(""));
	assert_int_equal(((Starling__LastReply *)a.reply)->time_us, 0);
	answer_free(&a);
	l.time_us = 42;
	l.status = (char *)"gone fishing";
	assert_int_equal(fixture_code(f, METHOD_STORAGE_LAST_PUT, &l), OK);
	a = fixture_call(f, METHOD_STORAGE_LAST_GET, &key, STR(""));
	assert_int_equal(((Starling__LastReply *)a.reply)->time_us, 42);
	assert_string_equal(((Starling__LastReply *)a.reply)->status, "gone fishing");
	answer_free(&a);
	l.account = v.account = (char *)"nobody@example.org";
	assert_int_equal(fixture_code(f, METHOD_STORAGE_LAST_PUT, &l), NOT_FOUND);
	assert_int_equal(fixture_code(f, METHOD_STORAGE_VCARD_PUT, &v), NOT_FOUND);
}

static void test_delete_takes_all(void **state)
{
	static const char me[] = "all@delete.example";
	static const char *const tables[] = { "credentials",      "rosters",     "roster_items", "roster_removed",
		                              "offline_messages", "private_xml", "vcards",       "last_activity" };
	struct fixture *f = *state;
	Starling__ScramKeys one = keys("SHA-1", "s1");
	Starling__VcardPutRequest v = STARLING__VCARD_PUT_REQUEST__INIT;
	Starling__LastPutRequest l = STARLING__LAST_PUT_REQUEST__INIT;
	char sql[128];
	long id;

	v.account = l.account = (char *)me;
	v.xml = data("<v/>");
	assert_int_equal(set_credentials(f, METHOD_STORAGE_ACCOUNT_CREATE, me, &one, NULL), OK);
	put_ok(f, me, "a@x", "");
	put_ok(f, me, "b@x", "");
	version_of(roster_remove_call(f, me, "a@x", NULL));
	assert_int_equal(append(f, &(struct append){ .account = me, .body = "x" }, NULL), OK);
	assert_int_equal(private_set(f, me, "one", "<x/>"), OK);
	assert_int_equal(fixture_code(f, METHOD_STORAGE_VCARD_PUT, &v), OK);
	assert_int_equal(fixture_code(f, METHOD_STORAGE_LAST_PUT, &l), OK);
	id = fixture_sql(f, "SELECT id FROM accounts WHERE host = 'delete.example'");
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
			snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE account_id = %ld", tables[i], id);
			assert_int_equal(fixture_sql(f, sql), pass ? 0 : 1);
		}
		if (pass == 0)
			assert_int_equal(with_key(f, METHOD_STORAGE_ACCOUNT_DELETE, me), OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accounts),         cmocka_unit_test(test_account_without_keys),
		cmocka_unit_test(test_bad_accounts),     cmocka_unit_test(test_account_list),
		cmocka_unit_test(test_private),          cmocka_unit_test(test_vcard_and_last),
		cmocka_unit_test(test_delete_takes_all),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
