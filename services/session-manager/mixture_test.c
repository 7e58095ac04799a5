/* SPDX-License-Identifier: Apache-2.0
 *
 * Beside edges and session-managers of the release before: what they send a second time they do not mark as such. */
#include "services/session-manager/fake_edge.h"

#define ONCE "<message>once</message>"

/* --- an edge --- */

/* A's owner goes after it has stored the message, and before the edge has heard of it. */
static void present_to_the_next_owner(bool old_edge)
{
	bool all[SLOT_COUNT];

	fake.old_edge = old_edge;
	log_in_both();
	fake_chat(A, 1, "b@h.test", ONCE);
	fake_turns(4);
	assert_int_equal(fake.row_count, 1);
	memset(all, 1, sizeof(all));
	account_drop_slots(fake.sm, all);
	fake_turns(2);
	fake_forget();
	assert_int_equal(fake_attach(A, "a@h.test/one", 0, 0, 0, NULL, 0), 0);
	fake_chat(A, 1, "b@h.test", ONCE);
	fake_turns(6);
	assert_int_equal(fake_accepted(A), 1);
}

static void what_an_older_edge_presents_is_looked_for(void **state)
{
	(void)state;
	present_to_the_next_owner(true);
	assert_int_equal(fake.row_count, 1);
	fake_chat(A, 2, "b@h.test", "<message>new</message>");
	fake_turns(6);
	assert_int_equal(fake.row_count, 2);
	assert_int_equal(fake_accepted(A), 2);
}

/* Behind all that such an edge may have had unaccepted, nothing is looked for. */
static void but_not_for_ever(void **state)
{
	uint64_t n = WINDOW_SIZE + 2;

	(void)state;
	present_to_the_next_owner(true);
	for (uint64_t i = 2; i <= n; i++) {
		fake_chat(A, i, "b@h.test", "<message>more</message>");
		if (i % 100 == 0)
			fake_turns(6);
	}
	fake_turns(6);
	assert_int_equal(fake.row_count, n);
	assert_true(fake.rows[1].request->check);
	assert_true(fake.rows[n - 2].request->check);
	assert_false(fake.rows[n - 1].request->check);
}

static void an_edge_of_this_release_says_so(void **state)
{
	(void)state;
	present_to_the_next_owner(false);
	assert_int_equal(fake.row_count, 2);
	assert_false(fake.rows[1].request->check);
}

/* --- a session-manager --- */

static void route_from(uint64_t instance)
{
	struct ipc_call call = { .source = instance, .code = -1, .payload = STR(ONCE) };
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	Starling__RouteRequest r = STARLING__ROUTE_REQUEST__INIT;

	meta.kind = KIND_MESSAGE;
	meta.type = TYPE_CHAT;
	meta.from = TEXT("z@h.test/q");
	meta.to = TEXT("b@h.test");
	meta.flags = STARLING__STANZA_FLAG__FLAG_BODY;
	r.meta = &meta;
	r.epoch = 5;
	r.key_stream = 7;
	r.key_number = 1;
	on_stanza_route(&call, &r);
	fake_turns(6);
	assert_int_equal(call.code, 0);
	protobuf_c_message_free_unpacked(call.reply, NULL);
}

static void what_an_older_owner_routes_is_looked_for(void **state)
{
	(void)state;
	log_in_both();
	fake.old_peer = true;
	route_from(OTHER);
	route_from(OTHER);
	assert_int_equal(fake.row_count, 1);
	assert_non_null(fake_delivered(B, "once", 0));
	assert_null(fake_delivered(B, "once", 1));
}

static void an_owner_of_this_release_says_so(void **state)
{
	(void)state;
	log_in_both();
	route_from(OTHER);
	route_from(OTHER);
	assert_int_equal(fake.row_count, 2);
}

/* Its last words may come when it is out of the directory. */
static void what_somebody_who_is_gone_routes_is_looked_for(void **state)
{
	(void)state;
	log_in_both();
	fake.edge_alive = false;
	route_from(EDGE);
	route_from(EDGE);
	assert_int_equal(fake.row_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_an_older_edge_presents_is_looked_for), TEST(but_not_for_ever),
		TEST(an_edge_of_this_release_says_so),           TEST(what_an_older_owner_routes_is_looked_for),
		TEST(an_owner_of_this_release_says_so),          TEST(what_somebody_who_is_gone_routes_is_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
