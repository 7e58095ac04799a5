/* SPDX-License-Identifier: Apache-2.0
 *
 * Every method of the store against a real PostgreSQL. */
#include "services/storage/store_fixture.h"

#define OK        STARLING__CODE__CODE_OK
#define NOT_FOUND STARLING__CODE__CODE_NOT_FOUND
#define EXISTS    STARLING__CODE__CODE_EXISTS
#define INVALID   STARLING__CODE__CODE_INVALID
#define FENCED    STARLING__CODE__CODE_FENCED
#define LIMIT     STARLING__CODE__CODE_LIMIT

static int setup(void **state)
{
	struct fixture *f = fixture_new();
	struct store_config config = fixture_config(f);

	fixture_open(f, &config);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static ProtobufCBinaryData data(const char *text)
{
	return (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
}

static bool data_is(ProtobufCBinaryData d, const char *text)
{
	return str_is(str_make(d.data, d.len), text);
}

/* --- accounts ------------------------------------------------------------------------------------------------------ */

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

static int with_key(struct fixture *f, uint32_t method, const char *jid)
{
	Starling__AccountKey r = STARLING__ACCOUNT_KEY__INIT;

	r.account = (char *)jid;
	return fixture_code(f, method, &r);
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

/* --- roster -------------------------------------------------------------------------------------------------------- */

static Starling__RosterItem item(const char *jid, const char *name)
{
	Starling__RosterItem i = STARLING__ROSTER_ITEM__INIT;

	i.jid = (char *)jid;
	i.name = (char *)name;
	return i;
}

static struct answer put(struct fixture *f, const char *account, Starling__RosterItem *i, Starling__Fence *fence)
{
	Starling__RosterPutRequest r = STARLING__ROSTER_PUT_REQUEST__INIT;

	r.account = (char *)account;
	r.item = i;
	r.fence = fence;
	return fixture_call(f, METHOD_STORAGE_ROSTER_PUT, &r, STR(""));
}

static uint64_t version_of(struct answer a)
{
	uint64_t version;

	assert_int_equal(a.code, OK);
	version = ((Starling__RosterVersionReply *)a.reply)->version;
	answer_free(&a);
	return version;
}

static uint64_t put_ok(struct fixture *f, const char *account, const char *jid, const char *name)
{
	Starling__RosterItem i = item(jid, name);

	return version_of(put(f, account, &i, NULL));
}

static struct answer roster_remove_call(struct fixture *f, const char *account, const char *jid, Starling__Fence *fence)
{
	Starling__RosterRemoveRequest r = STARLING__ROSTER_REMOVE_REQUEST__INIT;

	r.account = (char *)account;
	r.jid = (char *)jid;
	r.fence = fence;
	return fixture_call(f, METHOD_STORAGE_ROSTER_REMOVE, &r, STR(""));
}

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

/* --- messages for later -------------------------------------------------------------------------------------------- */

struct append {
	const char *account, *key, *body;
	uint32_t max;
	Starling__Fence *fence;
};

static void append_send(struct fixture *f, const struct append *what, struct answer *a)
{
	Starling__OfflineAppendRequest r = STARLING__OFFLINE_APPEND_REQUEST__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.kind = STARLING__STANZA_KIND__STANZA_MESSAGE;
	meta.type = STARLING__STANZA_TYPE__TYPE_CHAT;
	meta.from = (char *)"romeo@example.net/orchard";
	meta.to = (char *)what->account;
	meta.id = (char *)what->body;
	meta.flags = STARLING__STANZA_FLAG__FLAG_BODY;
	r.account = (char *)what->account;
	r.meta = &meta;
	r.time_us = 1234567890123456;
	r.max = what->max;
	r.fence = what->fence;
	if (what->key)
		r.key = data(what->key);
	fixture_send(f, METHOD_STORAGE_OFFLINE_APPEND, &r, str_from(what->body), a);
}

static int append(struct fixture *f, const struct append *what, uint64_t *out_id)
{
	struct answer a;
	int code;

	append_send(f, what, &a);
	assert_true(fixture_until(f, &a.done));
	code = a.code;
	if (out_id)
		*out_id = a.reply ? ((Starling__OfflineAppendReply *)a.reply)->id : 0;
	answer_free(&a);
	return code;
}

static struct answer fetch(struct fixture *f, const char *account, uint64_t after, uint32_t limit)
{
	Starling__OfflineFetchRequest r = STARLING__OFFLINE_FETCH_REQUEST__INIT;

	r.account = (char *)account;
	r.after = after;
	r.limit = limit;
	return fixture_call(f, METHOD_STORAGE_OFFLINE_FETCH, &r, STR(""));
}

static uint64_t count(struct fixture *f, const char *account)
{
	Starling__AccountKey r = STARLING__ACCOUNT_KEY__INIT;
	struct answer a;
	uint64_t n;

	r.account = (char *)account;
	a = fixture_call(f, METHOD_STORAGE_OFFLINE_COUNT, &r, STR(""));
	assert_int_equal(a.code, OK);
	n = ((Starling__OfflineCountReply *)a.reply)->count;
	answer_free(&a);
	return n;
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

/* --- fences -------------------------------------------------------------------------------------------------------- */

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

/* --- small things -------------------------------------------------------------------------------------------------- */

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
		cmocka_unit_test(test_accounts),
		cmocka_unit_test(test_account_without_keys),
		cmocka_unit_test(test_bad_accounts),
		cmocka_unit_test(test_account_list),
		cmocka_unit_test(test_roster_fields),
		cmocka_unit_test(test_roster_versions),
		cmocka_unit_test(test_roster_of_second_life),
		cmocka_unit_test(test_roster_prune),
		cmocka_unit_test(test_roster_refusals),
		cmocka_unit_test(test_offline),
		cmocka_unit_test(test_offline_remove),
		cmocka_unit_test(test_offline_fetch_bytes),
		cmocka_unit_test(test_offline_keys),
		cmocka_unit_test(test_offline_limit),
		cmocka_unit_test(test_offline_refusals),
		cmocka_unit_test(test_fences),
		cmocka_unit_test(test_fences_in_one_batch),
		cmocka_unit_test(test_private),
		cmocka_unit_test(test_vcard_and_last),
		cmocka_unit_test(test_delete_takes_all),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
