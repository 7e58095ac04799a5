/* SPDX-License-Identifier: Apache-2.0
 *
 * The message log as an archive, against a real PostgreSQL: pages, filters, retracting, erasing. */
#include "services/storage/store_log_calls.h"

#define MANY 9

struct want {
	const char *with;
	uint64_t from, to, after, before;
	bool backward, count, require;
	uint32_t limit;
	uint64_t *ids;
	size_t n_ids;
};

static struct answer query(struct fixture *f, const char *account, const struct want *w)
{
	Starling__LogQueryRequest r = STARLING__LOG_QUERY_REQUEST__INIT;

	r.account = (char *)account;
	r.with = (char *)(w->with ? w->with : "");
	r.from_id = w->from;
	r.to_id = w->to;
	r.after = w->after;
	r.before = w->before;
	r.backward = w->backward;
	r.count = w->count;
	r.require_after = w->require;
	r.limit = w->limit;
	r.ids = w->ids;
	r.n_ids = w->n_ids;
	return fixture_call(f, METHOD_STORAGE_LOG_QUERY, &r, STR(""));
}

/* The page as positions in `ids`: "125+" is the 2nd, 3rd and 6th, and more follow. */
static void assert_page(struct fixture *f, const char *account, const struct want *w, const uint64_t *ids, const char *expected)
{
	struct answer a = query(f, account, w);
	const Starling__LogQueryReply *r = (const Starling__LogQueryReply *)a.reply;
	char found[32] = "", *end = found;

	assert_int_equal(a.code, OK);
	for (size_t i = 0; i < r->n_entries; i++)
		for (int k = 0; k < MANY; k++)
			if (ids[k] == r->entries[i]->id)
				*end++ = (char)('0' + k);
	if (!r->complete)
		*end++ = '+';
	*end = '\0';
	assert_string_equal(found, expected);
	answer_free(&a);
}

static void assert_count(struct fixture *f, const char *account, const struct want *w, uint64_t count, uint64_t index)
{
	struct answer a = query(f, account, w);
	const Starling__LogQueryReply *r = (const Starling__LogQueryReply *)a.reply;

	assert_int_equal(a.code, OK);
	assert_int_equal(r->count, count);
	assert_int_equal(r->index, index);
	answer_free(&a);
}

/* To juliet, of romeo's two phones and of the nurse, her own and one to herself; romeo's archive has some of them. */
static void fill(struct fixture *f, const char *host, char me[64], char romeo[64], uint64_t ids[MANY])
{
	char phone[80], tablet[80], nurse[80];
	struct message all[MANY];

	snprintf(me, 64, "juliet@%s", host);
	snprintf(romeo, 64, "romeo@%s", host);
	snprintf(phone, sizeof phone, "%s/phone", romeo);
	snprintf(tablet, sizeof tablet, "%s/tablet", romeo);
	snprintf(nurse, sizeof nurse, "nurse@far.invalid/x");
	assert_int_equal(fixture_account(f, me), OK);
	assert_int_equal(fixture_account(f, romeo), OK);
	all[0] = (struct message){ .sender = romeo, .recipient = me, .archived = true, .from = phone };
	all[1] = (struct message){ .recipient = me, .archived = true, .from = nurse };
	all[2] = (struct message){ .sender = me, .recipient = romeo, .to = phone };
	all[3] = (struct message){ .sender = me, .recipient = me };
	all[4] = (struct message){ .recipient = me, .archived = true, .from = tablet };
	all[5] = (struct message){ .recipient = me, .from = phone }; /* not archived */
	all[6] = (struct message){ .sender = me, .recipient = romeo, .archived = true };
	all[7] = (struct message){ .recipient = romeo, .archived = true, .from = nurse }; /* not hers */
	all[8] = (struct message){ .recipient = me, .archived = true, .from = nurse };
	for (int i = 0; i < MANY; i++)
		ids[i] = log_append_ok(f, &all[i], NULL);
}

static void test_pages(void **state)
{
	struct fixture *f = *state;
	char me[64], romeo[64];
	uint64_t ids[MANY];

	fill(f, "page.example", me, romeo, ids);
	assert_page(f, me, &(struct want){ .limit = 50 }, ids, "0123468");
	assert_page(f, me, &(struct want){ .limit = 3 }, ids, "012+");
	assert_page(f, me, &(struct want){ .limit = 3, .after = ids[2] }, ids, "346+");
	assert_page(f, me, &(struct want){ .limit = 3, .after = ids[4] }, ids, "68");
	assert_page(f, me, &(struct want){ .limit = 3, .backward = true }, ids, "468+");
	assert_page(f, me, &(struct want){ .limit = 3, .backward = true, .before = ids[4] }, ids, "123+");
	assert_page(f, me, &(struct want){ .limit = 3, .backward = true, .before = ids[3] }, ids, "012");
	assert_page(f, me, &(struct want){ .limit = 9, .from = ids[1], .to = ids[4] }, ids, "1234");
	assert_page(f, me, &(struct want){ .limit = 2, .from = ids[1], .to = ids[4], .backward = true }, ids, "34+");
	assert_page(f, me, &(struct want){ .limit = 9, .after = ids[8] }, ids, "");
	assert_page(f, me, &(struct want){ .limit = 9, .before = 1 }, ids, "");
	assert_page(f, "nobody@page.example", &(struct want){ .limit = 9 }, ids, "");
	assert_page(f, romeo, &(struct want){ .limit = 9 }, ids, "067");
}

static void test_filters(void **state)
{
	struct fixture *f = *state;
	char me[64], romeo[64], phone[80], tablet[80], mine[80];
	uint64_t ids[MANY];

	fill(f, "with.example", me, romeo, ids);
	snprintf(phone, sizeof phone, "%s/phone", romeo);
	snprintf(tablet, sizeof tablet, "%s/tablet", romeo);
	snprintf(mine, sizeof mine, "%s/none", me);
	assert_page(f, me, &(struct want){ .limit = 9, .with = romeo }, ids, "0246");
	assert_page(f, me, &(struct want){ .limit = 2, .with = romeo, .backward = true }, ids, "46+");
	assert_page(f, me, &(struct want){ .limit = 9, .with = phone }, ids, "02");
	assert_page(f, me, &(struct want){ .limit = 9, .with = tablet }, ids, "4");
	assert_page(f, me, &(struct want){ .limit = 9, .with = "nurse@far.invalid" }, ids, "18");
	assert_page(f, me, &(struct want){ .limit = 9, .with = me }, ids, "3");
	assert_page(f, me, &(struct want){ .limit = 9, .with = mine }, ids, "");
	assert_page(f, me, &(struct want){ .limit = 9, .with = "stranger@far.invalid" }, ids, "");
	assert_count(f, me, &(struct want){ .limit = 2, .with = romeo, .count = true, .after = ids[0] }, 4, 1);
	assert_count(f, me, &(struct want){ .with = phone, .count = true }, 2, 0);
}

static void test_counts(void **state)
{
	struct fixture *f = *state;
	char me[64], romeo[64];
	uint64_t ids[MANY];

	fill(f, "count.example", me, romeo, ids);
	assert_count(f, me, &(struct want){ .limit = 2, .count = true }, 7, 0);
	assert_count(f, me, &(struct want){ .limit = 2, .count = true, .after = ids[2] }, 7, 3);
	assert_count(f, me, &(struct want){ .limit = 2, .count = true, .backward = true }, 7, 5);
	assert_count(f, me, &(struct want){ .limit = 2, .count = true, .backward = true, .before = ids[4] }, 7, 2);
	assert_count(f, me, &(struct want){ .limit = 2, .count = true, .from = ids[2], .to = ids[6] }, 4, 0);
	assert_count(f, me, &(struct want){ .limit = 0 }, 7, 0);
	assert_page(f, me, &(struct want){ .limit = 0 }, ids, "+");
	assert_page(f, me, &(struct want){ .limit = 0, .with = "stranger@far.invalid" }, ids, "");
	assert_page(f, me, &(struct want){ .limit = 0, .after = ids[8] }, ids, "");
	/* Nobody asked. */
	assert_count(f, me, &(struct want){ .limit = 2 }, 0, 0);
}

static void test_references(void **state)
{
	struct fixture *f = *state;
	char me[64], romeo[64];
	uint64_t ids[MANY], wanted[3];

	fill(f, "refer.example", me, romeo, ids);
	assert_page(f, me, &(struct want){ .limit = 9, .after = ids[1] + 1 }, ids, "23468");
	assert_int_equal(query(f, me, &(struct want){ .limit = 9, .after = ids[7], .require = true }).code, NOT_FOUND);
	assert_int_equal(query(f, me, &(struct want){ .limit = 9, .after = ids[5], .require = true }).code, NOT_FOUND);
	assert_int_equal(query(f, me, &(struct want){ .limit = 9, .before = ids[1] + 1, .require = true }).code, NOT_FOUND);
	assert_page(f, me, &(struct want){ .limit = 9, .after = ids[4], .require = true }, ids, "68");
	assert_page(f, me, &(struct want){ .limit = 9, .before = ids[2], .require = true }, ids, "01");
	assert_page(f, me, &(struct want){ .limit = 9, .require = true }, ids, "0123468");
	wanted[0] = ids[6];
	wanted[1] = ids[0];
	wanted[2] = ids[6];
	assert_page(f, me, &(struct want){ .limit = 9, .ids = wanted, .n_ids = 3 }, ids, "06");
	assert_page(f, me, &(struct want){ .limit = 1, .ids = wanted, .n_ids = 3 }, ids, "0+");
	assert_page(f, me, &(struct want){ .limit = 1, .ids = wanted, .n_ids = 3, .after = ids[0] }, ids, "6");
	assert_page(f, me, &(struct want){ .limit = 1, .ids = wanted, .n_ids = 3, .backward = true }, ids, "6+");
	assert_count(f, me, &(struct want){ .limit = 9, .ids = wanted, .n_ids = 3, .count = true }, 2, 0);
	wanted[2] = ids[7];
	assert_int_equal(query(f, me, &(struct want){ .limit = 9, .ids = wanted, .n_ids = 3 }).code, NOT_FOUND);
	assert_int_equal(query(f, me, &(struct want){ .limit = 501 }).code, INVALID);
	assert_int_equal(query(f, me, &(struct want){ .limit = 1, .after = UINT64_MAX }).code, INVALID);
	assert_int_equal(query(f, "x/y", &(struct want){ .limit = 1 }).code, INVALID);
}

static void test_metadata(void **state)
{
	struct fixture *f = *state;
	char me[64], romeo[64];
	uint64_t ids[MANY];
	Starling__AccountKey r = STARLING__ACCOUNT_KEY__INIT;
	struct answer a;

	fill(f, "meta.example", me, romeo, ids);
	r.account = me;
	a = fixture_call(f, METHOD_STORAGE_LOG_METADATA, &r, STR(""));
	assert_int_equal(((Starling__LogMetadataReply *)a.reply)->first, ids[0]);
	assert_int_equal(((Starling__LogMetadataReply *)a.reply)->last, ids[8]);
	answer_free(&a);
	r.account = (char *)"nobody@meta.example";
	a = fixture_call(f, METHOD_STORAGE_LOG_METADATA, &r, STR(""));
	assert_int_equal(((Starling__LogMetadataReply *)a.reply)->last, 0);
	answer_free(&a);
}

/* --- retracting ---------------------------------------------------------------------------------------------------- */

static int retract(struct fixture *f, const char *sender, const char *recipient, const char *target, const char *tombstone)
{
	Starling__LogRetractRequest r = STARLING__LOG_RETRACT_REQUEST__INIT;

	r.sender = (char *)sender;
	r.recipient = (char *)recipient;
	r.target = (char *)target;
	r.tombstone = data(tombstone);
	return fixture_code(f, METHOD_STORAGE_LOG_RETRACT, &r);
}

/* How many of the account's entries are tombstones. */
static int tombstones(struct fixture *f, const char *account)
{
	struct answer a = log_fetch_call(f, account, 0, 500, false);
	const Starling__LogFetchReply *r = (const Starling__LogFetchReply *)a.reply;
	int n = 0;

	for (size_t i = 0; i < r->n_entries; i++)
		n += data_is(r->entries[i]->stanza, "<gone/>");
	answer_free(&a);
	return n;
}

static void test_retract(void **state)
{
	static const char juliet[] = "juliet@retract.example", romeo[] = "romeo@retract.example", far[] = "far@retract.invalid";
	struct fixture *f = *state;
	struct message m = {
		.sender = juliet, .recipient = romeo, .archived = true, .from = "juliet@retract.example/x", .id = "m1", .origin = "o1"
	};

	assert_int_equal(fixture_account(f, juliet), OK);
	assert_int_equal(fixture_account(f, romeo), OK);
	log_append_ok(f, &m, NULL);
	m.id = m.origin = "m2";
	log_append_ok(f, &m, NULL);
	/* The same id, by somebody else, and waiting. */
	log_append_ok(f, &(struct message){ .recipient = romeo, .from = "far@retract.invalid/x", .id = "m1" }, NULL);
	assert_int_equal(retract(f, romeo, juliet, "m1", "<gone/>"), OK);
	assert_int_equal(retract(f, "stranger@x", romeo, "m1", "<gone/>"), OK);
	assert_int_equal(retract(f, juliet, romeo, "unknown", "<gone/>"), OK);
	assert_int_equal(tombstones(f, romeo), 0);
	assert_int_equal(retract(f, juliet, romeo, "m1", "<gone/>"), OK);
	assert_int_equal(tombstones(f, romeo), 1);
	assert_int_equal(tombstones(f, juliet), 1);
	assert_int_equal(retract(f, juliet, romeo, "m2", "<gone/>"), OK);
	assert_int_equal(tombstones(f, romeo), 2);
	assert_int_equal(retract(f, far, romeo, "m1", "<gone/>"), OK);
	assert_int_equal(tombstones(f, romeo), 3);
	assert_int_equal(tombstones(f, juliet), 2);
	/* To elsewhere, and to oneself. */
	log_append_ok(f, &(struct message){ .sender = juliet, .to = far, .id = "m3" }, NULL);
	log_append_ok(f, &(struct message){ .sender = juliet, .recipient = juliet, .id = "m4" }, NULL);
	assert_int_equal(retract(f, juliet, far, "m3", "<gone/>"), OK);
	assert_int_equal(retract(f, juliet, juliet, "m4", "<gone/>"), OK);
	assert_int_equal(tombstones(f, juliet), 4);
	assert_int_equal(retract(f, juliet, "", "m1", "<gone/>"), INVALID);
	assert_int_equal(retract(f, "juliet@retract.example/x", romeo, "m1", "<gone/>"), INVALID);
	assert_int_equal(retract(f, juliet, romeo, "", "<gone/>"), INVALID);
	assert_int_equal(retract(f, juliet, romeo, "m1", ""), INVALID);
}

/* --- erasing ------------------------------------------------------------------------------------------------------- */

static uint64_t erase(struct fixture *f, const char *account, const char *host, uint64_t until)
{
	Starling__LogEraseRequest r = STARLING__LOG_ERASE_REQUEST__INIT;
	uint64_t total = 0, n;

	r.account = (char *)account;
	r.host = (char *)host;
	r.until = until;
	do {
		struct answer a = fixture_call(f, METHOD_STORAGE_LOG_ERASE, &r, STR(""));

		assert_int_equal(a.code, OK);
		n = ((Starling__LogEraseReply *)a.reply)->erased;
		total += n;
		answer_free(&a);
	} while (n);
	return total;
}

static void test_erase(void **state)
{
	struct fixture *f = *state;
	char me[64], romeo[64];
	uint64_t ids[MANY];
	Starling__LogEraseRequest bare = STARLING__LOG_ERASE_REQUEST__INIT;

	fill(f, "erase.example", me, romeo, ids);
	/* Nothing was delivered: only what she sent goes. */
	assert_int_equal(erase(f, me, "", 0), 2);
	assert_page(f, me, &(struct want){ .limit = 9 }, ids, "01348");
	assert_int_equal(log_delivered_call(f, me, ids[4], &ids[1], 1, NULL), OK);
	assert_int_equal(erase(f, me, "", ids[3]), 1);
	assert_page(f, me, &(struct want){ .limit = 9 }, ids, "1348");
	assert_int_equal(erase(f, me, "", 0), 2);
	assert_page(f, me, &(struct want){ .limit = 9 }, ids, "18");
	assert_page(f, romeo, &(struct want){ .limit = 9 }, ids, "067");
	assert_int_equal(log_waiting(f, me), 2);
	/* The other account of the host has three, one of them sent. */
	assert_int_equal(log_delivered_call(f, romeo, ids[8], NULL, 0, NULL), OK);
	assert_int_equal(erase(f, "", "erase.example", 0), 3);
	assert_page(f, romeo, &(struct want){ .limit = 9 }, ids, "");
	assert_int_equal(erase(f, "nobody@erase.example", "", 0), 0);
	assert_int_equal(fixture_code(f, METHOD_STORAGE_LOG_ERASE, &bare), INVALID);
}

static void test_delete_account(void **state)
{
	static const char left[] = "SELECT count(*) FROM message_log WHERE id BETWEEN %llu AND %llu";
	struct fixture *f = *state;
	char me[64], romeo[64], sql[128];
	uint64_t ids[MANY];

	fill(f, "delete.example", me, romeo, ids);
	snprintf(sql, sizeof sql, left, (unsigned long long)ids[0], (unsigned long long)ids[8]);
	assert_int_equal(with_key(f, METHOD_STORAGE_ACCOUNT_DELETE, me), OK);
	assert_int_equal(log_count(f, me), 0);
	assert_int_equal(fixture_account(f, me), OK);
	assert_int_equal(log_count(f, me), 0);
	while (fixture_sql(f, "SELECT message_log_bury(2)"))
		;
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM accounts_gone"), 0);
	/* Of hers only what romeo has, too: his own first, and two of her to him. */
	assert_int_equal(fixture_sql(f, sql), 4);
	assert_page(f, romeo, &(struct want){ .limit = 9 }, ids, "067");
	assert_int_equal(log_waiting(f, romeo), 3);
	assert_int_equal(with_key(f, METHOD_STORAGE_ACCOUNT_DELETE, romeo), OK);
	while (fixture_sql(f, "SELECT message_log_bury(1000)"))
		;
	assert_int_equal(fixture_sql(f, sql), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),      cmocka_unit_test(test_filters),        cmocka_unit_test(test_counts),
		cmocka_unit_test(test_references), cmocka_unit_test(test_metadata),       cmocka_unit_test(test_retract),
		cmocka_unit_test(test_erase),      cmocka_unit_test(test_delete_account),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
