/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages to and from other servers, with the flock around the daemon faked. */
#include "services/session-manager/fake_edge.h"
#include "services/session-manager/federates.h"

#define MORE     14u
#define STRANGER "x@other.test"

static void chat_with_origin(uint64_t stream, uint64_t number, const char *origin)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.kind = KIND_MESSAGE;
	meta.type = TYPE_CHAT;
	meta.to = TEXT(STRANGER);
	meta.flags = STARLING__STANZA_FLAG__FLAG_BODY;
	meta.origin_id = TEXT(origin);
	fake_submit(stream, number, &meta, "<message>out</message>");
	fake_turns(6);
}

static void begin(void)
{
	fake.s2s_alive = true;
	log_in_both();
}

static void archived_then_passed_on(void **state)
{
	(void)state;
	begin();
	fake.store_silent = true;
	chat_with_origin(A, 1, "o1");
	assert_int_equal(fake.routed, 0);
	assert_int_equal(fake_accepted(A), 0);
	fake.store_silent = false;
	fake_turns(6);
	assert_int_equal(fake.row_count, 1);
	assert_string_equal(fake.rows[0].request->sender, "a@h.test");
	assert_string_equal(fake.rows[0].request->recipient, "");
	assert_int_equal(fake.routed, 1);
	assert_int_equal(fake.routed_as[0].key.stream, STARLING__KEY_STREAM__KEY_LOG);
	assert_int_equal(fake.routed_as[0].key.number, 1);
	assert_false(fake.routed_as[0].again);
	assert_int_equal(fake_accepted(A), 1);
}

/* The other server knows it by its name; under another it would keep it twice. */
static void a_client_that_could_not_resume(void **state)
{
	(void)state;
	begin();
	chat_with_origin(A, 1, "o1");
	assert_int_equal(fake_open(MORE, "a@h.test", "one", NULL), 0);
	session_find(fake.sm, MORE)->origin_to = SESSION_ORIGIN_RUN;
	chat_with_origin(MORE, 1, "o1");
	chat_with_origin(MORE, 2, "o2");
	assert_int_equal(fake.row_count, 2);
	assert_int_equal(fake.routed, 3);
	assert_int_equal(fake.routed_as[1].key.stream, fake.routed_as[0].key.stream);
	assert_int_equal(fake.routed_as[1].key.number, fake.routed_as[0].key.number);
	assert_true(fake.routed_as[1].again);
	assert_int_not_equal(fake.routed_as[2].key.number, fake.routed_as[0].key.number);
	assert_false(fake.routed_as[2].again);
	assert_int_equal(fake_accepted(MORE), 2);
}

/* The answer of an s2s says nothing about our archive. */
static void copies_have_the_archive_s_id(void **state)
{
	const Starling__DeliverEvent *copy;

	(void)state;
	begin();
	assert_int_equal(fake_open(MORE, "a@h.test", "more", NULL), 0);
	session_find(fake.sm, MORE)->carbons = true;
	fake_presence(MORE, 1, TYPE_NONE, "", 0);
	fake_forget();
	chat_with_origin(A, 1, "o1");
	copy = fake_delivered(MORE, "out", 0);
	assert_non_null(copy);
	assert_int_equal(copy->log_id, 1);
}

/* Its next owner gets it from the edge; passed on from here it would miss in the archive. */
static void an_account_that_was_given_up_sends_nothing(void **state)
{
	(void)state;
	begin();
	fake.held_for = "";
	chat_with_origin(A, 1, "o1");
	account_drop(account_find(fake.sm, STR("a@h.test")));
	fake_turns(6);
	fake.held_for = NULL;
	fake_turns(6);
	assert_int_equal(fake.routed, 0);
	assert_int_equal(fake_accepted(A), 0);
	assert_int_equal(fake.sm->pending, 0);
}

static bool comes_back(void)
{
	chat_with_origin(A, 1, "o1");
	return fake_delivered(A, "remote-server-not-found", 0) != NULL;
}

static void a_flock_without_s2s(void **state)
{
	(void)state;
	log_in_both();
	federates_redis_up(fake.sm);
	fake_turns(2);
	assert_true(comes_back());
}

static void without_s2s_for_now(void **state)
{
	(void)state;
	begin();
	chat_with_origin(B, 2, "o0");
	fake.s2s_alive = false;
	assert_false(comes_back());
	assert_int_equal(fake_accepted(A), 0);
}

/* It has never seen one itself. */
static void an_owner_that_starts_while_all_s2s_are_down(void **state)
{
	(void)state;
	log_in_both();
	fake.redis_says = true;
	federates_redis_up(fake.sm);
	fake_turns(2);
	assert_false(comes_back());
	assert_int_equal(fake_accepted(A), 0);
}

static void comes_in(uint64_t source, const char *from, uint64_t number, bool again)
{
	struct ipc_call call = { .source = source, .payload = STR("<message>in</message>"), .code = -1 };
	Starling__RouteRequest r = STARLING__ROUTE_REQUEST__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.kind = KIND_MESSAGE;
	meta.type = TYPE_CHAT;
	meta.from = TEXT(from);
	meta.to = TEXT("b@h.test");
	meta.flags = STARLING__STANZA_FLAG__FLAG_BODY;
	r.meta = &meta;
	r.hops = 1;
	r.epoch = 5;
	r.key_stream = 77;
	r.key_number = number;
	r.again = again;
	on_stanza_route(&call, &r);
	fake_turns(6);
	assert_int_equal(call.code, 0);
	protobuf_c_message_free_unpacked(call.reply, NULL);
}

/* From a connection that had been given up. */
static void the_first_try_behind_the_second(void **state)
{
	(void)state;
	begin();
	comes_in(S2S, STRANGER "/r", 1, true);
	comes_in(S2S, STRANGER "/r", 1, false);
	comes_in(S2S, STRANGER "/r", 2, false);
	assert_int_equal(fake.row_count, 2);
	assert_false(fake.rows[1].request->key_number == 1);
}

/* From a router that died. What comes once is not looked for. */
static void an_owner_s_first_try_behind_the_second(void **state)
{
	(void)state;
	begin();
	comes_in(OTHER, "c@h.test/r", 1, true);
	comes_in(OTHER, "c@h.test/r", 1, false);
	comes_in(OTHER, "c@h.test/r", 2, false);
	assert_int_equal(fake.row_count, 2);
	assert_false(fake.rows[1].request->key_number == 1);
	assert_false(fake.rows[1].request->check);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(archived_then_passed_on),
		TEST(a_client_that_could_not_resume),
		TEST(copies_have_the_archive_s_id),
		TEST(an_account_that_was_given_up_sends_nothing),
		TEST(a_flock_without_s2s),
		TEST(without_s2s_for_now),
		TEST(an_owner_that_starts_while_all_s2s_are_down),
		TEST(the_first_try_behind_the_second),
		TEST(an_owner_s_first_try_behind_the_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
