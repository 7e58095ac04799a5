/* SPDX-License-Identifier: Apache-2.0
 *
 * Stream management (XEP-0198): enabling, counting in both directions, what is told to the owner. Resumption is in resume_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/c2s-edge/sm_testing.h"

/* --- enabling ----------------------------------------------------------------------------------------------------- */

static void enabled_sessions_can_be_resumed(void **state)
{
	char want[200];

	(void)state;
	fake.config.public_address = (char *)"edge1.a.test:5222";
	fake_login();
	fake_say("<message to='a@b' id='1'/>");
	fake_asked();
	fake_say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
	assert_string_equal(fake_asked(), "enable 100 juliet@a.test/balcony 600 base=1;");
	snprintf(want, sizeof(want), "<enabled xmlns='urn:xmpp:sm:3' id='%016llx' resume='true' max='600' location='edge1.a.test:5222'/>",
	         (unsigned long long)fake_stream()->session->id);
	assert_string_equal(fake_hear(), want);
}

static void attributes_of_enable_are_checked(void **state)
{
	static const struct {
		const char *attributes, *asked, *said;
	} table[] = {
		{ "", "enable 100 juliet@a.test/balcony 0 base=0;", "<enabled xmlns='urn:xmpp:sm:3'/>" },
		{ " resume='0'", "enable 100 juliet@a.test/balcony 0 base=0;", "<enabled xmlns='urn:xmpp:sm:3'/>" },
		{ " resume='1' max='5'", "enable 100 juliet@a.test/balcony 5 base=0;", "resume='true'" },
		{ " resume=' true ' max=' +60 '", "enable 100 juliet@a.test/balcony 60 base=0;", "resume='true'" },
		{ " resume='true' max='99999999999999999999999'", "enable 100 juliet@a.test/balcony 3600 base=0;", "resume='true'" },
		{ " resume='true' max='0'", "", "<failed xmlns='urn:xmpp:sm:3'><bad-request " },
		{ " resume='true' max='-1'", "", "<bad-request " },
		{ " resume='true' max=''", "", "<bad-request " },
		{ " resume='true' max='soon'", "", "<bad-request " },
		{ " resume='yes'", "", "<bad-request " },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const char *heard;
		char text[200];

		fake.resume_s = i < 2 ? 0 : 600;
		fake_login();
		snprintf(text, sizeof(text), "<enable xmlns='urn:xmpp:sm:3'%s/>", table[i].attributes);
		fake_say(text);
		assert_string_equal(fake_asked(), table[i].asked);
		heard = fake_hear();
		if (!strstr(heard, table[i].said))
			fail_msg("%s: said %s", text, heard);
		assert_int_equal(fake_stream()->state, C2S_BOUND);
		assert_int_equal(fake_teardown(state), 0);
		assert_int_equal(fake_setup(state), 0);
	}
}

static void enabling_twice_ends_the_stream(void **state)
{
	const char *heard;

	(void)state;
	sm_login();
	fake_say("<enable xmlns='urn:xmpp:sm:3'/>");
	heard = fake_hear();
	assert_non_null(strstr(heard, "<failed xmlns='urn:xmpp:sm:3'><unexpected-request "));
	assert_non_null(strstr(heard, "<policy-violation"));
}

static void refusals_of_enable_leave_the_stream_as_it_was(void **state)
{
	const char *heard;

	(void)state;
	fake.old = true;
	fake_login();
	fake_say("<enable xmlns='urn:xmpp:sm:3'/><r xmlns='urn:xmpp:sm:3'/>");
	heard = fake_hear();
	assert_non_null(strstr(heard, "<feature-not-implemented "));
	assert_non_null(strstr(heard, "<unexpected-request "));
	fake.old = false;
	fake.config.sm_enabled = false;
	fake_say("<enable xmlns='urn:xmpp:sm:3'/>");
	assert_non_null(strstr(fake_hear(), "<feature-not-implemented "));
	assert_string_equal(fake_asked(), "");
	assert_int_equal(fake_stream()->state, C2S_BOUND);
}

static void an_owner_that_is_away_is_waited_for_and_then_no_more(void **state)
{
	const char *heard = "";

	(void)state;
	fake_login();
	fake.code = STARLING__CODE__CODE_UNAVAILABLE;
	fake_say("<enable xmlns='urn:xmpp:sm:3'/>");
	assert_string_equal(fake_hear(), "");
	fake.code = 0;
	for (int i = 0; i < 100 && !*heard; i++) {
		usleep(10000);
		heard = fake_hear();
	}
	assert_non_null(strstr(heard, "<enabled "));
	assert_int_equal(fake_teardown(state), 0);
	assert_int_equal(fake_setup(state), 0);
	fake_login();
	fake.code = STARLING__CODE__CODE_TIMEOUT;
	fake_say("<enable xmlns='urn:xmpp:sm:3'/>");
	heard = "";
	for (int i = 0; i < 300 && !*heard; i++) {
		usleep(10000);
		heard = fake_hear();
	}
	assert_non_null(strstr(heard, "<failed xmlns='urn:xmpp:sm:3'><resource-constraint "));
	assert_int_equal(fake_stream()->state, C2S_BOUND);
}

/* Both ends count from the same places, whatever comes while the owner is asked. */
static void what_comes_while_enabling_counts(void **state)
{
	(void)state;
	fake_login();
	fake.silent = true;
	deliver(1, "<message id='before'/>");
	fake_say("<message to='a@b'/><enable xmlns='urn:xmpp:sm:3' resume='true'/><message to='a@b'/><r xmlns='urn:xmpp:sm:3'/>");
	deliver(2, "<message id='meanwhile'/>");
	fake_hear();
	accepted(2);
	assert_string_equal(fake_hear(), "");
	fake_answer();
	fake.silent = false;
	assert_non_null(strstr(fake_hear(), "max='600'/><a xmlns='urn:xmpp:sm:3' h='1'/>"));
	deliver(3, "<message id='after'/>");
	fake_hear();
	fake_say("<a xmlns='urn:xmpp:sm:3' h='1'/>");
	assert_int_equal(fake_stream()->session->acked, 3);
}

/* --- what the client sent ----------------------------------------------------------------------------------------- */

static void an_answer_waits_for_the_owner(void **state)
{
	(void)state;
	sm_login();
	fake_say("<r xmlns='urn:xmpp:sm:3'/>");
	assert_string_equal(fake_hear(), "<a xmlns='urn:xmpp:sm:3' h='0'/>");
	fake_say("<message to='a@b'/><message to='a@b'/><r xmlns='urn:xmpp:sm:3'/>");
	assert_string_equal(fake_hear(), "");
	accepted(1);
	assert_string_equal(fake_hear(), "");
	accepted(2);
	assert_string_equal(fake_hear(), "<a xmlns='urn:xmpp:sm:3' h='2'/>");
	accepted(2);
	assert_string_equal(fake_hear(), "");
}

static void an_answer_that_came_too_early_is_followed_by_another(void **state)
{
	const char *heard = "";

	(void)state;
	sm_login();
	fake_say("<message to='a@b'/><message to='a@b'/><r xmlns='urn:xmpp:sm:3'/>");
	accepted(1);
	for (int i = 0; i < 100 && !*heard; i++) {
		usleep(10000);
		heard = fake_hear();
	}
	assert_string_equal(heard, "<a xmlns='urn:xmpp:sm:3' h='1'/>");
	accepted(2);
	assert_string_equal(fake_hear(), "<a xmlns='urn:xmpp:sm:3' h='2'/>");
}

static void each_request_is_answered(void **state)
{
	(void)state;
	sm_login();
	fake_say("<message to='a@b'/><r xmlns='urn:xmpp:sm:3'/><message to='a@b'/><r xmlns='urn:xmpp:sm:3'/>");
	assert_string_equal(fake_hear(), "<a xmlns='urn:xmpp:sm:3' h='0'/>");
	accepted(2);
	assert_string_equal(fake_hear(), "<a xmlns='urn:xmpp:sm:3' h='2'/>");
}

static void our_h_wraps(void **state)
{
	struct c2s_session *ss;

	(void)state;
	sm_login();
	ss = fake_stream()->session;
	c2s_window_start(&ss->window, 0x1fffffffeu, 0, 0);
	fake_say("<message to='a@b'/><message to='a@b'/><message to='a@b'/><r xmlns='urn:xmpp:sm:3'/>");
	accepted(0x200000001u);
	assert_string_equal(fake_hear(), "<a xmlns='urn:xmpp:sm:3' h='1'/>");
}

/* --- what the client got ------------------------------------------------------------------------------------------ */

static void the_client_is_asked_after_ten_or_after_a_while(void **state)
{
	const char *heard = "";

	(void)state;
	sm_login();
	for (uint64_t i = 1; i <= 9; i++)
		deliver(i, "<message/>");
	assert_null(strstr(fake_hear(), "<r "));
	deliver(10, "<message/>");
	assert_non_null(strstr(fake_hear(), "<message from='romeo@a.test/x' to='juliet@a.test/balcony'/><r xmlns='urn:xmpp:sm:3'/>"));
	for (uint64_t i = 11; i <= 30; i++)
		deliver(i, "<message/>");
	assert_null(strstr(fake_hear(), "<r ")); /* one at a time */
	fake_say("<a xmlns='urn:xmpp:sm:3' h='20'/>");
	assert_string_equal(fake_hear(), "<r xmlns='urn:xmpp:sm:3'/>"); /* and there are ten more */
	fake_say("<a xmlns='urn:xmpp:sm:3' h='29'/>");
	assert_string_equal(fake_hear(), "");
	for (int i = 0; i < 300 && !*heard; i++) {
		usleep(10000);
		heard = fake_hear();
	}
	assert_string_equal(heard, "<r xmlns='urn:xmpp:sm:3'/>");
	fake_say("<a xmlns='urn:xmpp:sm:3' h='30'/>");
	assert_true(list_unlinked(&fake_stream()->session->sm->timer.node));
	assert_null(fake_stream()->session->unacked);
}

static void acknowledgements_are_gathered_for_the_owner(void **state)
{
	(void)state;
	sm_login();
	for (uint64_t i = 1; i <= 5; i++)
		deliver(i, "<message/>");
	fake_hear();
	fake_say("<a xmlns='urn:xmpp:sm:3' h='2'/><a xmlns='urn:xmpp:sm:3' h='3'/>");
	fake_say("<a xmlns='urn:xmpp:sm:3' h='4'/>");
	usleep(30000);
	fake_turn();
	assert_string_equal(fake_asked(), "acked 4;");
	usleep(30000);
	fake_turn();
	assert_string_equal(fake_asked(), "");
}

static void without_stream_management_written_is_acknowledged(void **state)
{
	(void)state;
	fake_login();
	deliver(1, "<message/>");
	deliver(2, "<message/>");
	assert_int_equal(fake_stream()->session->acked, 0);
	fake_hear();
	usleep(30000);
	fake_turn();
	assert_string_equal(fake_asked(), "acked 2;");
	assert_null(fake_stream()->session->unacked);
}

static void an_old_owner_is_told_nothing_that_it_does_not_know(void **state)
{
	(void)state;
	fake.old = true;
	fake_login();
	deliver(0, "<message/>");
	fake_hear();
	usleep(30000);
	fake_turn();
	assert_string_equal(fake_asked(), "");
	assert_int_equal(fake_stream()->session->acked, 1);
}

static void too_high_an_h_ends_the_stream(void **state)
{
	const char *heard;

	(void)state;
	sm_login();
	for (uint64_t i = 1; i <= 8; i++)
		deliver(i, "<message/>");
	fake_say("<a xmlns='urn:xmpp:sm:3' h='6'/>");
	fake_say("<a xmlns='urn:xmpp:sm:3' h='5'/>"); /* old news */
	assert_int_equal(fake_stream()->state, C2S_BOUND);
	fake_hear();
	fake_say("<a xmlns='urn:xmpp:sm:3' h='10'/>");
	heard = fake_hear();
	assert_non_null(strstr(heard, "<undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
	                              "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/>"));
	assert_non_null(strstr(heard, "You acknowledged 10 stanzas, but I only sent you 8 so far."));
	assert_non_null(strstr(fake_asked(), "acked 6;close juliet@a.test/balcony 3 resumable;"));
}

static void an_answer_needs_a_number(void **state)
{
	static const char *const bad[] = { "", " h=''", " h='-1'", " h='x'", " h='4294967296'", " h='1.0'" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char text[100];

		sm_login();
		snprintf(text, sizeof(text), "<a xmlns='urn:xmpp:sm:3'%s/>", bad[i]);
		fake_say(text);
		assert_non_null(strstr(fake_hear(), "<bad-format"));
		assert_int_equal(fake_teardown(state), 0);
		assert_int_equal(fake_setup(state), 0);
	}
}

static void the_clients_h_wraps(void **state)
{
	struct c2s_session *ss;

	(void)state;
	sm_login();
	ss = fake_stream()->session;
	ss->sent = ss->acked = 0xfffffffeu;
	deliver(1, "<message/>");
	deliver(2, "<message/>");
	deliver(3, "<message/>");
	fake_hear();
	fake_say("<a xmlns='urn:xmpp:sm:3' h='1'/>");
	assert_int_equal(ss->acked, 0x100000001u);
	assert_int_equal(fake_stream()->state, C2S_BOUND);
	fake_say("<a xmlns='urn:xmpp:sm:3' h='4294967295'/>");
	assert_int_equal(fake_stream()->state, C2S_BOUND);
	fake_say("<a xmlns='urn:xmpp:sm:3' h='2'/>");
	assert_non_null(strstr(fake_hear(), "send-count='1'"));
}

static void a_client_that_does_not_answer_is_gone(void **state)
{
	const char *heard = "";

	(void)state;
	fake.config.ack_ms = 100;
	sm_login();
	for (uint64_t i = 1; i <= 10; i++)
		deliver(i, "<message/>");
	for (int i = 0; i < 200 && !strstr(heard, "<stream:error>"); i++) {
		usleep(10000);
		heard = fake_hear();
	}
	assert_non_null(strstr(heard, "<connection-timeout"));
	assert_non_null(strstr(fake_asked(), "close juliet@a.test/balcony 2 resumable;"));
}

/* While it is not read it cannot be heard. */
static void a_client_that_is_held_is_not_late(void **state)
{
	(void)state;
	fake.config.ack_ms = 100;
	sm_login();
	c2s_stream_hold(fake_stream(), C2S_HOLD_PRESSURE, true);
	for (uint64_t i = 1; i <= 10; i++)
		deliver(i, "<message/>");
	for (int i = 0; i < 80; i++) {
		usleep(10000);
		fake_hear();
	}
	assert_int_equal(fake_stream()->state, C2S_BOUND);
	fake_say("<a xmlns='urn:xmpp:sm:3' h='10'/>");
	c2s_stream_hold(fake_stream(), C2S_HOLD_PRESSURE, false);
	fake_turn();
	assert_int_equal(fake_stream()->session->acked, 10);
}

static void a_client_that_acknowledges_nothing_has_a_limit(void **state)
{
	(void)state;
	fake.config.unacked = 20;
	sm_login();
	for (uint64_t i = 1; i <= 21; i++)
		deliver(i, "<message/>");
	assert_non_null(strstr(fake_hear(), "<policy-violation"));
	assert_string_equal(fake_asked(), "close juliet@a.test/balcony 3;");
}

/* --- answers of our own would not be counted ---------------------------------------------------------------------- */

static void the_old_session_request_goes_to_the_owner_once_it_counts(void **state)
{
	static const char request[] = "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>";

	(void)state;
	fake_login();
	fake_say(request);
	assert_non_null(strstr(fake_hear(), "type='result'"));
	assert_string_equal(fake_asked(), "");
	fake_say("<enable xmlns='urn:xmpp:sm:3'/>");
	fake_hear();
	fake_asked();
	fake_say(request);
	assert_string_equal(fake_hear(), "");
	assert_non_null(strstr(fake_asked(), "submit 100 1 juliet@a.test/balcony> <iq type='set' id='s'>"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(enabled_sessions_can_be_resumed),
		TEST(attributes_of_enable_are_checked),
		TEST(enabling_twice_ends_the_stream),
		TEST(refusals_of_enable_leave_the_stream_as_it_was),
		TEST(an_owner_that_is_away_is_waited_for_and_then_no_more),
		TEST(what_comes_while_enabling_counts),
		TEST(an_answer_waits_for_the_owner),
		TEST(an_answer_that_came_too_early_is_followed_by_another),
		TEST(each_request_is_answered),
		TEST(our_h_wraps),
		TEST(the_client_is_asked_after_ten_or_after_a_while),
		TEST(acknowledgements_are_gathered_for_the_owner),
		TEST(without_stream_management_written_is_acknowledged),
		TEST(an_old_owner_is_told_nothing_that_it_does_not_know),
		TEST(too_high_an_h_ends_the_stream),
		TEST(an_answer_needs_a_number),
		TEST(the_clients_h_wraps),
		TEST(a_client_that_does_not_answer_is_gone),
		TEST(a_client_that_is_held_is_not_late),
		TEST(a_client_that_acknowledges_nothing_has_a_limit),
		TEST(the_old_session_request_goes_to_the_owner_once_it_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
