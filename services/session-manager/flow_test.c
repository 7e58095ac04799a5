/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's own logic from Open to Accepted, with the flock around it faked. */
#include "services/session-manager/fake_edge.h"

/* --- binding --- */

static void a_resource_is_made(void **state)
{
	char *jid = NULL;

	(void)state;
	assert_int_equal(fake_open(A, "a@h.test", "", &jid), 0);
	assert_memory_equal(jid, "a@h.test/", 9);
	assert_true(strlen(jid) > 9 + 8);
	mem_free(jid);
}

static void opening_again_gives_the_same_answer(void **state)
{
	char *first = NULL, *second = NULL;

	(void)state;
	fake_open(A, "a@h.test", "", &first);
	fake_open(A, "a@h.test", "", &second);
	assert_string_equal(first, second);
	mem_free(first);
	mem_free(second);
}

static void conflict_replaces(void **state)
{
	(void)state;
	assert_int_equal(fake_open(A, "a@h.test", "one", NULL), 0);
	assert_int_equal(fake_open(B, "a@h.test", "one", NULL), 0);
	assert_int_equal(fake_count(METHOD_EDGE_END), 1);
	assert_int_equal(fake.sm->streams.count, 1);
}

static void conflict_refuses(void **state)
{
	(void)state;
	fake.options.conflict = CONFLICT_REJECT;
	assert_int_equal(fake_open(A, "a@h.test", "one", NULL), 0);
	assert_int_equal(fake_open(B, "a@h.test", "one", NULL), CODE(EXISTS));
}

static void conflict_renames(void **state)
{
	char *jid = NULL;

	(void)state;
	fake.options.conflict = CONFLICT_RENAME;
	assert_int_equal(fake_open(A, "a@h.test", "one", NULL), 0);
	assert_int_equal(fake_open(B, "a@h.test", "one", &jid), 0);
	assert_string_not_equal(jid, "a@h.test/one");
	assert_int_equal(fake.sm->streams.count, 2);
	mem_free(jid);
}

static void sessions_are_limited(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 5; i++)
		assert_int_equal(fake_open(i, "a@h.test", "", NULL), 0);
	assert_int_equal(fake_open(6, "a@h.test", "", NULL), CODE(LIMIT));
}

static void accounts_of_others_are_refused(void **state)
{
	(void)state;
	assert_int_equal(fake_open(A, "a@elsewhere.test", "", NULL), CODE(INVALID));
	fake.sm->ownership->slots[hash_slot(STR("a@h.test"))].state = SLOT_FOREIGN;
	assert_int_equal(fake_open(A, "a@h.test", "", NULL), CODE(WRONG_OWNER));
}

/* --- submitting --- */

static void an_online_recipient_gets_it_once_it_is_stored(void **state)
{
	const Starling__DeliverEvent *e;

	(void)state;
	log_in_both();
	fake_chat(A, 1, "b@h.test/two", "<message><body>hi</body></message>");
	assert_null(fake_delivered(B, "hi", 0));
	fake_turn();
	e = fake_delivered(B, "hi", 0);
	assert_non_null(e);
	assert_string_equal(e->meta->from, "a@h.test/one");
	assert_int_equal(fake.sm->pending, 0);
	assert_int_equal(fake_accepted(A), 0);
	fake_turn();
	assert_int_equal(fake_accepted(A), 1);
}

static void acceptance_is_coalesced(void **state)
{
	(void)state;
	log_in_both();
	for (uint64_t i = 1; i <= 50; i++)
		fake_chat(A, i, "b@h.test/two", "<message/>");
	fake_turns(4);
	assert_int_equal(fake_accepted(A), 50);
	assert_int_equal(fake_count(METHOD_EDGE_ACCEPTED), 1);
}

static void a_forged_sender_is_corrected(void **state)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	(void)state;
	log_in_both();
	meta.kind = KIND_MESSAGE;
	meta.type = TYPE_CHAT;
	meta.from = TEXT("root@h.test/evil");
	meta.to = TEXT("b@h.test/two");
	fake_submit(A, 1, &meta, "<message/>");
	fake_turns(2);
	assert_string_equal(fake_delivered(B, "<message", 0)->meta->from, "a@h.test/one");
}

static void duplicates_are_skipped_and_gaps_told(void **state)
{
	(void)state;
	log_in_both();
	fake_chat(A, 1, "b@h.test", "<message>one</message>");
	fake_chat(A, 1, "b@h.test", "<message>one</message>");
	assert_null(fake_delivered(B, "one", 1));
	fake_chat(A, 3, "b@h.test", "<message>three</message>");
	fake_turn();
	assert_null(fake_delivered(B, "three", 0));
	assert_int_equal(fake_count(METHOD_EDGE_NOT_OWNER), 1);
	fake_turns(3);
	assert_int_equal(fake_accepted(A), 1);
}

static void an_unknown_stream_is_to_attach(void **state)
{
	(void)state;
	fake_chat(77, 1, "b@h.test", "<message/>");
	fake_turn();
	assert_int_equal(fake_count(METHOD_EDGE_NOT_OWNER), 1);
	assert_int_equal(fake_count(METHOD_EDGE_DELIVER), 0);
}

/* --- other owners --- */

static void send_far(uint32_t count)
{
	fake.sm->ownership->slots[hash_slot(STR("far@h.test"))].state = SLOT_FOREIGN;
	for (uint32_t i = 1; i <= count; i++) {
		char bytes[64];

		snprintf(bytes, sizeof(bytes), "<message>%u</message>", i);
		fake_chat(A, i, "far@h.test", bytes);
	}
}

static void routed_stanzas_are_accepted_when_answered(void **state)
{
	(void)state;
	log_in_both();
	send_far(3);
	assert_int_equal(fake_accepted(A), 0);
	fake_turns(2);
	assert_int_equal(fake.routed, 3);
	fake_turn();
	assert_int_equal(fake_accepted(A), 3);
}

static void order_is_kept_over_refusals(void **state)
{
	(void)state;
	log_in_both();
	fake.route_code = CODE(WRONG_OWNER);
	send_far(200);
	fake_turns(3);
	assert_int_equal(fake.routed, 0);
	fake.route_code = 0;
	for (int i = 0; i < 20 && fake.routed < 200; i++)
		wait_for_timers();
	assert_int_equal(fake.routed, 200);
	for (uint32_t i = 1; i <= 200; i++) {
		char bytes[64];

		snprintf(bytes, sizeof(bytes), "<message>%u</message>", i);
		assert_string_equal(fake.routed_body[i - 1], bytes);
	}
	fake_turns(2);
	assert_int_equal(fake_accepted(A), 200);
}

static void what_waits_comes_home_with_the_slot(void **state)
{
	uint32_t slot = hash_slot(STR("far@h.test"));

	(void)state;
	log_in_both();
	fake.other_alive = false;
	send_far(3);
	wait_for_timers();
	assert_int_equal(fake_accepted(A), 0);
	fake.sm->ownership->slots[slot].state = SLOT_SERVING;
	fake_chat(A, 4, "far@h.test", "<message>4</message>");
	for (int i = 0; i < 20 && fake.appends < 4; i++)
		wait_for_timers();
	assert_int_equal(fake.appends, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(fake.rows[i].stanza[9], '1' + (int)i);
}

static void route_serves_only_its_epoch(void **state)
{
	struct ipc_call call = { .source = OTHER, .code = -1, .payload = STR("<message>x</message>") };
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	Starling__RouteRequest r = STARLING__ROUTE_REQUEST__INIT;

	(void)state;
	log_in_both();
	meta.kind = KIND_MESSAGE;
	meta.type = TYPE_CHAT;
	meta.from = TEXT("z@h.test/q");
	meta.to = TEXT("b@h.test");
	r.meta = &meta;
	r.epoch = 4;
	on_stanza_route(&call, &r);
	assert_int_equal(call.code, CODE(WRONG_OWNER));
	assert_null(fake_delivered(B, "x", 0));
	r.epoch = 5;
	on_stanza_route(&call, &r);
	fake_turns(2);
	assert_int_equal(call.code, 0);
	assert_non_null(fake_delivered(B, "x", 0));
	protobuf_c_message_free_unpacked(call.reply, NULL);
}

static void a_loop_ends(void **state)
{
	struct ipc_call call = { .source = OTHER, .code = -1, .payload = STR("<message/>") };
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	Starling__RouteRequest r = STARLING__ROUTE_REQUEST__INIT;

	(void)state;
	log_in_both();
	meta.kind = KIND_MESSAGE;
	meta.from = TEXT("a@h.test/one");
	meta.to = TEXT("b@h.test/two");
	r.meta = &meta;
	r.hops = 9;
	on_stanza_route(&call, &r);
	assert_int_equal(call.code, 0);
	assert_null(fake_delivered(B, "<message", 0));
	protobuf_c_message_free_unpacked(call.reply, NULL);
}

/* --- deletion --- */

static void removing_the_account_ends_its_sessions(void **state)
{
	(void)state;
	log_in_both();
	account_removed(fake.sm, STR("b@h.test"));
	fake_turns(2);
	assert_int_equal(fake_count(METHOD_EDGE_END), 1);
	assert_int_equal(fake.sm->streams.count, 1);
}

static void idle_accounts_are_bounded(void **state)
{
	(void)state;
	log_in_both();
	for (uint64_t i = 1; i <= 1000; i++) {
		char to[32];

		snprintf(to, sizeof(to), "x%llu@h.test", (unsigned long long)i);
		fake_chat(A, i, to, "<message/>");
		fake_turns(5);
	}
	assert_int_equal(fake_accepted(A), 1000);
	assert_in_range(fake.sm->accounts.count, 3, 110);
}

static void losing_slots_forgets_without_a_word(void **state)
{
	bool all[SLOT_COUNT];

	(void)state;
	log_in_both();
	memset(all, 1, sizeof(all));
	account_drop_slots(fake.sm, all);
	fake_turns(2);
	assert_int_equal(fake.sm->streams.count, 0);
	assert_int_equal(fake.sm->accounts.count, 0);
	assert_int_equal(fake_count(METHOD_EDGE_DELIVER), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_resource_is_made),
		TEST(opening_again_gives_the_same_answer),
		TEST(conflict_replaces),
		TEST(conflict_refuses),
		TEST(conflict_renames),
		TEST(sessions_are_limited),
		TEST(accounts_of_others_are_refused),
		TEST(an_online_recipient_gets_it_once_it_is_stored),
		TEST(acceptance_is_coalesced),
		TEST(a_forged_sender_is_corrected),
		TEST(duplicates_are_skipped_and_gaps_told),
		TEST(an_unknown_stream_is_to_attach),
		TEST(routed_stanzas_are_accepted_when_answered),
		TEST(order_is_kept_over_refusals),
		TEST(what_waits_comes_home_with_the_slot),
		TEST(route_serves_only_its_epoch),
		TEST(a_loop_ends),
		TEST(removing_the_account_ends_its_sessions),
		TEST(idle_accounts_are_bounded),
		TEST(losing_slots_forgets_without_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
