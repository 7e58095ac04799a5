/* SPDX-License-Identifier: Apache-2.0
 *
 * Acceptance and delivery where the store has a part in it, with the flock around the daemon faked. */
#include "services/session-manager/fake_edge.h"

#define MORE 14u

static void nothing_is_accepted_before_it_is_stored(void **state)
{
	Starling__StanzaMeta state_only = STARLING__STANZA_META__INIT;

	(void)state;
	log_in_both();
	fake.store_silent = true;
	fake_chat(A, 1, "c@h.test", "<message>later</message>");
	state_only.kind = KIND_MESSAGE;
	state_only.type = TYPE_CHAT;
	state_only.to = TEXT("b@h.test");
	state_only.flags = STARLING__STANZA_FLAG__FLAG_CHAT_STATE;
	fake_submit(A, 2, &state_only, "<message>typing</message>");
	fake_turns(5);
	assert_non_null(fake_delivered(B, "typing", 0));
	assert_int_equal(fake_accepted(A), 0);
	fake.store_silent = false;
	fake_turns(4);
	assert_int_equal(fake.appends, 1);
	assert_int_equal(fake_accepted(A), 2);
}

static void nothing_is_delivered_before_it_is_stored(void **state)
{
	(void)state;
	log_in_both();
	fake.store_silent = true;
	fake_chat(A, 1, "b@h.test", "<message>hello</message>");
	fake_turns(5);
	assert_null(fake_delivered(B, "hello", 0));
	fake.store_silent = false;
	fake_turns(4);
	assert_non_null(fake_delivered(B, "hello", 0));
	assert_int_equal(fake_delivered(B, "hello", 0)->log_id, 1);
	assert_memory_equal(fake_delivered(B, "hello", 0)->extra.data, "<stanza-id", 10);
	assert_string_equal(fake.rows[0].request->sender, "a@h.test");
	assert_string_equal(fake.rows[0].request->recipient, "b@h.test");
}

/* A chat state is not stored; it must not overtake the message before it. */
static void what_is_not_stored_overtakes_nothing(void **state)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	(void)state;
	log_in_both();
	fake.store_silent = true;
	fake_chat(A, 1, "b@h.test", "<message>hello</message>");
	meta.kind = KIND_MESSAGE;
	meta.type = TYPE_CHAT;
	meta.to = TEXT("b@h.test");
	meta.flags = STARLING__STANZA_FLAG__FLAG_CHAT_STATE;
	fake_submit(A, 2, &meta, "<message>typing</message>");
	fake_turns(5);
	assert_null(fake_delivered(B, "typing", 0));
	fake.store_silent = false;
	fake_turns(4);
	assert_non_null(fake_delivered(B, "typing", 0));
}

/* One message for a@h.test is on its way into the log while a@h.test/one sends another, of which a@h.test/more is to get a copy. */
static void send_past_one_that_is_held(void)
{
	log_in_both();
	assert_int_equal(fake_open(MORE, "a@h.test", "more", NULL), 0);
	session_find(fake.sm, MORE)->carbons = true;
	fake_presence(MORE, 1, TYPE_NONE, "", 0);
	fake_turns(2);
	fake.held_for = "a@h.test";
	fake_chat(B, 2, "a@h.test", "<message>received</message>");
	fake_turns(2);
	fake_chat(A, 1, "b@h.test", "<message>sent</message>");
	fake_turns(4);
	assert_non_null(fake_delivered(B, "sent", 0));
}

/* Who was given a position counts as having been given all before it: the next owner reads on from there. */
static void a_copy_of_what_was_sent_overtakes_nothing_received(void **state)
{
	(void)state;
	send_past_one_that_is_held();
	assert_null(fake_delivered(MORE, "sent", 0));
	assert_int_equal(fake_accepted(A), 0);
	fake.held_for = NULL;
	fake_turns(4);
	assert_non_null(fake_delivered(MORE, "received", 0));
	assert_non_null(fake_delivered(MORE, "sent", 0));
	assert_true(fake_delivered(MORE, "received", 0) < fake_delivered(MORE, "sent", 0));
	assert_int_equal(fake_accepted(A), 1);
}

static void a_copy_in_line_is_the_next_owners(void **state)
{
	(void)state;
	send_past_one_that_is_held();
	account_drop(account_find(fake.sm, STR("a@h.test")));
	fake.held_for = NULL;
	fake_turns(4);
	assert_int_equal(fake_accepted(A), 0);
	assert_null(fake_delivered(B, "sent", 1));
	assert_int_equal(fake.sm->pending, 0);
}

static void a_store_that_is_away_is_waited_for(void **state)
{
	(void)state;
	log_in_both();
	fake.storage_code = CODE(UNAVAILABLE);
	fake_chat(A, 1, "c@h.test", "<message>later</message>");
	wait_for_timers();
	assert_int_equal(fake_accepted(A), 0);
	assert_int_equal(fake_count(METHOD_EDGE_DELIVER), 0);
	fake.storage_code = 0;
	for (int i = 0; i < 20 && fake.appends == 0; i++)
		wait_for_timers();
	assert_int_equal(fake.appends, 1);
	fake_turns(2);
	assert_int_equal(fake_accepted(A), 1);
	assert_int_equal(fake.sm->pending, 0);
}

/* Committed, and the answer was lost: stored once, delivered once. */
static void a_lost_answer_doubles_nothing(void **state)
{
	(void)state;
	log_in_both();
	fake.lose_answers = true;
	fake_chat(A, 1, "b@h.test", "<message>once</message>");
	fake_turns(4);
	fake.lose_answers = false;
	/* Not before the store would refuse what may still be on its way. */
	wait_for_timers();
	assert_int_equal(fake_accepted(A), 0);
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		fake.sm->ownership->slots[i] = (struct slot){ .state = SLOT_SERVING, .epoch = 6 };
	for (int i = 0; i < 20 && fake_accepted(A) == 0; i++)
		wait_for_timers();
	assert_int_equal(fake_accepted(A), 1);
	assert_int_equal(fake.row_count, 1);
	assert_non_null(fake_delivered(B, "once", 0));
	assert_null(fake_delivered(B, "once", 1));
}

static void a_full_store_bounces(void **state)
{
	(void)state;
	log_in_both();
	fake.append_code = CODE(LIMIT);
	fake_chat(A, 1, "c@h.test", "<message>later</message>");
	fake_turns(6);
	assert_non_null(fake_delivered(A, "service-unavailable", 0));
	assert_int_equal(fake_accepted(A), 1);
}

static void too_much_pending_holds_the_clients(void **state)
{
	char *big = mem_zalloc(10001);

	(void)state;
	log_in_both();
	memset(big, 'x', 10000);
	fake.store_silent = true;
	for (uint64_t i = 1; i <= 120; i++)
		fake_chat(A, i, "c@h.test", big);
	fake_turns(3);
	assert_true(fake.holding);
	fake.store_silent = false;
	fake_turns(300);
	assert_false(fake.holding);
	assert_int_equal(fake.appends, 120);
	assert_int_equal(fake_accepted(A), 120);
	mem_free(big);
}

static void stored_messages_come_first(void **state)
{
	(void)state;
	log_in_both();
	for (uint64_t i = 1; i <= 3; i++)
		fake_chat(A, i, "c@h.test", "<message>stored</message>");
	fake_turns(6);
	assert_int_equal(fake_open(13, "c@h.test", "r", NULL), 0);
	fake_presence(13, 1, TYPE_NONE, "", 0);
	assert_non_null(fake_delivered(13, "stored", 2));
	assert_int_equal(fake_delivered(13, "stored", 0)->form, FORM(DELAYED));
	assert_non_null(memmem(fake_delivered(13, "stored", 0)->extra.data, fake_delivered(13, "stored", 0)->extra.len, "<delay", 6));
	fake_chat(A, 4, "c@h.test", "<message>live</message>");
	fake_turns(6);
	assert_non_null(fake_delivered(13, "live", 0));
	assert_null(fake_delivered(13, "live", 1));
	assert_null(fake_delivered(13, "stored", 3));
	fake_acked(13, 5); /* its own presence is one of them */
	fake_close(13, "c@h.test/r", false);
	fake_turns(4);
	assert_int_equal(fake.delivered, 4);
	assert_int_equal(fake.hole_count, 0);
	/* Nothing is left for the next one. */
	fake_open(14, "c@h.test", "s", NULL);
	fake_presence(14, 1, TYPE_NONE, "", 0);
	assert_null(fake_delivered(14, "stored", 0));
}

/* Nothing of the page had come, and nothing new comes that would have it read again. */
static void a_page_that_failed_is_read_again(void **state)
{
	(void)state;
	log_in_both();
	for (uint64_t i = 1; i <= 3; i++)
		fake_chat(A, i, "c@h.test", "<message>stored</message>");
	fake_turns(6);
	assert_int_equal(fake_open(13, "c@h.test", "r", NULL), 0);
	fake.storage_code = CODE(UNAVAILABLE);
	fake_presence(13, 1, TYPE_NONE, "", 0);
	fake_turns(2);
	assert_null(fake_delivered(13, "stored", 0));
	fake.storage_code = 0;
	for (int i = 0; i < 20 && !fake_delivered(13, "stored", 2); i++)
		wait_for_timers();
	assert_non_null(fake_delivered(13, "stored", 2));
	assert_null(fake_delivered(13, "stored", 3));
}

static void pages_follow_as_they_are_acknowledged(void **state)
{
	(void)state;
	log_in_both();
	fake.options.offline_max = 1000;
	for (uint64_t i = 1; i <= 250; i++)
		fake_chat(A, i, "c@h.test", "<message>stored</message>");
	fake_turns(600);
	assert_int_equal(fake.row_count, 250);
	fake_open(13, "c@h.test", "r", NULL);
	fake_presence(13, 1, TYPE_NONE, "", 0);
	assert_non_null(fake_delivered(13, "stored", 99));
	assert_null(fake_delivered(13, "stored", 100));
	fake_acked(13, 60);
	fake_turns(4);
	assert_null(fake_delivered(13, "stored", 100));
	fake_acked(13, 100);
	fake_turns(4);
	assert_non_null(fake_delivered(13, "stored", 199));
	assert_null(fake_delivered(13, "stored", 200));
	fake_acked(13, 200);
	fake_turns(4);
	assert_non_null(fake_delivered(13, "stored", 249));
	fake_acked(13, 250);
	fake_turns(4);
	fake_chat(A, 251, "c@h.test", "<message>straight</message>");
	fake_turns(4);
	assert_non_null(fake_delivered(13, "straight", 0));
}

static void what_was_not_acknowledged_stays(void **state)
{
	(void)state;
	log_in_both();
	fake_chat(A, 1, "c@h.test", "<message>stored</message>");
	fake_turns(4);
	fake_open(13, "c@h.test", "r", NULL);
	fake_presence(13, 1, TYPE_NONE, "", 0);
	assert_non_null(fake_delivered(13, "stored", 0));
	fake_close(13, "c@h.test/r", false);
	fake_turns(4);
	assert_int_equal(fake.hole_count, 1);
	fake_open(14, "c@h.test", "s", NULL);
	fake_presence(14, 1, TYPE_NONE, "", 0);
	assert_non_null(fake_delivered(14, "stored", 0));
}

/* The first of them is in the archive, and the next client reads that before its presence. The other goes to it, and both are done with. */
static void what_was_left_and_read_in_the_archive(void **state)
{
	(void)state;
	log_in_both();
	fake_chat(A, 1, "c@h.test", "<message>kept</message>");
	fake_chat(A, 2, "c@h.test", "<message>off the record</message>");
	fake_turns(4);
	((Starling__LogAppendRequest *)fake.rows[0].request)->archived = true;
	((Starling__LogAppendRequest *)fake.rows[1].request)->archived = false;
	fake_open(13, "c@h.test", "r", NULL);
	fake_presence(13, 1, TYPE_NONE, "", 0);
	assert_non_null(fake_delivered(13, "off the record", 0));
	fake_close(13, "c@h.test/r", false);
	fake_turns(4);
	assert_int_equal(fake.hole_count, 2);
	fake_open(14, "c@h.test", "s", NULL);
	msglog_archive_read(session_find(fake.sm, 14)->account, session_find(fake.sm, 14), fake.rows[1].id);
	fake_presence(14, 1, TYPE_NONE, "", 0);
	fake_turns(4);
	assert_non_null(fake_delivered(14, "off the record", 0));
	assert_null(fake_delivered(14, "kept", 0));
	fake_acked(14, 2); /* behind its own presence */
	fake_close(14, "c@h.test/s", false);
	fake_turns(4);
	assert_int_equal(fake.hole_count, 0);
}

/* Somebody else of the account is there: it goes to him at once. */
static void what_was_not_acknowledged_goes_to_another_reader(void **state)
{
	(void)state;
	log_in_both();
	fake_open(13, "b@h.test", "three", NULL);
	fake_chat(A, 1, "b@h.test/two", "<message>for two</message>");
	fake_turns(4);
	assert_non_null(fake_delivered(B, "for two", 0));
	fake_presence(13, 1, TYPE_NONE, "", 0);
	assert_null(fake_delivered(13, "for two", 0));
	fake_close(B, "b@h.test/two", false);
	fake_turns(4);
	assert_non_null(fake_delivered(13, "for two", 0));
}

static void negative_priority_gets_nothing(void **state)
{
	(void)state;
	log_in_both();
	fake_open(13, "c@h.test", "r", NULL);
	fake_presence(13, 1, TYPE_NONE, "", -1);
	fake_chat(A, 1, "c@h.test", "<message>quiet</message>");
	fake_turns(4);
	assert_null(fake_delivered(13, "quiet", 0));
	assert_int_equal(fake.appends, 1);
	fake_presence(13, 2, TYPE_NONE, "", 1);
	assert_non_null(fake_delivered(13, "quiet", 0));
}

static void a_lost_edge_leaves_it_in_the_log(void **state)
{
	(void)state;
	log_in_both();
	fake.edge_alive = false;
	fake_chat(A, 1, "b@h.test/two", "<message>stay</message>");
	fake_turns(3);
	assert_int_equal(fake.appends, 1);
	assert_null(fake_delivered(B, "stay", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_accepted_before_it_is_stored),
		TEST(nothing_is_delivered_before_it_is_stored),
		TEST(what_is_not_stored_overtakes_nothing),
		TEST(a_copy_of_what_was_sent_overtakes_nothing_received),
		TEST(a_copy_in_line_is_the_next_owners),
		TEST(a_store_that_is_away_is_waited_for),
		TEST(a_lost_answer_doubles_nothing),
		TEST(a_full_store_bounces),
		TEST(too_much_pending_holds_the_clients),
		TEST(stored_messages_come_first),
		TEST(a_page_that_failed_is_read_again),
		TEST(pages_follow_as_they_are_acknowledged),
		TEST(what_was_not_acknowledged_stays),
		TEST(what_was_left_and_read_in_the_archive),
		TEST(what_was_not_acknowledged_goes_to_another_reader),
		TEST(negative_priority_gets_nothing),
		TEST(a_lost_edge_leaves_it_in_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
