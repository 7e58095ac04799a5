/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool against a real PostgreSQL: reading, and that every statement's plan goes by index. */
#include "services/storage/store_plan_fixture.h"
#include "services/storage/store_spool_calls.h"

static void test_pages(void **state)
{
	static const char there[] = "pages.example";
	struct fixture *f = *state;
	const Starling__SpoolFetchReply *r;
	struct answer a;
	uint64_t ids[7];
	char large[4001];

	for (int i = 0; i < 7; i++)
		ids[i] = spool_append_ok(f, &(struct spooled){ .domain = there });
	r = spool_fetch_call(f, there, 0, 3, &a);
	assert_int_equal(r->n_entries, 3);
	assert_false(r->complete);
	answer_free(&a);
	r = spool_fetch_call(f, there, ids[2], 4, &a);
	assert_int_equal(r->n_entries, 4);
	assert_int_equal(r->entries[0]->id, ids[3]);
	assert_true(r->complete);
	answer_free(&a);
	assert_true(spool_fetch_call(f, there, ids[6], 4, &a)->complete);
	answer_free(&a);
	/* The fixture's replies end beyond 10000 bytes. */
	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	for (int i = 0; i < 5; i++)
		spool_append_ok(f, &(struct spooled){ .domain = "large.example", .body = large });
	r = spool_fetch_call(f, "large.example", 0, 500, &a);
	assert_int_equal(r->n_entries, 3);
	assert_int_equal(r->entries[2]->stanza.len, sizeof large - 1);
	assert_false(r->complete);
	answer_free(&a);
}

static void check_plans(struct fixture *f)
{
	plans_begin(f);
	check_plan(f, METHOD_STORAGE_SPOOL_CLAIM, "(NULL, NULL, NULL, NULL)");
	check_plan(f, METHOD_STORAGE_SPOOL_RELEASE, "(NULL, NULL, NULL)");
	check_plan(f, METHOD_STORAGE_SPOOL_APPEND, "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
	check_plan(f, METHOD_STORAGE_SPOOL_FETCH, "(NULL, NULL, NULL, NULL)");
	check_plan(f, METHOD_STORAGE_SPOOL_DONE, "(NULL, NULL, NULL, NULL)");
	check_plan(f, METHOD_STORAGE_SPOOL_DOMAINS, "(NULL)");
	plans_end(f);
}

/* While the tables are new, and with many rows of one domain and statistics that say so. */
static void test_plans(void **state)
{
	struct fixture *f = *state;

	check_plans(f);
	fixture_sql(f, "INSERT INTO spool SELECT 'plans.example', nextval('spool_ids'), 5, 10, n, 3, n, '', 'x', NULL FROM "
	               "generate_series(1, 20000) n");
	fixture_sql(f, "INSERT INTO spool_domain VALUES (5, 'plans.example', 20000, 200000)");
	fixture_sql(f, "ANALYZE spool");
	fixture_sql(f, "ANALYZE spool_domain");
	fixture_sql(f, "ANALYZE spool_owner");
	check_plans(f);
	fixture_sql(f, "DELETE FROM spool WHERE domain = 'plans.example'");
	fixture_sql(f, "DELETE FROM spool_domain WHERE domain = 'plans.example'");
}

/* Sixteen slots' worth of domains, each said once though asked twice. */
static void test_domains(void **state)
{
	struct fixture *f = *state;
	Starling__SpoolDomainsRequest r = STARLING__SPOOL_DOMAINS_REQUEST__INIT;
	uint32_t slots[SLOT_COUNT];
	const Starling__SpoolDomainsReply *reply;
	struct answer a;
	char domain[32];
	size_t found = 0;

	for (int i = 0; i < 16; i++) {
		snprintf(domain, sizeof domain, "domains%d.example", i);
		slots[2 * i] = slots[2 * i + 1] = hash_slot(str_from(domain));
		spool_append_ok(f, &(struct spooled){ .domain = domain, .time_us = i });
	}
	r.slots = slots;
	r.n_slots = 32;
	a = fixture_call(f, METHOD_STORAGE_SPOOL_DOMAINS, &r, STR(""));
	reply = (const Starling__SpoolDomainsReply *)a.reply;
	for (size_t i = 0; i < reply->n_domains; i++)
		if (strncmp(reply->domains[i]->domain, "domains", 7) == 0) {
			found++;
			assert_int_equal(reply->domains[i]->count, 1);
			assert_int_equal(reply->domains[i]->oldest_us, atoi(reply->domains[i]->domain + 7));
			assert_int_equal(reply->domains[i]->slot, hash_slot(str_from(reply->domains[i]->domain)));
		}
	assert_int_equal(found, 16);
	answer_free(&a);
	r.n_slots = 0;
	a = fixture_call(f, METHOD_STORAGE_SPOOL_DOMAINS, &r, STR(""));
	assert_int_equal(((const Starling__SpoolDomainsReply *)a.reply)->n_domains, 0);
	answer_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_domains),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
