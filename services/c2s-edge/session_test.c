/* SPDX-License-Identifier: Apache-2.0
 *
 * Bound sessions: submitting, owners that come and go, deliveries, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/c2s-edge/fake_flock.h"

#define NEW_OWNER 0x200u

static void say_message(int i)
{
	char text[200];

	snprintf(text, sizeof(text), "<message to='romeo@a.test' id='m%d'/>", i);
	fake_say(text);
}

static void accepted(uint64_t number)
{
	Starling__AcceptedEvent event = STARLING__ACCEPTED_EVENT__INIT;
	Starling__Progress progress = STARLING__PROGRESS__INIT, *list[] = { &progress };

	progress.stream = fake_stream()->id;
	progress.accepted = number;
	event.progress = list;
	event.n_progress = 1;
	on_edge_accepted(NULL, &event);
	fake_turn();
}

static void deliver(uint64_t stream, uint64_t delivery, const char *payload, const char *extra)
{
	Starling__DeliverEvent event = STARLING__DELIVER_EVENT__INIT;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.from = (char *)"romeo@a.test/x";
	meta.to = (char *)"juliet@a.test/balcony";
	event.streams = &stream;
	event.n_streams = 1;
	event.meta = &meta;
	event.delivery = delivery;
	event.extra = (ProtobufCBinaryData){ strlen(extra), (uint8_t *)(uintptr_t)extra };
	fake.payload = str_from(payload);
	on_edge_deliver(NULL, &event);
}

static void change_owner(uint64_t owner)
{
	fake.owner = owner;
	fake.epoch++;
	c2s_owner_on_directory(fake.edge);
	fake_turn();
}

/* --- submit ------------------------------------------------------------------------------------------------------- */

static void stanzas_are_numbered_and_bear_the_true_sender(void **state)
{
	(void)state;
	fake_login();
	fake_say("<message to='Romeo@A.test/Phone'><body>hi</body></message><presence/>");
	assert_string_equal(fake_asked(), "submit 100 1 juliet@a.test/balcony>romeo@a.test/Phone <message><body>hi</body></message>;"
	                                  "submit 100 2 juliet@a.test/balcony> <presence/>;");
	fake_say("<message from='juliet@a.test' to='a@b'/><message from='Juliet@a.test/balcony' to='a@b'/>");
	assert_string_equal(fake_asked(),
	                    "submit 100 3 juliet@a.test/balcony>a@b <message/>;submit 100 4 juliet@a.test/balcony>a@b <message/>;");
}

static void a_forged_sender_ends_the_stream(void **state)
{
	static const char *const forged[] = { "romeo@a.test", "juliet@a.test/other", "juliet@b.test/balcony", "", "@", "a.test" };

	for (size_t i = 0; i < sizeof(forged) / sizeof(*forged); i++) {
		char text[200];

		fake_login();
		snprintf(text, sizeof(text), "<message from='%s' to='romeo@a.test'/>", forged[i]);
		fake_say(text);
		assert_non_null(strstr(fake_hear(), "<invalid-from"));
		assert_null(strstr(fake_asked(), "submit"));
		assert_int_equal(fake_teardown(state), 0);
		assert_int_equal(fake_setup(state), 0);
	}
}

static void malformed_stanzas_are_answered_here_when_the_owner_is_old(void **state)
{
	static const struct {
		const char *stanza, *said;
	} table[] = {
		{ "<message to='@' id='1'/>", "<jid-malformed" },
		{ "<message to='' id='1'/>", "<jid-malformed" },
		{ "<message to='@' type='error' id='1'/>", NULL },
		{ "<iq to='@' type='result' id='1'/>", NULL },
		{ "<iq type='get'><q xmlns='a'/></iq>", "<bad-request" },
		{ "<iq type='get' id='1'/>", "<bad-request" },
		{ "<iq type='rubbish' id='1'><q xmlns='a'/></iq>", "<bad-request" },
		{ "<presence type='rubbish' id='1'/>", "<bad-request" },
	};

	(void)state;
	fake.old = true;
	fake_login();
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const char *heard;

		fake_say(table[i].stanza);
		heard = fake_hear();
		if (table[i].said ? !strstr(heard, table[i].said) : *heard)
			fail_msg("%s: said %s", table[i].stanza, heard);
		assert_string_equal(fake_asked(), "");
	}
}

/* What the client sends is counted, whatever it is; the owner answers. */
static void malformed_stanzas_are_numbered_too(void **state)
{
	(void)state;
	fake_login();
	fake_say("<message to='@' id='1'/><iq type='get' id='2'/><iq type='set' id='3'><bind "
	         "xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
	assert_string_equal(fake_hear(), "");
	assert_string_equal(fake_asked(), "submit 100 1 juliet@a.test/balcony> fault=jid-malformed <message id='1'/>;"
	                                  "submit 100 2 juliet@a.test/balcony> fault=bad-request <iq type='get' id='2'/>;"
	                                  "submit 100 3 juliet@a.test/balcony> fault=not-allowed <iq type='set' id='3'>"
	                                  "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>;");
}

static void a_full_window_stops_reading_until_there_is_room(void **state)
{
	(void)state;
	fake_login();
	for (int i = 1; i <= 6; i++)
		say_message(i);
	assert_int_equal(fake_stream()->session->window.assigned, 4);
	assert_true(fake_stream()->holds & C2S_HOLD_WINDOW);
	fake_asked();
	accepted(1);
	assert_string_equal(fake_asked(), "");
	accepted(2);
	assert_string_equal(fake_asked(), "submit 100 5 juliet@a.test/balcony>romeo@a.test <message id='m5'/>;"
	                                  "submit 100 6 juliet@a.test/balcony>romeo@a.test <message id='m6'/>;");
	accepted(6);
	assert_int_equal(fake_stream()->holds, 0);
	assert_int_equal(fake_stream()->session->window.count, 0);
}

static void pressure_stops_reading_and_loses_nothing(void **state)
{
	(void)state;
	fake_login();
	fake.send = IPC_FULL;
	say_message(1);
	fake.send = IPC_SENT;
	c2s_owner_on_pressure(fake.edge, OWNER, true);
	fake_asked();
	say_message(2);
	assert_string_equal(fake_asked(), "");
	c2s_owner_on_pressure(fake.edge, OWNER, false);
	fake_turn();
	assert_string_equal(fake_asked(), "submit 100 2 juliet@a.test/balcony>romeo@a.test <message id='m2'/>;");
}

/* --- owners ------------------------------------------------------------------------------------------------------- */

static void a_new_owner_gets_the_unaccepted_ones_again(void **state)
{
	(void)state;
	fake_login();
	for (int i = 1; i <= 3; i++)
		say_message(i);
	accepted(1);
	fake_asked();
	fake.owner = 0;
	c2s_owner_on_lost(fake.edge, OWNER, "session-manager");
	fake_turn();
	say_message(4);
	assert_string_equal(fake_asked(), ""); /* held, and not read */
	assert_true(fake_stream()->holds & C2S_HOLD_OWNER);
	fake.accepted = 2;
	change_owner(NEW_OWNER);
	assert_string_equal(fake_asked(),
	                    "attach 200 juliet@a.test/balcony;submit 200 3 again juliet@a.test/balcony>romeo@a.test <message id='m3'/>;"
	                    "submit 200 4 juliet@a.test/balcony>romeo@a.test <message id='m4'/>;");
	assert_int_equal(fake_stream()->holds, 0);
}

static void an_owner_that_does_not_know_us_is_attached_to(void **state)
{
	Starling__NotOwnerEvent event = STARLING__NOT_OWNER_EVENT__INIT;
	uint64_t stream;

	(void)state;
	fake_login();
	say_message(1);
	fake_asked();
	stream = fake_stream()->id;
	event.streams = &stream;
	event.n_streams = 1;
	on_edge_not_owner(NULL, &event);
	fake_turn();
	assert_string_equal(fake_asked(),
	                    "attach 100 juliet@a.test/balcony;submit 100 1 again juliet@a.test/balcony>romeo@a.test <message id='m1'/>;");
}

static void a_broken_way_is_repaired(void **state)
{
	(void)state;
	fake_login();
	c2s_owner_on_reset(fake.edge, OWNER);
	fake_turn();
	assert_string_equal(fake_asked(), "attach 100 juliet@a.test/balcony;"); /* a delivery may be lost */
	say_message(1);
	fake_asked();
	fake.accepted = 1;
	c2s_owner_on_reset(fake.edge, OWNER);
	fake_turn();
	assert_string_equal(fake_asked(), "attach 100 juliet@a.test/balcony;");
	assert_int_equal(fake_stream()->session->window.count, 0);
}

static void a_broken_way_to_an_old_owner_is_repaired_when_something_was_on_it(void **state)
{
	(void)state;
	fake.old = true;
	fake_login();
	c2s_owner_on_reset(fake.edge, OWNER);
	fake_turn();
	assert_string_equal(fake_asked(), "");
	say_message(1);
	fake_asked();
	c2s_owner_on_reset(fake.edge, OWNER);
	fake_turn();
	assert_non_null(strstr(fake_asked(), "attach 100 juliet@a.test/balcony;"));
}

static void a_session_unknown_to_the_new_owner_ends(void **state)
{
	(void)state;
	fake_login();
	fake.code = STARLING__CODE__CODE_NOT_FOUND;
	change_owner(NEW_OWNER);
	assert_non_null(strstr(fake_hear(), "<reset"));
	assert_int_equal(fake.edge->sessions.count, 0);
}

static void attaching_is_tried_again(void **state)
{
	const char *asked = "";

	(void)state;
	fake_login();
	fake.code = STARLING__CODE__CODE_WRONG_OWNER;
	change_owner(NEW_OWNER);
	fake_asked();
	fake.code = 0;
	for (int i = 0; i < 200 && !*asked; i++) {
		usleep(10000);
		fake_turn();
		asked = fake_asked();
	}
	assert_string_equal(asked, "attach 200 juliet@a.test/balcony;");
	assert_int_equal(fake_stream()->holds, 0);
}

/* What a client said before it left must arrive, and only then its end. */
static void what_a_client_left_behind_goes_to_the_next_owner(void **state)
{
	(void)state;
	fake_login();
	fake.owner = 0;
	say_message(1);
	say_message(2);
	fake_asked();
	c2s_owner_on_lost(fake.edge, OWNER, "session-manager");
	c2s_end(fake_stream(), "system-shutdown", "");
	close(fake.peer);
	fake.peer = -1;
	fake_turn();
	assert_int_equal(fake.edge->stream_count, 0);
	assert_int_equal(fake.edge->sessions.count, 1);
	assert_string_equal(fake_asked(), "");
	change_owner(NEW_OWNER);
	assert_string_equal(fake_asked(),
	                    "attach 200 juliet@a.test/balcony;submit 200 1 again juliet@a.test/balcony>romeo@a.test <message id='m1'/>;"
	                    "submit 200 2 again juliet@a.test/balcony>romeo@a.test <message id='m2'/>;close juliet@a.test/balcony 3;");
	assert_int_equal(fake.edge->sessions.count, 0);
}

/* Nothing is read from a client that is held, its end neither; that comes to light later, in order. */
static void a_client_that_left_while_held_is_noticed_afterwards(void **state)
{
	(void)state;
	fake_login();
	fake.owner = 0;
	c2s_owner_on_lost(fake.edge, OWNER, "session-manager");
	say_message(1);
	close(fake.peer);
	fake.peer = -1;
	fake_turn();
	assert_string_equal(fake_asked(), "");
	change_owner(NEW_OWNER);
	assert_string_equal(fake_asked(),
	                    "attach 200 juliet@a.test/balcony;submit 200 1 juliet@a.test/balcony>romeo@a.test <message id='m1'/>;"
	                    "close juliet@a.test/balcony 2;");
	assert_int_equal(fake.edge->stream_count, 0);
}

/* --- deliveries --------------------------------------------------------------------------------------------------- */

static void deliveries_are_written_in_order_and_confirmed(void **state)
{
	uint64_t id;

	(void)state;
	fake_login();
	id = fake_stream()->id;
	deliver(id, 7, "<message type='chat'><body>1</body></message>", "<delay xmlns='urn:xmpp:delay'/>");
	deliver(id, 0, "<presence/>", "");
	deliver(id, 9, "<message/>", "");
	assert_string_equal(fake_asked(), ""); /* not before the bytes have left */
	assert_string_equal(
	        fake_hear(),
	        "<message from='romeo@a.test/x' to='juliet@a.test/balcony' type='chat'><body>1</body>"
	        "<delay xmlns='urn:xmpp:delay'/></message>"
	        "<presence from='romeo@a.test/x' to='juliet@a.test/balcony'/><message from='romeo@a.test/x' to='juliet@a.test/balcony'/>");
	assert_string_equal(fake_asked(), "written 7;written 9;");
}

static void deliveries_for_streams_that_are_gone_come_back(void **state)
{
	(void)state;
	fake_login();
	deliver(12345, 5, "<message/>", "");
	assert_string_equal(fake_asked(), "returned juliet@a.test 5;");
	c2s_end(fake_stream(), "reset", "");
	deliver(fake_stream()->id, 6, "<message/>", ""); /* the owner has it in its list */
	assert_string_equal(fake_asked(), "");
	close(fake.peer);
	fake_turn();
	fake.old = true;
	fake_login();
	c2s_end(fake_stream(), "conflict", "");
	deliver(fake_stream()->id, 6, "<message/>", "");
	assert_string_equal(fake_asked(), "returned juliet@a.test 6;");
}

static void a_client_that_does_not_read_is_ended(void **state)
{
	static char big[60100];
	uint64_t id;

	(void)state;
	fake.old = true;
	fake_login();
	id = fake_stream()->id;
	memset(big, 'x', 60000);
	memcpy(big, "<message><body>", 15);
	strcpy(big + 60000, "</body></message>");
	for (uint64_t i = 1; i <= 20; i++) {
		deliver(id, i, big, "");
		fake_turn();
	}
	assert_int_equal(fake_stream()->state, C2S_CLOSING);
	assert_non_null(strstr(fake_asked(), "returned juliet@a.test 20;"));
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void ends_are_told_with_their_reason(void **state)
{
	Starling__EndEvent event = STARLING__END_EVENT__INIT;
	const char *heard;

	(void)state;
	fake_login();
	event.stream = fake_stream()->id;
	event.condition = (char *)"conflict";
	event.text = (char *)"replaced by <another>";
	on_edge_end(NULL, &event);
	heard = fake_hear();
	assert_non_null(strstr(heard, "<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"));
	assert_non_null(strstr(heard, "replaced by &lt;another&gt;"));
	assert_string_equal(fake_asked(), "close juliet@a.test/balcony 4;");
	close(fake.peer);
	fake_turn();
	fake_login();
	fake_say("</stream:stream>");
	assert_string_equal(fake_hear(), "</stream:stream>");
	assert_string_equal(fake_asked(), "close juliet@a.test/balcony 1;");
	close(fake.peer);
	fake_turn();
	fake_login();
	event.stream = fake_stream()->id;
	event.condition = (char *)"<evil/>";
	on_edge_end(NULL, &event);
	assert_non_null(strstr(fake_hear(), "<undefined-condition"));
}

static void draining_ends_all_streams_and_then_the_daemon(void **state)
{
	(void)state;
	fake_login();
	c2s_drain(fake.edge);
	for (int i = 0; i < 100 && fake_stream() && fake_stream()->state != C2S_CLOSING; i++) {
		usleep(10000);
		fake_turn();
	}
	assert_non_null(strstr(fake_hear(), "<system-shutdown"));
	assert_string_equal(fake_asked(), "close juliet@a.test/balcony 3;");
	assert_false(skeleton.drained);
	close(fake.peer);
	fake.peer = -1;
	fake_turn();
	assert_true(skeleton.drained);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stanzas_are_numbered_and_bear_the_true_sender),
		TEST(a_forged_sender_ends_the_stream),
		TEST(malformed_stanzas_are_answered_here_when_the_owner_is_old),
		TEST(malformed_stanzas_are_numbered_too),
		TEST(a_full_window_stops_reading_until_there_is_room),
		TEST(pressure_stops_reading_and_loses_nothing),
		TEST(a_new_owner_gets_the_unaccepted_ones_again),
		TEST(an_owner_that_does_not_know_us_is_attached_to),
		TEST(a_broken_way_is_repaired),
		TEST(a_broken_way_to_an_old_owner_is_repaired_when_something_was_on_it),
		TEST(a_session_unknown_to_the_new_owner_ends),
		TEST(attaching_is_tried_again),
		TEST(what_a_client_left_behind_goes_to_the_next_owner),
		TEST(a_client_that_left_while_held_is_noticed_afterwards),
		TEST(deliveries_are_written_in_order_and_confirmed),
		TEST(deliveries_for_streams_that_are_gone_come_back),
		TEST(a_client_that_does_not_read_is_ended),
		TEST(ends_are_told_with_their_reason),
		TEST(draining_ends_all_streams_and_then_the_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
