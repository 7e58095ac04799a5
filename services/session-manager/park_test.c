/* SPDX-License-Identifier: Apache-2.0
 *
 * Stream management as the owner sees it: parking, resuming at another edge, attaching after the owner lost its memory; the flock is faked. */
#include "services/session-manager/edge.h"
#include "services/session-manager/fake_edge.h"

#define C 15u

static void log_in_managed(void)
{
	log_in_both();
	assert_int_equal(fake_enable(B, "b@h.test/two", 600, 1), 600);
	/* What B got before is acknowledged: its own presence. */
	fake_acked(B, 100);
	fake_forget();
}

static struct session *b(void)
{
	return session_find(fake.sm, B);
}

static void a_parked_session_keeps_what_comes(void **state)
{
	struct fake_resumed r;

	(void)state;
	log_in_managed();
	fake_chat(A, 1, "b@h.test", "<message>one</message>");
	fake_turns(4);
	assert_non_null(fake_delivered(B, "one", 0));
	fake_close(B, "b@h.test/two", true);
	assert_true(b()->parked);
	fake_forget();
	fake_chat(A, 2, "b@h.test", "<message>two</message>");
	fake_chat(A, 3, "b@h.test/two", "<message>three</message>");
	fake_turns(4);
	assert_null(fake_delivered(B, "two", 0));
	assert_int_equal(fake_accepted(A), 3);
	/* It had received nothing since it enabled stream management. */
	r = fake_resume(B, "b@h.test", EDGE2, 0);
	assert_int_equal(r.code, 0);
	assert_int_equal(r.accepted, 1);
	fake_turns(4);
	assert_non_null(fake_delivered(B, "one", 0));
	assert_non_null(fake_delivered(B, "two", 0));
	assert_non_null(fake_delivered(B, "three", 0));
	assert_null(fake_delivered(B, "three", 1));
	assert_int_equal(b()->edge->instance, EDGE2);
}

static void what_the_client_has_does_not_come_again(void **state)
{
	(void)state;
	log_in_managed();
	for (uint64_t i = 1; i <= 3; i++)
		fake_chat(A, i, "b@h.test", i == 3 ? "<message>last</message>" : "<message>early</message>");
	fake_turns(4);
	fake_close(B, "b@h.test/two", true);
	fake_forget();
	assert_int_equal(fake_resume(B, "b@h.test", EDGE2, 2).code, 0);
	fake_turns(4);
	assert_null(fake_delivered(B, "early", 0));
	assert_non_null(fake_delivered(B, "last", 0));
}

static void too_high_a_count_is_refused(void **state)
{
	(void)state;
	log_in_managed();
	fake_close(B, "b@h.test/two", true);
	assert_int_equal(fake_resume(B, "b@h.test", EDGE2, 1).code, CODE(INVALID));
	assert_int_equal(fake_resume(B, "b@h.test", EDGE2, 0).code, 0);
}

static void strangers_resume_nothing(void **state)
{
	(void)state;
	log_in_managed();
	assert_int_equal(fake_resume(B, "a@h.test", EDGE2, 0).code, CODE(NOT_FOUND));
	assert_int_equal(fake_resume(A, "a@h.test", EDGE2, 0).code, CODE(NOT_FOUND)); /* has not enabled it */
	assert_int_equal(fake_resume(77, "b@h.test", EDGE2, 0).code, CODE(NOT_FOUND));
}

static void the_edge_that_had_it_lets_go(void **state)
{
	(void)state;
	log_in_managed();
	assert_int_equal(fake_resume(B, "b@h.test", EDGE2, 0).code, 0);
	assert_int_equal(fake_count(METHOD_EDGE_END), 1);
	/* Its Close, on the way already, ends nothing. */
	fake_close(B, "b@h.test/two", false);
	assert_non_null(b());
}

static void a_dead_edge_parks_its_managed_sessions(void **state)
{
	(void)state;
	log_in_managed();
	fake.edge_alive = false;
	sm_on_directory(fake.sm);
	wait_for_timers();
	assert_null(session_find(fake.sm, A));
	assert_non_null(b());
	assert_true(b()->parked);
	assert_true(b()->available);
	assert_int_equal(fake_resume(B, "b@h.test", EDGE2, 0).code, 0);
}

static void presence_comes_again_from_the_copy(void **state)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	(void)state;
	log_in_managed();
	meta.kind = KIND_IQ;
	meta.type = TYPE_RESULT;
	meta.id = TEXT("q");
	meta.to = TEXT("b@h.test/two");
	fake_submit(A, 1, &meta, "<iq type='result' id='q'/>");
	fake_turns(2);
	assert_non_null(fake_delivered(B, "id='q'", 0));
	fake_forget();
	fake_close(B, "b@h.test/two", true);
	fake_resume(B, "b@h.test", EDGE2, 0);
	fake_turns(2);
	assert_non_null(fake_delivered(B, "id='q'", 0));
}

static void lost_deliveries_are_repaired(void **state)
{
	(void)state;
	log_in_managed();
	fake_chat(A, 1, "b@h.test", "<message>arrived</message>");
	fake_chat(A, 2, "b@h.test", "<message>lost</message>");
	fake_turns(4);
	fake_forget();
	/* The way to the edge broke between the two. */
	assert_int_equal(fake_attach(B, "b@h.test/two", unacked_sent(&b()->list) - 1, b()->list.acked, 0, NULL, 0), 0);
	fake_turns(4);
	assert_null(fake_delivered(B, "arrived", 0));
	assert_non_null(fake_delivered(B, "lost", 0));
	assert_null(fake_delivered(B, "lost", 1));
}

/* What waits is being read from the log when the edge says that it has not even got what went before: the answer is about what stands behind that. */
static void what_was_lost_is_not_taken_for_erased(void **state)
{
	(void)state;
	log_in_managed();
	fake_chat(A, 1, "b@h.test", "<message>arrived</message>");
	fake_chat(A, 2, "b@h.test", "<message>lost</message>");
	fake_turns(4);
	fake_close(B, "b@h.test/two", true);
	fake_chat(A, 3, "b@h.test", "<message>waits</message>");
	fake_turns(4);
	fake_forget();
	fake.hold_fetches = true;
	assert_int_equal(fake_attach(B, "b@h.test/two", unacked_sent(&b()->list), b()->list.acked, 0, NULL, 0), 0);
	assert_true(b()->reading);
	assert_int_equal(fake_attach(B, "b@h.test/two", unacked_sent(&b()->list) - 1, b()->list.acked, 0, NULL, 0), 0);
	fake.hold_fetches = false;
	fake_turns(6);
	assert_null(fake_delivered(B, "arrived", 0));
	assert_non_null(fake_delivered(B, "lost", 0));
	assert_non_null(fake_delivered(B, "waits", 0));
	assert_null(fake_delivered(B, "waits", 1));
}

static void forget_everything(void)
{
	bool all[SLOT_COUNT];

	memset(all, 1, sizeof(all));
	account_drop_slots(fake.sm, all);
	fake_turns(2);
	fake_forget();
}

/* Committed by the owner before, never delivered: the next one finds it in the log. */
static void a_new_owner_reads_on_from_where_the_edge_is(void **state)
{
	uint64_t unacked[] = { 2 };

	(void)state;
	log_in_managed();
	for (uint64_t i = 1; i <= 3; i++)
		fake_chat(A, i, "b@h.test",
		          i == 1   ? "<message>acked</message>"
		          : i == 2 ? "<message>written</message>"
		                   : "<message>never</message>");
	fake_turns(4);
	fake.delivered = 0; /* nothing was written behind */
	fake.hole_count = 0;
	forget_everything();
	fake.sm->ownership->slots[0].epoch = 6;
	/* Two arrived, one is acknowledged; the record tells of its presence. */
	assert_int_equal(fake_attach(B, "b@h.test/two", 5, 4, 2, unacked, 1), 0);
	fake_turns(6);
	assert_true(session_takes_messages(b()));
	assert_null(fake_delivered(B, "acked", 0));
	assert_null(fake_delivered(B, "written", 0));
	assert_non_null(fake_delivered(B, "never", 0));
	assert_null(fake_delivered(B, "never", 1));
}

/* What waited is on its way to a client when its owner goes: neither the store nor the client has heard of it. */
static void a_new_owner_gives_what_waited_once_more(void **state)
{
	(void)state;
	log_in_managed();
	fake_chat(A, 1, "c@h.test", "<message>waited</message>");
	fake_turns(4);
	assert_int_equal(fake_open(C, "c@h.test", "three", NULL), 0);
	fake_presence(C, 1, TYPE_NONE, "", 0);
	fake_turns(6);
	assert_non_null(fake_delivered(C, "waited", 0));
	fake.delivered = 0;
	fake.hole_count = 0;
	forget_everything();
	fake.sm->ownership->slots[hash_slot(STR("c@h.test"))].epoch = 6;
	assert_int_equal(fake_attach(C, "c@h.test/three", 0, 0, 0, NULL, 0), 0);
	fake_turns(8);
	assert_non_null(fake_delivered(C, "waited", 0));
	assert_null(fake_delivered(C, "waited", 1));
}

/* The same before the first of it was read from the log: what its edge remembers was written when its presence came. */
static void a_new_owner_gives_what_waited_to_who_had_none_of_it(void **state)
{
	(void)state;
	log_in_managed();
	fake_chat(A, 1, "c@h.test", "<message>waited</message>");
	fake_turns(4);
	fake.hold_pages = true;
	assert_int_equal(fake_open(C, "c@h.test", "three", NULL), 0);
	fake_presence(C, 1, TYPE_NONE, "", 0);
	assert_null(fake_delivered(C, "waited", 0));
	forget_everything();
	fake.sm->ownership->slots[hash_slot(STR("c@h.test"))].epoch = 6;
	fake.hold_pages = false;
	assert_int_equal(fake_attach(C, "c@h.test/three", 0, 0, 0, NULL, 0), 0);
	fake_turns(8);
	assert_non_null(fake_delivered(C, "waited", 0));
	assert_null(fake_delivered(C, "waited", 1));
}

/* Its presence was on its way when its owner went, and comes to the next one between two pages of what there is since its cursor: the first page was nothing
 * for somebody who reads no messages, and is read once more. */
static void who_becomes_a_reader_in_the_middle_misses_nothing(void **state)
{
	(void)state;
	log_in_managed();
	fake.options.offline_max = 1000;
	for (uint64_t i = 1; i <= 150; i++)
		fake_chat(A, i, "c@h.test", "<message>waited</message>");
	fake_turns(400);
	assert_int_equal(fake_open(C, "c@h.test", "three", NULL), 0);
	fake_turns(2);
	forget_everything();
	fake.sm->ownership->slots[hash_slot(STR("c@h.test"))].epoch = 6;
	fake.hold_pages = true;
	assert_int_equal(fake_attach(C, "c@h.test/three", 0, 0, 0, NULL, 0), 0);
	fake.hold_pages = false;
	fake_turn();
	fake.hold_pages = true;
	fake_presence(C, 1, TYPE_NONE, "", 0);
	fake_turns(2);
	fake.hold_pages = false;
	fake_turns(8);
	for (uint64_t acked = 0; acked < 400; acked += 20) {
		fake_acked(C, acked);
		fake_turns(4);
	}
	assert_non_null(fake_delivered(C, "waited", 149));
	assert_null(fake_delivered(C, "waited", 150)); /* the second page is not */
}

static void a_submission_again_is_found_in_the_log(void **state)
{
	struct ipc_call call = { .source = EDGE, .payload = STR("<message>once</message>") };
	Starling__SubmitEvent r = STARLING__SUBMIT_EVENT__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	(void)state;
	log_in_managed();
	fake_chat(A, 1, "b@h.test", "<message>once</message>");
	fake_turns(4);
	forget_everything();
	assert_int_equal(fake_attach(A, "a@h.test/one", 0, 0, 0, NULL, 0), 0);
	meta.kind = KIND_MESSAGE;
	meta.type = TYPE_CHAT;
	meta.to = TEXT("b@h.test");
	meta.flags = STARLING__STANZA_FLAG__FLAG_BODY;
	r.stream = A;
	r.number = 1;
	r.meta = &meta;
	r.again = true;
	on_session_submit(&call, &r);
	fake_turns(6);
	assert_int_equal(fake.row_count, 1);
	assert_int_equal(fake_accepted(A), 1);
}

static void an_older_edge_answers_written(void **state)
{
	struct ipc_call call = { .source = EDGE };
	Starling__WrittenEvent w = STARLING__WRITTEN_EVENT__INIT;
	uint64_t ids[] = { 1 };

	(void)state;
	fake.old_edge = true;
	log_in_both();
	fake_chat(A, 1, "b@h.test", "<message>hi</message>");
	fake_turns(4);
	assert_int_equal(fake_delivered(B, "hi", 0)->delivery, 1);
	w.stream = B;
	w.account = TEXT("b@h.test");
	w.deliveries = ids;
	w.n_deliveries = 1;
	on_session_written(&call, &w);
	/* Where another owner would go on from. */
	assert_int_equal(session_find(fake.sm, B)->cursor, 1);
	fake_close(B, "b@h.test/two", false);
	fake_turns(4);
	assert_int_equal(fake.delivered, 1);
	assert_int_equal(fake.hole_count, 0);
}

static void a_former_owners_request_is_fenced(void **state)
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
	r.sender_epoch = 9;
	on_stanza_take(&call, &r);
	fake_turns(3);
	assert_int_equal(call.code, 0);
	protobuf_c_message_free_unpacked(call.reply, NULL);
	call.code = -1;
	r.sender_epoch = 8;
	on_stanza_take(&call, &r);
	assert_int_equal(call.code, CODE(FENCED));
}

/* The slot was taken back from it, and nobody else has sent under the new epoch. */
static void nor_is_it_taken_from_whom_we_replaced(void **state)
{
	struct ipc_call call = { .source = OTHER, .code = -1, .payload = STR("<message>x</message>") };
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	Starling__RouteRequest r = STARLING__ROUTE_REQUEST__INIT;

	(void)state;
	log_in_both();
	fake.sm->ownership->slots[hash_slot(STR("a@h.test"))].epoch = 20;
	meta.kind = KIND_MESSAGE;
	meta.type = TYPE_CHAT;
	meta.from = TEXT("a@h.test/one");
	meta.to = TEXT("b@h.test");
	r.meta = &meta;
	r.sender_epoch = 19;
	on_stanza_take(&call, &r);
	assert_int_equal(call.code, CODE(FENCED));
}

/* What came while it read what waited was left to it; another reader, who goes on with what waited, has had that when it was new. */
static void what_was_left_to_a_reader_is_its_own(void **state)
{
	(void)state;
	assert_int_equal(fake_open(A, "a@h.test", "one", NULL), 0);
	fake_chat(A, 1, "b@h.test", "<message>waited</message>");
	fake_turns(6);
	fake.hold_fetches = true;
	assert_int_equal(fake_open(B, "b@h.test", "two", NULL), 0);
	assert_int_equal(fake_enable(B, "b@h.test/two", 600, 1), 600);
	fake_presence(B, 1, TYPE_NONE, "", 0);
	assert_int_equal(b()->catchup.mode, CATCHUP_OFFLINE);
	assert_int_equal(fake_open(C, "b@h.test", "three", NULL), 0);
	fake_presence(C, 1, TYPE_NONE, "", 0);
	fake_chat(A, 2, "b@h.test", "<message>new</message>");
	fake_turns(6);
	assert_non_null(fake_delivered(C, "new", 0));
	fake_close(B, "b@h.test/two", true);
	fake.hold_fetches = false;
	fake_turns(8);
	assert_non_null(fake_delivered(C, "waited", 0));
	assert_null(fake_delivered(C, "new", 1));
	assert_null(fake_delivered(B, "new", 0));
	assert_int_equal(fake_resume(B, "b@h.test", EDGE2, 0).code, 0);
	fake_turns(8);
	assert_non_null(fake_delivered(B, "new", 0));
	assert_null(fake_delivered(B, "new", 1));
	assert_null(fake_delivered(B, "waited", 0));
	assert_null(fake_delivered(C, "new", 1));
}

/* It ended in the middle of its reading; the next begins where that was, not where the first began. */
static void what_a_reader_has_read_is_not_read_again(void **state)
{
	struct session *s;

	(void)state;
	log_in_managed();
	fake_chat(A, 1, "b@h.test", "<message>read</message>");
	fake_turns(4);
	fake_acked(B, 100);
	s = b();
	s->catchup =
	        (struct catchup){ .mode = CATCHUP_REBUILD, .after = s->account->log->last, .fetching = true, .turn = 7, .reader = true };
	s->account->log->tail = 0;
	s->account->log->behind = true;
	fake_close(B, "b@h.test/two", false);
	assert_null(b());
	fake_forget();
	assert_int_equal(fake_open(C, "b@h.test", "two", NULL), 0);
	fake_presence(C, 1, TYPE_NONE, "", 0);
	fake_turns(8);
	assert_null(fake_delivered(C, "read", 0));
}

enum moment { BEFORE_OPEN, BEFORE_PRESENCE, BEHIND_PRESENCE };

static void commit_if(bool now)
{
	if (!now)
		return;
	fake.held_for = NULL;
	fake_turn();
}

/* A client that cannot resume replaces its own parked session, around the moment in which a message is committed. */
static void replace_while_committing(enum moment when)
{
	log_in_managed();
	fake_close(B, "b@h.test/two", true);
	fake_chat(A, 1, "b@h.test", "<message>waits</message>");
	fake_turns(4);
	fake.held_for = "b@h.test";
	fake_chat(A, 2, "b@h.test", "<message>now</message>");
	fake_turns(2);
	fake_chat(A, 3, "b@h.test", "<message>late</message>");
	fake_turns(2);
	commit_if(when == BEFORE_OPEN);
	assert_int_equal(fake_open(C, "b@h.test", "two", NULL), 0);
	commit_if(when == BEFORE_PRESENCE);
	fake_presence(C, 1, TYPE_NONE, "", 0);
	commit_if(when == BEHIND_PRESENCE);
	fake_turns(10);
	assert_non_null(fake_delivered(C, "waits", 0));
	assert_non_null(fake_delivered(C, "now", 0));
	assert_non_null(fake_delivered(C, "late", 0));
}

static void a_replaced_session_leaves_what_was_just_committed(void **state)
{
	(void)state;
	replace_while_committing(BEFORE_OPEN);
}

static void who_replaced_it_gets_what_is_committed_then(void **state)
{
	(void)state;
	replace_while_committing(BEFORE_PRESENCE);
}

static void who_replaced_it_gets_what_is_committed_later(void **state)
{
	(void)state;
	replace_while_committing(BEHIND_PRESENCE);
}

/* Two clients are away, and do not come back: a copy on the list of one does not mean that somebody is getting the message. */
static void a_copy_is_not_the_message(void **state)
{
	(void)state;
	assert_int_equal(fake_open(A, "a@h.test", "one", NULL), 0);
	assert_int_equal(fake_open(B, "b@h.test", "two", NULL), 0);
	assert_int_equal(fake_enable(B, "b@h.test/two", 600, 1), 600);
	fake_presence(B, 1, TYPE_NONE, "", 0);
	assert_int_equal(fake_open(C, "b@h.test", "three", NULL), 0);
	assert_int_equal(fake_enable(C, "b@h.test/three", 600, 1), 600);
	fake_presence(C, 1, TYPE_NONE, "", 0);
	session_find(fake.sm, C)->carbons = true;
	fake_close(B, "b@h.test/two", true);
	fake_close(C, "b@h.test/three", true);
	fake_chat(A, 1, "b@h.test/two", "<message>to two</message>");
	fake_turns(8);
	fake_close(B, "b@h.test/two", false);
	fake_close(C, "b@h.test/three", false);
	assert_null(b());
	fake_forget();
	assert_int_equal(fake_open(C + 1, "b@h.test", "three", NULL), 0);
	fake_presence(C + 1, 1, TYPE_NONE, "", 0);
	fake_turns(8);
	assert_non_null(fake_delivered(C + 1, "to two", 0));
	assert_null(fake_delivered(C + 1, "to two", 1));
}

/* Its edge is out of reach, and nobody has said yet that it is gone; another client of the account is there. */
static void what_comes_before_an_edge_is_known_to_be_gone_is_kept(void **state)
{
	(void)state;
	log_in_managed();
	assert_int_equal(fake_open(C, "b@h.test", "three", NULL), 0);
	assert_int_equal(fake_enable(C, "b@h.test/three", 600, 1), 600);
	fake_presence(C, 1, TYPE_NONE, "", 0);
	fake_close(C, "b@h.test/three", true);
	assert_int_equal(fake_resume(C, "b@h.test", EDGE2, 0).code, 0);
	fake_turns(4);
	fake_forget();
	b()->edge->lost = true;
	fake_chat(A, 1, "b@h.test", "<message>to both</message>");
	fake_turns(4);
	assert_non_null(fake_delivered(C, "to both", 0));
	assert_null(fake_delivered(B, "to both", 0));
	fake.edge_alive = false;
	sm_on_directory(fake.sm);
	wait_for_timers();
	assert_true(b()->parked);
	assert_int_equal(fake_resume(B, "b@h.test", EDGE2, 0).code, 0);
	fake_turns(4);
	assert_non_null(fake_delivered(B, "to both", 0));
	assert_null(fake_delivered(B, "to both", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_parked_session_keeps_what_comes),
		TEST(what_the_client_has_does_not_come_again),
		TEST(too_high_a_count_is_refused),
		TEST(strangers_resume_nothing),
		TEST(the_edge_that_had_it_lets_go),
		TEST(a_dead_edge_parks_its_managed_sessions),
		TEST(presence_comes_again_from_the_copy),
		TEST(lost_deliveries_are_repaired),
		TEST(what_comes_before_an_edge_is_known_to_be_gone_is_kept),
		TEST(what_was_lost_is_not_taken_for_erased),
		TEST(a_new_owner_reads_on_from_where_the_edge_is),
		TEST(a_new_owner_gives_what_waited_once_more),
		TEST(a_new_owner_gives_what_waited_to_who_had_none_of_it),
		TEST(who_becomes_a_reader_in_the_middle_misses_nothing),
		TEST(a_submission_again_is_found_in_the_log),
		TEST(an_older_edge_answers_written),
		TEST(a_former_owners_request_is_fenced),
		TEST(nor_is_it_taken_from_whom_we_replaced),
		TEST(what_was_left_to_a_reader_is_its_own),
		TEST(what_a_reader_has_read_is_not_read_again),
		TEST(a_replaced_session_leaves_what_was_just_committed),
		TEST(who_replaced_it_gets_what_is_committed_then),
		TEST(who_replaced_it_gets_what_is_committed_later),
		TEST(a_copy_is_not_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
