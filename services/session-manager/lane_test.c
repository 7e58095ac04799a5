/* SPDX-License-Identifier: Apache-2.0
 *
 * Stanzas for others: what becomes of them when who should take them is away, for a moment or for good. */
#include "common/base/clock_for_test.h"
#include "services/session-manager/fake_edge.h"

#define FAR       "far@h.test"
#define ELSEWHERE "else@far.example"

/* Until the timers of that time have run, and what they began. */
static void pass_ms(uint64_t ms)
{
	clock_move_ms(ms);
	fake_turns(6);
}

static void say(uint64_t number, const char *to)
{
	char bytes[64];

	snprintf(bytes, sizeof(bytes), "<message>%llu</message>", (unsigned long long)number);
	fake_chat(A, number, to, bytes);
	fake_turns(6);
}

static uint32_t on_the_way(uint64_t instance)
{
	uint32_t count = 0;

	for (size_t i = 0; i < fake.call_count; i++)
		count += fake.calls[i].method == METHOD_STANZA_TAKE && fake.calls[i].to == instance;
	return count;
}

static void log_in(void)
{
	log_in_both();
	fake.sm->ownership->slots[hash_slot(STR(FAR))].state = SLOT_FOREIGN;
}

/* --- for a slot of another owner --- */

static void given_up_when_nobody_owns_the_slot(void **state)
{
	(void)state;
	log_in();
	fake.other_alive = false;
	say(1, FAR);
	pass_ms(20000);
	say(2, FAR);
	pass_ms(9000);
	assert_null(fake_delivered(A, "resource-constraint", 0));
	pass_ms(4000);
	assert_non_null(fake_delivered(A, "resource-constraint", 0));
	/* Each has its own half minute. */
	assert_null(fake_delivered(A, "resource-constraint", 1));
	assert_int_equal(fake_accepted(A), 1);
	fake.other_alive = true;
	pass_ms(4000);
	assert_int_equal(fake.routed, 1);
	assert_string_equal(fake.routed_body[0], "<message>2</message>");
	assert_int_equal(fake_accepted(A), 2);
}

/* The sender's slot was another's for a moment: its edge has presented the stanza there, so what still waits here is none of ours. */
static void what_waits_is_dropped_once_the_sender_was_anothers(void **state)
{
	(void)state;
	log_in();
	fake.other_alive = false;
	say(1, FAR);
	pass_ms(1000);
	fake.sm->ownership->slots[hash_slot(STR("a@h.test"))].since_ms = clock_mono_ms();
	fake.other_alive = true;
	pass_ms(4000);
	assert_int_equal(fake.routed, 0);
	assert_int_equal(fake_accepted(A), 0);
	say(2, FAR);
	assert_int_equal(fake.routed, 1);
	assert_string_equal(fake.routed_body[0], "<message>2</message>");
}

/* The same, and the receiver's slot came here. */
static void nor_is_it_taken_home(void **state)
{
	(void)state;
	log_in();
	fake.other_alive = false;
	say(1, FAR);
	pass_ms(1000);
	fake.sm->ownership->slots[hash_slot(STR("a@h.test"))].since_ms = clock_mono_ms();
	fake.sm->ownership->slots[hash_slot(STR(FAR))].state = SLOT_SERVING;
	pass_ms(4000);
	assert_int_equal(fake.appends, 0);
	assert_int_equal(fake_accepted(A), 0);
}

static void nothing(struct account *a, void *ctx)
{
	(void)a, (void)ctx;
}

/* The slot came here while something waited for its former owner, and is given away again before that was taken up. Something else of the account is under
 * way, which what comes now may follow; but not past what waits. */
static void what_waits_is_not_overtaken_while_the_slot_is_given_away(void **state)
{
	struct slot *slot;

	(void)state;
	log_in();
	slot = &fake.sm->ownership->slots[hash_slot(STR(FAR))];
	fake.other_alive = false;
	say(1, FAR);
	slot->state = SLOT_RELEASING;
	account_with_sessions(account_get(fake.sm, STR(FAR)), nothing, NULL);
	say(2, FAR);
	assert_int_equal(fake.row_count, 0);
	slot->state = SLOT_FOREIGN;
	fake.other_alive = true;
	pass_ms(4000);
	assert_int_equal(fake.routed, 2);
	assert_string_equal(fake.routed_body[0], "<message>1</message>");
	assert_string_equal(fake.routed_body[1], "<message>2</message>");
}

/* Its owner has gone from the directory, and nobody has come for half a minute, but the answer is still to come: until then it is not freed, and only from
 * then on it waits for another owner. */
static void not_given_up_while_it_is_on_its_way(void **state)
{
	(void)state;
	log_in();
	fake.hold_routes = true;
	say(1, FAR);
	assert_int_equal(on_the_way(OTHER), 1);
	fake.other_alive = false;
	pass_ms(31000);
	fake.hold_routes = false;
	fake.route_code = CODE(PEER_LOST);
	fake_turns(4);
	pass_ms(20000);
	say(2, FAR);
	pass_ms(9000);
	assert_null(fake_delivered(A, "resource-constraint", 0));
	assert_int_equal(fake_accepted(A), 0);
	pass_ms(4000);
	assert_non_null(fake_delivered(A, "resource-constraint", 0));
	assert_null(fake_delivered(A, "resource-constraint", 1));
	fake.route_code = 0;
	fake.other_alive = true;
	pass_ms(4000);
	assert_int_equal(fake.routed, 1);
	assert_string_equal(fake.routed_body[0], "<message>2</message>");
	assert_int_equal(fake_accepted(A), 2);
}

/* Its owner had no store for 50 seconds, and then died: it goes to the next one. */
static void not_given_up_because_its_owner_waited(void **state)
{
	(void)state;
	log_in();
	fake.hold_routes = true;
	say(1, FAR);
	pass_ms(50000);
	fake.other_alive = false;
	fake.hold_routes = false;
	fake.route_code = CODE(PEER_LOST);
	fake_turns(4);
	pass_ms(4000);
	assert_null(fake_delivered(A, "resource-constraint", 0));
	fake.route_code = 0;
	fake.other_alive = true;
	pass_ms(4000);
	assert_int_equal(fake.routed, 1);
	assert_int_equal(fake_accepted(A), 1);
	assert_null(fake_delivered(A, "resource-constraint", 0));
}

/* The same, and it was taken: no error, and not once more. */
static void taken_after_all(void **state)
{
	(void)state;
	log_in();
	fake.hold_routes = true;
	say(1, FAR);
	fake.other_alive = false;
	pass_ms(31000);
	say(2, FAR);
	fake.hold_routes = false;
	fake_turns(4);
	assert_int_equal(fake_accepted(A), 1);
	fake.other_alive = true;
	pass_ms(4000);
	assert_int_equal(fake.routed, 2);
	assert_string_equal(fake.routed_body[1], "<message>2</message>");
	assert_null(fake_delivered(A, "resource-constraint", 0));
	assert_int_equal(fake_accepted(A), 2);
}

/* --- for other servers --- */

static void refused_where_there_is_no_s2s(void **state)
{
	(void)state;
	log_in();
	say(1, ELSEWHERE);
	assert_non_null(fake_delivered(A, "remote-server-not-found", 0));
	assert_int_equal(fake_accepted(A), 1);
	/* One that comes later is used. */
	fake.s2s_alive = true;
	say(2, ELSEWHERE);
	assert_int_equal(fake.routed, 1);
	assert_null(fake_delivered(A, "remote-server", 1));
}

static void waits_for_the_only_s2s(void **state)
{
	(void)state;
	log_in();
	fake.s2s_alive = true;
	say(1, ELSEWHERE);
	assert_int_equal(fake.routed, 1);
	fake.s2s_alive = false;
	say(2, ELSEWHERE);
	pass_ms(20000);
	assert_null(fake_delivered(A, "remote-server", 0));
	assert_int_equal(fake_accepted(A), 1);
	fake.s2s_alive = true;
	pass_ms(4000);
	assert_int_equal(fake.routed, 2);
	assert_string_equal(fake.routed_body[1], "<message>2</message>");
	assert_null(fake_delivered(A, "remote-server", 0));
	assert_int_equal(fake_accepted(A), 2);
}

static void given_up_when_no_s2s_comes_back(void **state)
{
	(void)state;
	log_in();
	fake.s2s_alive = true;
	say(1, ELSEWHERE);
	fake.s2s_alive = false;
	say(2, ELSEWHERE);
	pass_ms(31000);
	pass_ms(4000);
	assert_non_null(fake_delivered(A, "remote-server-timeout", 0));
	assert_int_equal(fake_accepted(A), 2);
	assert_int_equal(fake.routed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_up_when_nobody_owns_the_slot),
		TEST(what_waits_is_dropped_once_the_sender_was_anothers),
		TEST(nor_is_it_taken_home),
		TEST(what_waits_is_not_overtaken_while_the_slot_is_given_away),
		TEST(not_given_up_while_it_is_on_its_way),
		TEST(not_given_up_because_its_owner_waited),
		TEST(taken_after_all),
		TEST(refused_where_there_is_no_s2s),
		TEST(waits_for_the_only_s2s),
		TEST(given_up_when_no_s2s_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
