/* SPDX-License-Identifier: Apache-2.0
 *
 * What may have been appended before is looked for, no further back than that can have been; what cannot, is not: a look costs more than the append. */
#include "services/session-manager/edge.h"
#include "services/session-manager/fake_edge.h"

static void submit(uint64_t edge, uint64_t number, bool again, uint64_t age_ms, const char *origin)
{
	struct ipc_call call = { .source = edge, .payload = STR("<message>m</message>") };
	Starling__SubmitEvent r = STARLING__SUBMIT_EVENT__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.kind = KIND_MESSAGE;
	meta.type = TYPE_CHAT;
	meta.to = TEXT("b@h.test");
	meta.flags = STARLING__STANZA_FLAG__FLAG_BODY;
	meta.origin_id = TEXT(origin);
	r.stream = A;
	r.number = number;
	r.meta = &meta;
	r.again = again;
	r.age_ms = age_ms;
	on_session_submit(&call, &r);
	fake_turns(6);
}

static struct session *a(void)
{
	return session_find(fake.sm, A);
}

/* The newest append. */
static const Starling__LogAppendRequest *appended(void)
{
	assert_true(fake.row_count > 0);
	return fake.rows[fake.row_count - 1].request;
}

static void begin(void)
{
	log_in_both();
	assert_int_equal(fake_enable(A, "a@h.test/one", 600, 1), 600);
	submit(EDGE, 1, false, 0, "");
	assert_int_equal(fake.row_count, 1);
	assert_false(appended()->check);
}

static void lose_memory(void)
{
	bool all[SLOT_COUNT];

	memset(all, 1, sizeof(all));
	account_drop_slots(fake.sm, all);
	fake_turns(2);
}

/* The new edge marks whatever the old one may have sent. */
static void an_owner_that_stayed_knows_what_is_new(void **state)
{
	(void)state;
	begin();
	fake_close(A, "a@h.test/one", true);
	assert_int_equal(fake_resume(A, "a@h.test", EDGE2, 0).accepted, 1);
	submit(EDGE2, 2, true, 0, "");
	assert_int_equal(fake.row_count, 2);
	assert_false(appended()->check);
	submit(EDGE2, 3, true, 1000, "");
	assert_false(appended()->check);
}

static void what_another_owner_had_is_looked_for(void **state)
{
	(void)state;
	begin();
	lose_memory();
	assert_int_equal(fake_attach(A, "a@h.test/one", 0, 0, 0, NULL, 0), 0);
	submit(EDGE, 1, true, 0, "");
	assert_int_equal(fake.row_count, 1);
	submit(EDGE, 2, true, 0, "");
	assert_int_equal(fake.row_count, 2);
	assert_true(appended()->check);
	/* Since the record was written, and a minute for clocks that differ. */
	assert_in_range(appended()->check_age_ms, 60000, 90000);
	submit(EDGE, 3, true, 1234, "");
	assert_in_range(appended()->check_age_ms, 1234, 5000);
	submit(EDGE, 4, false, 0, "");
	assert_false(appended()->check);
}

/* Higher numbers than any owner takes at a time, nobody can have had. */
static void numbers_that_nobody_had(void **state)
{
	(void)state;
	begin();
	lose_memory();
	assert_int_equal(fake_attach(A, "a@h.test/one", 0, 0, 0, NULL, 0), 0);
	assert_int_equal(a()->tried, WINDOW_SIZE);
	a()->tried = 1;
	submit(EDGE, 1, true, 0, "");
	submit(EDGE, 2, true, 0, "");
	assert_false(appended()->check);
}

static void origin_ids_are_looked_for_while_there_are_repetitions(void **state)
{
	(void)state;
	begin();
	submit(EDGE, 2, false, 0, "o2");
	assert_false(appended()->check_origin);
	a()->origin_to = 4;
	submit(EDGE, 3, false, 0, "o3");
	assert_true(appended()->check_origin);
	assert_int_equal(a()->origin_to, 4);
	submit(EDGE, 4, false, 0, "o2");
	assert_int_equal(fake.row_count, 3);
	assert_int_equal(a()->origin_to, 4 + SESSION_ORIGIN_RUN);
	a()->origin_to = 4;
	submit(EDGE, 5, false, 0, "o2");
	assert_int_equal(fake.row_count, 4);
	assert_false(appended()->check_origin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_owner_that_stayed_knows_what_is_new),
		TEST(what_another_owner_had_is_looked_for),
		TEST(numbers_that_nobody_had),
		TEST(origin_ids_are_looked_for_while_there_are_repetitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
