/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool against a real PostgreSQL: appending, taking out. */
#include "services/storage/store_spool_calls.h"

#define MANY 300

/* The counters of a domain say what its rows come to. */
static void check_counters(struct fixture *f)
{
	assert_int_equal(fixture_sql(f,
	                             "SELECT count(*) FROM (SELECT slot, domain, count(*) AS count, sum(size) AS bytes FROM spool GROUP BY "
	                             "slot, domain) r FULL JOIN spool_domain d USING (slot, domain) WHERE r.count IS DISTINCT FROM d.count "
	                             "OR r.bytes IS DISTINCT FROM d.bytes"),
	                 0);
}

static void test_append(void **state)
{
	static const char there[] = "append.example";
	struct fixture *f = *state;
	const Starling__SpoolFetchReply *r;
	Starling__SpoolDomain d;
	struct answer a;
	uint64_t one, two;

	assert_int_equal(spool_count(f, there), 0);
	assert_int_equal(spool_domain_of(f, there).count, 0);
	one = spool_append_ok(f, &(struct spooled){ .domain = there,
	                                            .body = "<message>1</message>",
	                                            .extra = "<delay/>",
	                                            .time_us = 1234567890123456,
	                                            .stream = UINT64_MAX,
	                                            .number = UINT64_MAX - 1 });
	two = spool_append_ok(f, &(struct spooled){ .domain = there, .time_us = 1234567890123457 });
	assert_true(two > one);
	r = spool_fetch_call(f, there, 0, 10, &a);
	assert_int_equal(r->n_entries, 2);
	assert_true(r->complete);
	assert_int_equal(r->entries[0]->id, one);
	assert_string_equal(r->entries[0]->meta->from, "romeo@spool.example/orchard");
	assert_true(data_is(r->entries[0]->stanza, "<message>1</message>"));
	assert_true(data_is(r->entries[0]->extra, "<delay/>"));
	assert_int_equal(r->entries[0]->time_us, 1234567890123456);
	assert_true(r->entries[0]->key_stream == UINT64_MAX && r->entries[0]->key_number == UINT64_MAX - 1);
	assert_int_equal(r->entries[1]->id, two);
	assert_int_equal(r->entries[1]->extra.len, 0);
	assert_int_equal(r->entries[1]->key_stream, 0);
	answer_free(&a);
	d = spool_domain_of(f, there);
	assert_int_equal(d.slot, hash_slot(STR("append.example")));
	assert_int_equal(d.count, 2);
	assert_int_equal(d.bytes, strlen("<message>1</message>") + strlen("<delay/>") + strlen("<message/>"));
	assert_int_equal(d.oldest_us, 1234567890123456);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	Starling__SpoolAppendRequest bare = STARLING__SPOOL_APPEND_REQUEST__INIT;
	Starling__SpoolDoneRequest done = STARLING__SPOOL_DONE_REQUEST__INIT;
	Starling__SpoolFetchRequest fetch = STARLING__SPOOL_FETCH_REQUEST__INIT;
	Starling__SpoolDomainsRequest domains = STARLING__SPOOL_DOMAINS_REQUEST__INIT;
	Starling__Fence wrong = spool_fence("refuse.example", 1);
	uint64_t ids[1001] = { 0 };
	uint32_t slots[1025] = { 0 };
	char longest[1025];
	struct answer a;
	const char *const bad[] = {
		"", "a@refuse.example", "refuse.example/x/y", "refuse.example/", "refuse example", "refuse\n", "bad\xff.example", longest
	};

	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(spool_append_call(f, &(struct spooled){ .domain = bad[i] }, NULL), INVALID);
		assert_int_equal(spool_done_call(f, bad[i], ids, 1, 0), INVALID);
		fetch.domain = (char *)bad[i];
		fetch.limit = 1;
		assert_int_equal(fixture_code(f, METHOD_STORAGE_SPOOL_FETCH, &fetch), INVALID);
	}
	longest[1023] = '\0';
	spool_append_ok(f, &(struct spooled){ .domain = longest });
	assert_int_equal(spool_count(f, longest), 1);
	assert_int_equal(spool_append_call(f, &(struct spooled){ .domain = "refuse.example", .body = "" }, NULL), INVALID);
	assert_int_equal(spool_append_call(f, &(struct spooled){ .domain = "refuse.example", .max_bytes = UINT64_MAX }, NULL), INVALID);
	bare.domain = (char *)"refuse.example";
	a = fixture_call(f, METHOD_STORAGE_SPOOL_APPEND, &bare, STR("<message/>"));
	assert_int_equal(a.code, INVALID);
	/* A fence is of the domain's slot. */
	wrong.slot = (wrong.slot + 1) % SLOT_COUNT;
	done.domain = (char *)"refuse.example";
	done.fence = &wrong;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_SPOOL_DONE, &done), INVALID);
	assert_int_equal(spool_append_call(f, &(struct spooled){ .domain = "refuse.example", .epoch = UINT64_MAX }, NULL), INVALID);
	assert_int_equal(spool_done_call(f, "refuse.example", ids, 1001, 0), INVALID);
	fetch.domain = (char *)"refuse.example";
	fetch.limit = 0;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_SPOOL_FETCH, &fetch), INVALID);
	fetch.limit = 501;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_SPOOL_FETCH, &fetch), INVALID);
	domains.slots = slots;
	domains.n_slots = 1025;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_SPOOL_DOMAINS, &domains), INVALID);
	domains.n_slots = 1;
	slots[0] = 1024;
	assert_int_equal(fixture_code(f, METHOD_STORAGE_SPOOL_DOMAINS, &domains), INVALID);
	assert_int_equal(spool_count(f, "refuse.example"), 0);
}

/* Many at once for several domains, over several batches: each domain has them in the order of calling. */
static void test_order(void **state)
{
	static const char *const names[] = { "order1.example", "order2.example", "order3.example" };
	struct fixture *f = *state;
	struct answer *a = mem_zalloc(MANY * sizeof *a), page;
	const Starling__SpoolFetchReply *r;
	char body[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(body, sizeof body, "%d", i);
		spool_send(f,
		           &(struct spooled){ .domain = names[i % 3], .body = body, .max_count = 1000, .stream = 1, .number = (uint64_t)i },
		           &a[i]);
		if (i % 40 == 0)
			uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	for (int i = 0; i < MANY; i++) {
		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(a[i].code, OK);
		assert_true(i < 3 || spool_id(&a[i]) > spool_id(&a[i - 3]));
	}
	for (size_t n = 0; n < 3; n++) {
		r = spool_fetch_call(f, names[n], 0, 500, &page);
		assert_int_equal(r->n_entries, MANY / 3);
		for (size_t i = 0; i < r->n_entries; i++) {
			snprintf(body, sizeof body, "%zu", 3 * i + n);
			assert_true(data_is(r->entries[i]->stanza, body));
			assert_int_equal(r->entries[i]->id, spool_id(&a[3 * i + n]));
		}
		answer_free(&page);
	}
	for (int i = 0; i < MANY; i++)
		answer_free(&a[i]);
	mem_free(a);
	check_counters(f);
}

static void test_again(void **state)
{
	static const char there[] = "again.example";
	struct fixture *f = *state;
	struct spooled s = { .domain = there, .stream = 5, .number = 1 };
	struct answer a[4];
	uint64_t one, two;

	one = spool_append_ok(f, &s);
	/* Not asked for: added. */
	two = spool_append_ok(f, &s);
	assert_true(two > one);
	assert_int_equal(spool_done_call(f, there, &two, 1, 0), OK);
	s.again = true;
	assert_int_equal(spool_append_ok(f, &s), one);
	assert_int_equal(spool_count(f, there), 1);
	/* Another domain, another number, no name: added. */
	s.domain = "again2.example";
	assert_true(spool_append_ok(f, &s) > one);
	s.domain = there;
	s.number = 2;
	assert_true(spool_append_ok(f, &s) > one);
	s.stream = 0;
	spool_append_ok(f, &s);
	spool_append_ok(f, &s);
	assert_int_equal(spool_count(f, there), 4);
	/* The former counts for no limit; all at once. */
	s = (struct spooled){ .domain = there, .stream = 7, .again = true, .max_count = 6 };
	for (uint64_t i = 0; i < 4; i++) {
		s.number = i == 2 ? 2 : 1;
		spool_send(f, &s, &a[i]);
	}
	for (int i = 0; i < 4; i++)
		assert_true(fixture_until(f, &a[i].done));
	assert_true(spool_id(&a[0]) > 0);
	assert_int_equal(spool_id(&a[0]), spool_id(&a[1]));
	assert_int_equal(spool_id(&a[0]), spool_id(&a[3]));
	assert_true(spool_id(&a[2]) > spool_id(&a[0]));
	for (int i = 0; i < 4; i++)
		answer_free(&a[i]);
	/* Taken out: it is not known any more. */
	s.number = 1;
	s.max_count = 0;
	one = spool_append_ok(f, &s);
	assert_int_equal(spool_done_call(f, there, &one, 1, 0), OK);
	assert_true(spool_append_ok(f, &s) > one);
	check_counters(f);
}

static void test_limits(void **state)
{
	static const char there[] = "limit.example";
	struct fixture *f = *state;
	struct spooled s = { .domain = there, .body = "0123456789", .max_count = 3 };
	struct answer a[5];
	uint64_t first;

	first = spool_append_ok(f, &s);
	/* Two more, in one batch. */
	for (int i = 0; i < 5; i++)
		spool_send(f, &s, &a[i]);
	for (int i = 0; i < 5; i++) {
		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(a[i].code, i < 2 ? OK : LIMIT);
		answer_free(&a[i]);
	}
	s.max_count = 0;
	s.max_bytes = 40;
	assert_int_equal(spool_append_call(f, &s, NULL), OK);
	assert_int_equal(spool_append_call(f, &s, NULL), LIMIT);
	s.body = "1";
	assert_int_equal(spool_append_call(f, &s, NULL), LIMIT);
	assert_int_equal(spool_done_call(f, there, &first, 1, 0), OK);
	s.body = "01234567890";
	assert_int_equal(spool_append_call(f, &s, NULL), LIMIT);
	s.extra = "0123";
	s.body = "0123456";
	assert_int_equal(spool_append_call(f, &s, NULL), LIMIT);
	s.extra = "012";
	assert_int_equal(spool_append_call(f, &s, NULL), OK);
	assert_int_equal(spool_domain_of(f, there).bytes, 40);
	/* Another domain has its own, and no limit is none. */
	s.domain = "limit2.example";
	s.max_count = 1;
	assert_int_equal(spool_append_call(f, &s, NULL), OK);
	assert_int_equal(spool_append_call(f, &(struct spooled){ .domain = there }, NULL), OK);
	assert_int_equal(spool_count(f, there), 5);
	check_counters(f);
}

static void test_done(void **state)
{
	static const char there[] = "done.example", other[] = "done2.example";
	struct fixture *f = *state;
	uint64_t ids[6], far, wild[] = { 0, UINT64_MAX, INT64_MAX };

	for (int i = 0; i < 5; i++)
		ids[i] = spool_append_ok(f, &(struct spooled){ .domain = there, .time_us = 100 + i });
	far = spool_append_ok(f, &(struct spooled){ .domain = other });
	ids[5] = far;
	/* From the middle, one of another domain, one twice. */
	assert_int_equal(spool_done_call(f, there, (uint64_t[]){ ids[1], far, ids[3], ids[1] }, 4, 0), OK);
	assert_int_equal(spool_count(f, there), 3);
	assert_int_equal(spool_count(f, other), 1);
	assert_int_equal(spool_domain_of(f, there).count, 3);
	assert_int_equal(spool_done_call(f, there, ids, 1, 0), OK);
	assert_int_equal(spool_done_call(f, there, ids, 1, 0), OK);
	assert_int_equal(spool_domain_of(f, there).oldest_us, 102);
	assert_int_equal(spool_done_call(f, there, wild, 3, 0), OK);
	assert_int_equal(spool_done_call(f, there, NULL, 0, 0), OK);
	assert_int_equal(spool_done_call(f, "nothing.example", ids, 6, 0), OK);
	assert_int_equal(spool_domain_of(f, there).count, 2);
	assert_int_equal(spool_done_call(f, there, ids, 6, 0), OK);
	/* Nothing is left, not even a counter; ids are not used again. */
	assert_int_equal(spool_domain_of(f, there).count, 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM spool_domain WHERE domain = 'done.example'"), 0);
	assert_true(spool_append_ok(f, &(struct spooled){ .domain = there }) > far);
	assert_int_equal(spool_count(f, other), 1);
	check_counters(f);
}

/* Appends and removals of several domains in the same batches. */
static void test_done_together(void **state)
{
	struct fixture *f = *state;
	struct answer *a = mem_zalloc(2 * MANY * sizeof *a);
	uint64_t ids[MANY];
	char domain[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(domain, sizeof domain, "together%d.example", i % 20);
		ids[i] = spool_append_ok(f, &(struct spooled){ .domain = domain });
		if (i % 100 == 0)
			check_counters(f);
	}
	for (int i = 0; i < MANY; i++) {
		Starling__SpoolDoneRequest r = STARLING__SPOOL_DONE_REQUEST__INIT;

		snprintf(domain, sizeof domain, "together%d.example", i % 20);
		r.domain = domain;
		r.ids = &ids[i];
		r.n_ids = 1;
		fixture_send(f, METHOD_STORAGE_SPOOL_DONE, &r, STR(""), &a[2 * i]);
		spool_send(f, &(struct spooled){ .domain = domain, .body = "new" }, &a[2 * i + 1]);
	}
	for (int i = 0; i < 2 * MANY; i++) {
		assert_true(fixture_until(f, &a[i].done));
		assert_int_equal(a[i].code, OK);
		answer_free(&a[i]);
	}
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM spool WHERE domain LIKE 'together%' AND stanza = 'new'"), MANY);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM spool WHERE domain LIKE 'together%'"), MANY);
	check_counters(f);
	mem_free(a);
}

/* An account's end is nothing to the spool. */
static void test_account_deleted(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_account(f, "romeo@spool.example"), OK);
	spool_append_ok(f, &(struct spooled){ .domain = "stays.example" });
	assert_int_equal(with_key(f, METHOD_STORAGE_ACCOUNT_DELETE, "romeo@spool.example"), OK);
	assert_int_equal(spool_count(f, "stays.example"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_order),
		cmocka_unit_test(test_again),         cmocka_unit_test(test_limits),          cmocka_unit_test(test_done),
		cmocka_unit_test(test_done_together), cmocka_unit_test(test_account_deleted),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
