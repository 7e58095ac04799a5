/* SPDX-License-Identifier: Apache-2.0
 *
 * Acceptance and delivery where the store has a part in it, with the flock around the daemon faked. */
#include "services/session-manager/fake_edge.h"

static void nothing_is_accepted_before_it_is_stored(void **state)
{
	(void)state;
	log_in_both();
	fake.store_silent = true;
	fake_chat(A, 1, "c@h.test", "<message>later</message>");
	fake_chat(A, 2, "b@h.test", "<message>now</message>");
	fake_turns(5);
	assert_non_null(fake_delivered(B, "now", 0));
	assert_int_equal(fake_accepted(A), 0);
	fake.store_silent = false;
	fake_turns(2);
	assert_int_equal(fake.appends, 1);
	assert_int_equal(fake_accepted(A), 2);
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

static void a_full_store_bounces(void **state)
{
	(void)state;
	log_in_both();
	fake.storage_code = CODE(LIMIT);
	fake_chat(A, 1, "c@h.test", "<message>later</message>");
	fake_turns(4);
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

static void written(uint64_t stream, const char *account, uint64_t from, uint64_t to)
{
	struct ipc_call call = { .source = EDGE };
	Starling__WrittenEvent r = STARLING__WRITTEN_EVENT__INIT;
	uint64_t ids[256];

	r.stream = stream;
	r.account = TEXT(account);
	r.deliveries = ids;
	for (uint64_t id = from; id <= to; id++)
		ids[r.n_deliveries++] = id;
	on_session_written(&call, &r);
}

static void stored_messages_come_first_and_go_when_written(void **state)
{
	(void)state;
	log_in_both();
	for (uint64_t i = 1; i <= 3; i++)
		fake_chat(A, i, "c@h.test", "<message>stored</message>");
	fake_turns(6);
	assert_int_equal(fake_open(13, "c@h.test", "r", NULL), 0);
	fake_presence(13, 1, TYPE_NONE, "", 0);
	assert_non_null(fake_delivered(13, "stored", 2));
	assert_memory_equal(fake_delivered(13, "stored", 0)->extra.data, "<delay", 6);
	/* A live one queues up behind them. */
	fake_chat(A, 4, "c@h.test", "<message>live</message>");
	fake_turns(4);
	assert_null(fake_delivered(13, "live", 0));
	assert_int_equal(fake.offline_count, 4);
	written(13, "c@h.test", 1, 3);
	fake_turns(4);
	assert_non_null(fake_delivered(13, "live", 0));
	assert_int_equal(fake.offline_count, 1);
	written(13, "c@h.test", 4, 4);
	fake_turns(4);
	assert_int_equal(fake.offline_count, 0);
	/* All is out: from here on, straight. */
	fake_chat(A, 5, "c@h.test", "<message>straight</message>");
	assert_non_null(fake_delivered(13, "straight", 0));
}

static void pages_follow_as_they_are_written(void **state)
{
	(void)state;
	log_in_both();
	fake.options.offline_max = 1000;
	for (uint64_t i = 1; i <= 250; i++)
		fake_chat(A, i, "c@h.test", "<message>stored</message>");
	fake_turns(600);
	assert_int_equal(fake.offline_count, 250);
	fake_open(13, "c@h.test", "r", NULL);
	fake_presence(13, 1, TYPE_NONE, "", 0);
	assert_non_null(fake_delivered(13, "stored", 99));
	assert_null(fake_delivered(13, "stored", 100));
	written(13, "c@h.test", 1, 60);
	written(13, "c@h.test", 61, 100);
	fake_turns(4);
	assert_non_null(fake_delivered(13, "stored", 199));
	assert_null(fake_delivered(13, "stored", 200));
	written(13, "c@h.test", 101, 200);
	fake_turns(4);
	assert_non_null(fake_delivered(13, "stored", 249));
	written(13, "c@h.test", 201, 250);
	fake_turns(4);
	assert_int_equal(fake.offline_count, 0);
	assert_int_equal(fake.removals, 250);
	fake_chat(A, 251, "c@h.test", "<message>straight</message>");
	assert_non_null(fake_delivered(13, "straight", 0));
}

static void what_was_not_written_stays(void **state)
{
	struct ipc_call call = { .source = EDGE, .code = -1 };
	Starling__CloseRequest close = STARLING__CLOSE_REQUEST__INIT;

	(void)state;
	log_in_both();
	fake_chat(A, 1, "c@h.test", "<message>stored</message>");
	fake_turns(4);
	fake_open(13, "c@h.test", "r", NULL);
	fake_presence(13, 1, TYPE_NONE, "", 0);
	assert_non_null(fake_delivered(13, "stored", 0));
	close.stream = 13;
	close.jid = TEXT("c@h.test/r");
	on_session_close(&call, &close);
	assert_int_equal(call.code, 0);
	protobuf_c_message_free_unpacked(call.reply, NULL);
	fake_turns(4);
	assert_int_equal(fake.offline_count, 1);
	fake_open(14, "c@h.test", "s", NULL);
	fake_presence(14, 1, TYPE_NONE, "", 0);
	assert_non_null(fake_delivered(14, "stored", 0));
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

static void a_lost_edge_turns_delivery_into_storing(void **state)
{
	(void)state;
	log_in_both();
	fake.edge_alive = false;
	fake_chat(A, 1, "b@h.test/two", "<message>stay</message>");
	fake_turns(3);
	assert_int_equal(fake.appends, 1);
}

static void a_returned_message_is_kept(void **state)
{
	struct ipc_call call = { .source = EDGE, .payload = STR("<message>back</message>") };
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	Starling__ReturnedEvent r = STARLING__RETURNED_EVENT__INIT;

	(void)state;
	log_in_both();
	meta.kind = KIND_MESSAGE;
	meta.type = TYPE_CHAT;
	meta.from = TEXT("a@h.test/one");
	meta.to = TEXT("b@h.test/two");
	meta.flags = STARLING__STANZA_FLAG__FLAG_BODY;
	r.stream = B;
	r.account = TEXT("b@h.test");
	r.meta = &meta;
	on_session_returned(&call, &r);
	fake_turns(3);
	assert_int_equal(fake.sm->streams.count, 1);
	assert_int_equal(fake.appends, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_accepted_before_it_is_stored),
		TEST(a_store_that_is_away_is_waited_for),
		TEST(a_full_store_bounces),
		TEST(too_much_pending_holds_the_clients),
		TEST(stored_messages_come_first_and_go_when_written),
		TEST(pages_follow_as_they_are_written),
		TEST(what_was_not_written_stays),
		TEST(negative_priority_gets_nothing),
		TEST(a_lost_edge_turns_delivery_into_storing),
		TEST(a_returned_message_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
