/* SPDX-License-Identifier: Apache-2.0
 *
 * When the store is told how far an account's messages have come. */
#include "services/session-manager/fake_edge.h"

static void deliver_and_acknowledge(void)
{
	fake_chat(A, 1, "b@h.test/two", "<message>hi</message>");
	fake_turns(4);
	assert_non_null(fake_delivered(B, "hi", 0));
	fake_acked(B, unacked_sent(&session_find(fake.sm, B)->list));
}

static void come_and_go(uint64_t stream, const char *account, const char *jid)
{
	assert_int_equal(fake_open(stream, account, strchr(jid, '/') + 1, NULL), 0);
	fake_presence(stream, 1, TYPE_NONE, "", 0);
	fake_close(stream, jid, false);
	fake_turns(4);
}

static void who_got_nothing_costs_no_write(void **state)
{
	(void)state;
	log_in_both();
	fake_close(A, "a@h.test/one", false);
	fake_turns(4);
	assert_int_equal(fake.writes, 0);
	come_and_go(3, "c@h.test", "c@h.test/three");
	assert_int_equal(fake.writes, 0);
	come_and_go(A, "a@h.test", "a@h.test/one");
	assert_int_equal(fake_open(A, "a@h.test", "one", NULL), 0);
	deliver_and_acknowledge();
	fake_close(B, "b@h.test/two", false);
	fake_turns(4);
	assert_int_equal(fake.writes, 1);
	assert_int_equal(fake.delivered, 1);
	assert_int_equal(fake.hole_count, 0);
	/* The store has it now. */
	come_and_go(B, "b@h.test", "b@h.test/two");
	assert_int_equal(fake.writes, 1);
}

static void a_cursor_whose_write_failed_is_written_again(void **state)
{
	(void)state;
	log_in_both();
	deliver_and_acknowledge();
	fake.storage_code = CODE(TIMEOUT);
	fake_close(B, "b@h.test/two", false);
	fake_turns(4);
	assert_int_equal(fake.writes, 0);
	fake.storage_code = 0;
	come_and_go(B, "b@h.test", "b@h.test/two");
	assert_int_equal(fake.writes, 1);
	assert_int_equal(fake.delivered, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_got_nothing_costs_no_write),
		TEST(a_cursor_whose_write_failed_is_written_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
