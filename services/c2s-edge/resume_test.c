/* SPDX-License-Identifier: Apache-2.0
 *
 * Resumption (XEP-0198 section 5): parking, taking over here and from elsewhere, and what is counted while owners change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/c2s-edge/sm_testing.h"

#define NEW_OWNER 0x200u
#define PREVID    "0123456789abcdef"

static const char bind_request[] = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";

/* A second client, logged in; fake.peer is its socket from now on, and fake_stream the first one's stream still. Returns the first's. */
static int another_login(void)
{
	int first = fake.peer;

	fake_connect();
	fake_say(FAKE_HEADER);
	fake_say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAB4</auth>");
	fake_say(FAKE_HEADER);
	fake_hear();
	fake_asked();
	return first;
}

static struct c2s_stream *last_stream(void)
{
	return list_entry(fake.edge->streams.prev, struct c2s_stream, node);
}

static void resume(uint64_t id, uint32_t h)
{
	char text[100];

	snprintf(text, sizeof(text), "<resume xmlns='urn:xmpp:sm:3' previd='%016llx' h='%u'/>", (unsigned long long)id, h);
	fake_say(text);
}

static void moved(uint64_t stream)
{
	Starling__EndEvent event = STARLING__END_EVENT__INIT;

	event.stream = stream;
	event.moved = true;
	on_edge_end(NULL, &event);
	fake_turn();
}

static const char *hear(int peer)
{
	const char *heard;
	int mine = fake.peer;

	fake.peer = peer;
	heard = fake_hear();
	fake.peer = mine;
	return heard;
}

static void leave(void)
{
	close(fake.peer);
	fake.peer = -1;
	fake_turn();
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void a_lost_connection_parks_the_session(void **state)
{
	(void)state;
	sm_login();
	fake_say("<message to='a@b'/>");
	fake_asked();
	leave();
	assert_string_equal(fake_asked(), "close juliet@a.test/balcony 2 resumable;");
	assert_int_equal(fake.edge->sessions.count, 0);
}

static void ends_that_are_for_good(void **state)
{
	static const char *const conditions[] = { "conflict", "policy-violation", "not-authorized" };
	Starling__EndEvent event = STARLING__END_EVENT__INIT;

	(void)state;
	sm_login();
	fake_say("</stream:stream>");
	assert_string_equal(fake_asked(), "close juliet@a.test/balcony 1;");
	leave();
	sm_login();
	event.stream = fake_stream()->id;
	event.condition = (char *)"reset";
	on_edge_end(NULL, &event);
	fake_turn();
	assert_string_equal(fake_asked(), "close juliet@a.test/balcony 4;");
	leave();
	for (size_t i = 0; i < 3; i++) {
		sm_login();
		c2s_end(fake_stream(), conditions[i], "");
		fake_turn();
		assert_string_equal(fake_asked(), "close juliet@a.test/balcony 3;");
		leave();
	}
	sm_login();
	fake_say("<!-- no -->");
	assert_string_equal(fake_asked(), "close juliet@a.test/balcony 3 resumable;");
	leave();
	fake.resume_s = 0;
	sm_login();
	leave();
	assert_string_equal(fake_asked(), "close juliet@a.test/balcony 2;");
}

static void a_session_that_moved_is_forgotten(void **state)
{
	const char *heard;

	(void)state;
	sm_login();
	moved(fake_stream()->id);
	heard = fake_hear();
	assert_non_null(strstr(heard, "<conflict "));
	assert_non_null(strstr(heard, "resumed elsewhere"));
	leave();
	assert_string_equal(fake_asked(), "");
	assert_int_equal(fake.edge->sessions.count, 0);
}

static void one_that_moved_while_it_was_closing_too(void **state)
{
	uint64_t id;

	(void)state;
	sm_login();
	id = fake_stream()->id;
	fake.silent = true;
	leave();
	assert_string_equal(fake_asked(), "close juliet@a.test/balcony 2 resumable;");
	moved(id);
	assert_int_equal(fake.edge->sessions.count, 0);
	fake.code = STARLING__CODE__CODE_WRONG_OWNER;
	fake_answer();
	assert_string_equal(fake_asked(), "");
}

/* --- resuming ----------------------------------------------------------------------------------------------------- */

static void a_session_from_elsewhere_is_taken_over(void **state)
{
	struct c2s_session *ss;

	(void)state;
	another_login();
	fake.accepted = 7;
	fake.base_in = 5;
	fake.sent = 30;
	fake.base_out = 20;
	resume(0x0123456789abcdef, 10);
	assert_string_equal(fake_asked(), "resume juliet@a.test 10;");
	ss = fake_stream()->session;
	assert_int_equal(ss->id, 0x0123456789abcdef);
	deliver_to(0x0123456789abcdef, 900, STARLING__DELIVER_FORM__FORM_CARBON_SENT, "<message/>");
	assert_string_equal(fake_hear(), "<resumed xmlns='urn:xmpp:sm:3' previd='" PREVID "' h='2'/>"
	                                 "<message from='romeo@a.test/x' to='juliet@a.test/balcony'/>");
	/* The first ones may be among what the old connection sent. */
	fake_say("<message to='a@b'/>");
	assert_string_equal(fake_asked(), "submit 100 8 again juliet@a.test/balcony>a@b <message/>;");
	fake.accepted = 8;
	c2s_owner_on_reset(fake.edge, OWNER);
	fake_turn();
	assert_string_equal(fake_asked(),
	                    "attach 100 juliet@a.test/balcony accepted=7 sent=31 acked=30 handed=900 forms=1 record=old 900;");
	fake_say("<r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='11'/>");
	assert_string_equal(fake_hear(), "<a xmlns='urn:xmpp:sm:3' h='3'/>");
	assert_int_equal(ss->acked, 31);
	leave();
	assert_string_equal(fake_asked(), "acked 31;close juliet@a.test/balcony 2 resumable;");
}

/* How far back a new owner has to look for what another edge may have sent already; what nobody can have sent is as old as we know it. */
static void what_another_edge_sent_is_no_older_than_it_says(void **state)
{
	uint64_t now_ms;
	struct c2s_window *w;

	(void)state;
	another_login();
	now_ms = net_now(fake.edge->net);
	fake.accepted = 7;
	fake.resent_ms = 1;
	resume(0x0123456789abcdef, 10);
	w = &fake_stream()->session->window;
	assert_in_range(w->tried_since_ms, now_ms - 1, net_now(fake.edge->net) - 1);
	w->tried = w->accepted + 1;
	fake.silent = true;
	fake_say("<message to='a@b'/><message to='a@b'/>");
	assert_int_equal(list_entry(w->pending.next, struct c2s_pending, node)->since_ms, w->tried_since_ms);
	assert_in_range(list_entry(w->pending.prev, struct c2s_pending, node)->since_ms, now_ms, net_now(fake.edge->net));
	fake_asked();
	leave();
	fake_asked();
}

static void nobody_knows_how_old_it_is(void **state)
{
	(void)state;
	another_login();
	resume(0x0123456789abcdef, 10);
	assert_int_equal(fake_stream()->session->window.tried_since_ms, 0);
	fake_asked();
	leave();
	fake_asked();
}

static void the_old_connection_at_this_edge_lets_go(void **state)
{
	uint64_t id;
	int first;

	(void)state;
	sm_login();
	id = fake_stream()->id;
	first = another_login();
	resume(id, 0);
	assert_non_null(strstr(hear(first), "<conflict "));
	assert_non_null(strstr(fake_hear(), "<resumed "));
	assert_string_equal(fake_asked(), "resume juliet@a.test 0;");
	assert_int_equal(fake.edge->sessions.count, 1);
	assert_ptr_equal(last_stream()->session, c2s_session_find(fake.edge, id));
	moved(id); /* about the old one, behind the answer */
	assert_string_equal(fake_hear(), "");
	close(first);
	fake_turn();
	assert_string_equal(fake_asked(), ""); /* no Close for it */
	fake_say("<message to='a@b'/>");
	assert_non_null(strstr(fake_asked(), "submit 100 1 "));
	assert_int_equal(fake_stream()->state, C2S_BOUND);
	moved(id); /* and this one is about us */
	assert_non_null(strstr(fake_hear(), "<conflict "));
	leave();
	assert_string_equal(fake_asked(), "");
	assert_int_equal(fake.edge->sessions.count, 0);
}

static void it_lets_go_too_when_it_is_told_first(void **state)
{
	uint64_t id;
	int first;

	(void)state;
	sm_login();
	id = fake_stream()->id;
	first = another_login();
	fake.silent = true;
	resume(id, 0);
	moved(id);
	assert_non_null(strstr(hear(first), "<conflict "));
	fake.silent = false;
	fake_turn();
	assert_non_null(strstr(fake_hear(), "<resumed "));
	close(first);
	fake_turn();
	moved(id); /* nothing else is expected: this is about us */
	assert_non_null(strstr(fake_hear(), "<conflict "));
}

/* What the old connection would say now, the owner would take as said for the new one. */
static void nothing_is_said_for_the_old_connection_while_it_is_resumed(void **state)
{
	uint64_t id;
	int first;

	(void)state;
	sm_login();
	id = fake_stream()->id;
	first = another_login();
	fake.silent = true;
	resume(id, 0);
	fake_asked();
	if (send(first, "<message to='a@b'/>", 19, MSG_NOSIGNAL) != 19)
		fail();
	fake_turn();
	c2s_owner_on_reset(fake.edge, OWNER);
	close(first);
	fake_turn();
	assert_string_equal(fake_asked(), "");
	fake.code = STARLING__CODE__CODE_NOT_FOUND;
	fake_answer_resume();
	fake.code = 0;
	fake.silent = false;
	fake_turn();
	assert_non_null(strstr(fake_hear(), "<failed xmlns='urn:xmpp:sm:3'><item-not-found "));
	assert_non_null(strstr(fake_asked(), "attach 100 juliet@a.test/balcony;submit 100 1 juliet@a.test/balcony>a@b <message/>;"
	                                     "close juliet@a.test/balcony 2 resumable;"));
	fake_say(bind_request);
	assert_string_equal(fake_asked(), "open juliet@a.test '' again;");
	assert_int_equal(last_stream()->state, C2S_BOUND);
}

static void failures_let_the_client_bind(void **state)
{
	static const struct {
		int code;
		const char *said;
	} table[] = {
		{ STARLING__CODE__CODE_NOT_FOUND, "<item-not-found " },
		{ STARLING__CODE__CODE_INVALID, "<item-not-found " },
		{ STARLING__CODE__CODE_UNSUPPORTED, "<feature-not-implemented " },
		{ STARLING__CODE__CODE_INTERNAL, "<internal-server-error " },
	};

	(void)state;
	another_login();
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		fake.code = table[i].code;
		resume(5, 0);
		assert_non_null(strstr(fake_hear(), table[i].said));
		assert_int_equal(fake_stream()->state, C2S_BIND);
	}
	fake.code = 0;
	fake_asked();
	fake_say(bind_request);
	assert_string_equal(fake_asked(), "open juliet@a.test '' again;");
}

static void attributes_of_resume_are_checked(void **state)
{
	static const struct {
		const char *attributes, *said;
	} table[] = {
		{ "", "<bad-request " },
		{ "h='0'", "<bad-request " },
		{ "previd='' h='0'", "<bad-request " },
		{ "previd='" PREVID "'", "<bad-request " },
		{ "previd='" PREVID "' h='-1'", "<bad-request " },
		{ "previd='" PREVID "' h='4294967296'", "<bad-request " },
		{ "previd='0123456789abcdeg' h='0'", "<item-not-found " },
		{ "previd='0123456789ABCDEF' h='0'", "<item-not-found " },
		{ "previd='0000000000000000' h='0'", "<item-not-found " },
		{ "previd='another-server-made-this' h='0'", "<item-not-found " },
	};

	(void)state;
	another_login();
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const char *heard;
		char text[200];

		snprintf(text, sizeof(text), "<resume xmlns='urn:xmpp:sm:3' %s/>", table[i].attributes);
		fake_say(text);
		heard = fake_hear();
		if (!strstr(heard, table[i].said))
			fail_msg("%s: said %s", text, heard);
		assert_string_equal(fake_asked(), "");
		assert_int_equal(fake_stream()->state, C2S_BIND);
	}
	fake.config.sm_enabled = false;
	resume(5, 0);
	assert_non_null(strstr(fake_hear(), "<feature-not-implemented "));
}

/* Known here at once: its owner need not be asked, and nothing of it is held up. */
static void the_session_of_another_account_is_not_found(void **state)
{
	uint64_t id;

	(void)state;
	sm_login();
	id = fake_stream()->id;
	mem_free(fake_stream()->session->jid);
	fake_stream()->session->jid = mem_strdup("romeo@a.test/x");
	close(another_login());
	resume(id, 0);
	assert_non_null(strstr(fake_hear(), "<item-not-found "));
	assert_null(strstr(fake_asked(), "resume"));
}

static void an_owner_that_is_away_is_waited_for(void **state)
{
	const char *heard = "";

	(void)state;
	another_login();
	fake.code = STARLING__CODE__CODE_UNAVAILABLE;
	resume(5, 0);
	assert_string_equal(fake_hear(), "");
	fake.code = 0;
	for (int i = 0; i < 100 && !*heard; i++) {
		usleep(10000);
		heard = fake_hear();
	}
	assert_non_null(strstr(heard, "<resumed "));
}

/* It may have been done, though no answer came: then nobody holds the session here, and the owner should know. */
static void one_that_may_have_been_resumed_is_parked_again(void **state)
{
	const char *heard = "";

	(void)state;
	another_login();
	fake.code = STARLING__CODE__CODE_PEER_LOST;
	resume(5, 0);
	for (int i = 0; i < 200 && !*heard; i++) {
		usleep(10000);
		heard = fake_hear();
	}
	assert_non_null(strstr(heard, "<resource-constraint "));
	assert_non_null(strstr(fake_asked(), "close juliet@a.test 2 resumable;"));
	fake.code = 0;
	fake_turn();
	fake.code = STARLING__CODE__CODE_PEER_LOST;
	resume(5, 0);
	fake_asked();
	c2s_end(fake_stream(), "system-shutdown", "");
	assert_string_equal(fake_asked(), "close juliet@a.test 2 resumable;");
}

static void a_client_that_left_while_resuming_is_parked_again(void **state)
{
	(void)state;
	another_login();
	fake.silent = true;
	resume(5, 0);
	c2s_end(fake_stream(), "system-shutdown", "");
	leave();
	fake_asked();
	fake.silent = false;
	fake_turn();
	assert_string_equal(fake_asked(), "close juliet@a.test/balcony 2 resumable;");
	assert_int_equal(fake.edge->sessions.count, 0);
}

/* --- deliveries and owners ---------------------------------------------------------------------------------------- */

static void deliveries_between_attach_and_its_answer_come_again(void **state)
{
	(void)state;
	sm_login();
	deliver(11, "<message id='1'/>");
	fake.silent = true;
	c2s_owner_on_reset(fake.edge, OWNER);
	deliver(12, "<message id='2'/>"); /* before the owner heard of it */
	assert_string_equal(fake_asked(), "attach 100 juliet@a.test/balcony accepted=0 sent=1 acked=0 handed=11 forms=0 record= 11;");
	fake_answer();
	fake.silent = false;
	deliver(12, "<message id='2'/>");
	assert_string_equal(fake_hear(), "<message from='romeo@a.test/x' to='juliet@a.test/balcony' id='1'/>"
	                                 "<message from='romeo@a.test/x' to='juliet@a.test/balcony' id='2'/>");
	assert_int_equal(fake_stream()->session->sent, 2);
}

static void deliveries_of_another_instance_are_dropped(void **state)
{
	(void)state;
	sm_login();
	fake.source = NEW_OWNER;
	deliver(11, "<message/>");
	assert_string_equal(fake_hear(), "");
	assert_string_equal(fake_asked(), "");
	assert_int_equal(fake_stream()->session->sent, 0);
	fake.old = true; /* one that counts nothing has nobody who sends it again */
	deliver(11, "<message/>");
	assert_non_null(strstr(fake_hear(), "<message "));
}

static void the_newest_record_is_handed_back(void **state)
{
	Starling__RememberEvent event = STARLING__REMEMBER_EVENT__INIT;
	static uint8_t big[C2S_RECORD_MAX + 1];

	(void)state;
	sm_login();
	event.stream = fake_stream()->id;
	event.record = (ProtobufCBinaryData){ 1, (uint8_t *)(uintptr_t) "a" };
	on_edge_remember(NULL, &event);
	event.record = (ProtobufCBinaryData){ 2, (uint8_t *)(uintptr_t) "bc" };
	on_edge_remember(NULL, &event);
	event.record = (ProtobufCBinaryData){ sizeof(big), big };
	on_edge_remember(NULL, &event);
	fake.source = NEW_OWNER;
	event.record = (ProtobufCBinaryData){ 1, (uint8_t *)(uintptr_t) "z" };
	on_edge_remember(NULL, &event);
	fake.source = 0;
	c2s_owner_on_reset(fake.edge, OWNER);
	fake_turn();
	assert_non_null(strstr(fake_asked(), "record=bc;"));
}

static void an_owner_that_does_not_count_cannot_go_on_with_it(void **state)
{
	(void)state;
	sm_login();
	fake.old = true;
	fake.owner = NEW_OWNER;
	fake.epoch++;
	c2s_owner_on_directory(fake.edge);
	fake_turn();
	assert_non_null(strstr(fake_hear(), "<reset "));
	assert_non_null(strstr(fake_asked(), "close juliet@a.test/balcony 3;"));
}

/* --- drain -------------------------------------------------------------------------------------------------------- */

static void draining_sends_the_resumable_elsewhere(void **state)
{
	const char *heard;
	int first;

	(void)state;
	fake.others[0] = (char *)"self.a.test:5222";
	fake.others[1] = (char *)"";
	fake.others[2] = (char *)"[2001:db8::1]:5222";
	fake_login();
	first = fake.peer;
	sm_login();
	c2s_drain(fake.edge);
	for (int i = 0; i < 100 && last_stream()->state != C2S_CLOSING; i++) {
		usleep(10000);
		fake_turn();
	}
	heard = fake_hear();
	assert_non_null(strstr(heard, "<see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:db8::1]:5222</see-other-host>"));
	assert_non_null(strstr(hear(first), "<system-shutdown"));
	assert_string_equal(fake_asked(), "close juliet@a.test/balcony 3;close juliet@a.test/balcony 3 resumable;");
	close(first);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lost_connection_parks_the_session),
		TEST(ends_that_are_for_good),
		TEST(a_session_that_moved_is_forgotten),
		TEST(one_that_moved_while_it_was_closing_too),
		TEST(a_session_from_elsewhere_is_taken_over),
		TEST(what_another_edge_sent_is_no_older_than_it_says),
		TEST(nobody_knows_how_old_it_is),
		TEST(the_old_connection_at_this_edge_lets_go),
		TEST(it_lets_go_too_when_it_is_told_first),
		TEST(nothing_is_said_for_the_old_connection_while_it_is_resumed),
		TEST(failures_let_the_client_bind),
		TEST(attributes_of_resume_are_checked),
		TEST(the_session_of_another_account_is_not_found),
		TEST(an_owner_that_is_away_is_waited_for),
		TEST(one_that_may_have_been_resumed_is_parked_again),
		TEST(a_client_that_left_while_resuming_is_parked_again),
		TEST(deliveries_between_attach_and_its_answer_come_again),
		TEST(deliveries_of_another_instance_are_dropped),
		TEST(the_newest_record_is_handed_back),
		TEST(an_owner_that_does_not_count_cannot_go_on_with_it),
		TEST(draining_sends_the_resumable_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
