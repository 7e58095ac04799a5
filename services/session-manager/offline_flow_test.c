/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies, retractions and offline messages one by one, with the flock around it faked. */
#include "services/session-manager/archive_retract.h"
#include "services/session-manager/fake_archive.h"

/* --- copies, retraction --- */

static void copies_are_turned_on_and_off(void **state)
{
	static const char on[] = "<iq type='set' id='q'><enable xmlns='urn:xmpp:carbons:2'/></iq>";
	static const char off[] = "<iq type='set' id='q'><disable xmlns='urn:xmpp:carbons:2'/></iq>";

	(void)state;
	for (int i = 0; i < 2; i++) {
		ask("enable", "urn:xmpp:carbons:2", on);
		assert_string_equal(got(0), "<iq id='q' type='result'/>");
		assert_true(session_find(fake.sm, A)->carbons);
	}
	for (int i = 0; i < 2; i++) {
		ask("disable", "urn:xmpp:carbons:2", off);
		assert_string_equal(got(0), "<iq id='q' type='result'/>");
		assert_false(session_find(fake.sm, A)->carbons);
	}
}

static void retract(const char *id, Starling__StanzaType type, const char *bytes)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct packet p = { .meta = &meta, .bytes = str_from(bytes) };

	meta.kind = KIND_MESSAGE;
	meta.type = type;
	meta.from = TEXT("a@h.test/one");
	meta.to = TEXT("b@h.test/two");
	meta.id = TEXT(id);
	archive_retract(fake.sm, &p);
	turns(2);
}

static void a_tombstone(void **state)
{
	static const char bytes[] =
	        "<message type='chat' id='r1'><retract xmlns='urn:xmpp:message-retract:1' id='w&amp;1'/><body>/me</body></message>";
	char text[256];

	(void)state;
	retract("r1", TYPE_CHAT, bytes);
	assert_string_equal(store.retract->sender, "a@h.test");
	assert_string_equal(store.retract->recipient, "b@h.test");
	assert_string_equal(store.retract->target, "w&1");
	snprintf(text, sizeof(text), "%.*s", (int)store.retract->tombstone.len, (char *)store.retract->tombstone.data);
	expect_text(text, "<message type='chat' id='w&amp;1'><retracted xmlns='urn:xmpp:message-retract:1' id='r1' stamp='20");
	expect_text(text, "Z'/></message>");
	/* Nothing that could be named, or nothing to name it by. */
	retract("", TYPE_CHAT, bytes);
	retract("r1", TYPE_GROUPCHAT, bytes);
	retract("r1", TYPE_CHAT, "<message id='r1'><retract xmlns='urn:xmpp:message-retract:1'/></message>");
	retract("r1", TYPE_CHAT, "<message id='r1'><body>x</body></message>");
	assert_int_equal(store.retracts, 1);
}

static bool retracted_again(void)
{
	return store.retracts == 2;
}

static void a_retraction_is_tried_again(void **state)
{
	(void)state;
	store.code = CODE(UNAVAILABLE);
	retract("r1", TYPE_CHAT, "<message id='r1'><retract xmlns='urn:xmpp:message-retract:1' id='w1'/></message>");
	assert_int_equal(store.retracts, 1);
	store.code = 0;
	wait_until(retracted_again);
	assert_int_equal(store.retracts, 2);
}

/* --- offline messages one by one --- */

#define OFFLINE(type, in) "<iq type='" type "' id='q'><offline xmlns='http://jabber.org/protocol/offline'>" in "</offline></iq>"

static void offline(const char *bytes)
{
	ask("offline", "http://jabber.org/protocol/offline", bytes);
}

/* Messages 3 and 4 wait, and 1, which was left. */
static int log_in_to_mail(void **state)
{
	fake_start(state);
	fake.options.archive_page_max = 250;
	memset(&store, 0, sizeof(store));
	fill_entries();
	for (uint32_t i = 0; i < 4; i++) {
		Starling__LogAppendRequest row = STARLING__LOG_APPEND_REQUEST__INIT;

		row.recipient = TEXT("a@h.test");
		row.archived = true;
		row.meta = &metas[i];
		fake.rows[i].id = ID(i + 1);
		fake.rows[i].request = (void *)ipc_copy_for_test(&row.base);
		fake.rows[i].stanza = mem_strdup(MESSAGE);
	}
	fake.row_count = 4;
	fake.next_id = ID(4);
	fake.delivered = ID(2);
	fake.holes[0] = ID(1);
	fake.hole_count = 1;
	assert_int_equal(fake_open(A, "a@h.test", "one", NULL), 0);
	fake_forget();
	return 0;
}

#define MAIL(f) cmocka_unit_test_setup_teardown(f, log_in_to_mail, log_out)

static void they_are_counted_and_listed(void **state)
{
	(void)state;
	ask("query", "http://jabber.org/protocol/disco#info",
	    "<iq type='get' id='q'><query xmlns='http://jabber.org/protocol/disco#info' node='http://jabber.org/protocol/offline'/></iq>");
	expect_text(got(0), "<identity category='automation' type='message-list'/>");
	expect_text(got(0), "<field var='number_of_messages'><value>3</value></field>");
	ask("query", "http://jabber.org/protocol/disco#items",
	    "<iq type='get' id='q'><query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/offline'/></iq>");
	expect_text(got(0), "node='http://jabber.org/protocol/offline'><item jid='a@h.test' node='1700000000000001' name='b@h.test/two'/>"
	                    "<item jid='a@h.test' node='1700000000000003' name='b@h.test/two'/>"
	                    "<item jid='a@h.test' node='1700000000000004' name='b@h.test/two'/></query>");
}

static void they_are_viewed(void **state)
{
	const Starling__DeliverEvent *e;

	(void)state;
	offline(OFFLINE("get", "<item action='view' node='1700000000000003'/>"));
	expect_text(got(0), "<message type='chat'><body>x</body></message>");
	e = got_event(0);
	assert_string_equal(e->meta->from, "b@h.test/two");
	assert_non_null(memmem(e->extra.data, e->extra.len,
	                       "<offline xmlns='http://jabber.org/protocol/offline'><item node='1700000000000003'/>", 79));
	assert_non_null(memmem(e->extra.data, e->extra.len, "<stanza-id ", 11));
	assert_string_equal(got(1), "<iq id='q' type='result'/>");
	offline(OFFLINE("get", "<fetch/>"));
	assert_string_equal(got(3), "<iq id='q' type='result'/>");
	/* 2 has been delivered, 5 does not exist. */
	offline(OFFLINE("get", "<item action='view' node='1700000000000002'/>"));
	expect_error("item-not-found");
	offline(OFFLINE("get", "<item action='view' node='1700000000000003'/><item action='view' node='1700000000000005'/>"));
	expect_error("item-not-found");
}

static void they_are_removed(void **state)
{
	(void)state;
	offline(OFFLINE("set", "<item action='remove' node='1700000000000001'/><item action='remove' node='1700000000000003'/>"));
	assert_string_equal(got(0), "<iq id='q' type='result'/>");
	assert_int_equal(fake.hole_count, 1);
	assert_int_equal(fake.holes[0], ID(4));
	offline(OFFLINE("set", "<purge/>"));
	assert_string_equal(got(0), "<iq id='q' type='result'/>");
	assert_int_equal(fake.hole_count, 0);
	offline(OFFLINE("set", "<item action='remove' node='1700000000000002'/>"));
	expect_error("item-not-found");
}

/* They are read from the store by their ids, while what waits is still being made a list of: taken out before that, they would be put on it. */
static void they_are_removed_from_a_list_to_come(void **state)
{
	(void)state;
	fake.hold_pages = true;
	offline(OFFLINE("set", "<item action='remove' node='1700000000000003'/>"));
	assert_int_equal(fake.sent_count, 0);
	fake.hold_pages = false;
	fake_turns(6);
	assert_string_equal(got(0), "<iq id='q' type='result'/>");
	assert_int_equal(fake.hole_count, 2);
	assert_int_equal(fake.holes[0], ID(1));
	assert_int_equal(fake.holes[1], ID(4));
}

/* It was on its way into the log when the list was made, and its user is there when it comes. */
static void what_came_meanwhile_is_not_among_them(void **state)
{
	(void)state;
	assert_int_equal(fake_open(B, "b@h.test", "two", NULL), 0);
	fake.held_for = "a@h.test";
	fake_chat(B, 1, "a@h.test", "<message>now</message>");
	fake_turns(2);
	offline(OFFLINE("get", "<fetch/>"));
	fake_presence(A, session_find(fake.sm, A)->window.accepted + 1, TYPE_NONE, "", 0);
	fake.held_for = NULL;
	fake_turns(6);
	assert_non_null(fake_delivered(A, "now", 0));
	fake_forget();
	ask("query", "http://jabber.org/protocol/disco#items",
	    "<iq type='get' id='q'><query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/offline'/></iq>");
	expect_text(got(0), "node='1700000000000004' name='b@h.test/two'/></query>");
}

static void bad_offline_requests(void **state)
{
	static const struct {
		const char *bytes, *condition;
	} table[] = {
		{ OFFLINE("get", ""), "bad-request" },
		{ OFFLINE("get", "<purge/>"), "bad-request" },
		{ OFFLINE("set", "<fetch/>"), "bad-request" },
		{ OFFLINE("get", "<fetch/><fetch/>"), "bad-request" },
		{ OFFLINE("get", "<item action='remove' node='1700000000000003'/>"), "bad-request" },
		{ OFFLINE("set", "<item action='view' node='1700000000000003'/>"), "bad-request" },
		{ OFFLINE("get", "<item action='view'/>"), "item-not-found" },
		{ OFFLINE("get", "<item action='view' node='2003-02-27T22:52:37.225Z'/>"), "item-not-found" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		offline(table[i].bytes);
		expect_error(table[i].condition);
	}
	fake_forget();
	ask_to("b@h.test", "offline", "http://jabber.org/protocol/offline", OFFLINE("get", "<fetch/>"));
	expect_error("forbidden");
	fake.storage_code = CODE(UNAVAILABLE);
	offline(OFFLINE("get", "<fetch/>"));
	expect_error("resource-constraint");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW(copies_are_turned_on_and_off),
		FLOW(a_tombstone),
		FLOW(a_retraction_is_tried_again),
		MAIL(they_are_counted_and_listed),
		MAIL(they_are_viewed),
		MAIL(they_are_removed),
		MAIL(they_are_removed_from_a_list_to_come),
		MAIL(what_came_meanwhile_is_not_among_them),
		MAIL(bad_offline_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
