/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of states, cell by cell, and the steps of a login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/c2s-edge/fake_flock.h"

/* --- every cell --------------------------------------------------------------------------------------------------- */

static const char *const elements[C2S_EVENTS] = {
	[C2S_EV_STARTTLS] = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
	[C2S_EV_AUTH] = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAB4</auth>",
	[C2S_EV_RESPONSE] = "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
	[C2S_EV_ABORT] = "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
	[C2S_EV_COMPRESS] = "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
	[C2S_EV_BIND] = "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
	[C2S_EV_SESSION] = "<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
	[C2S_EV_REGISTER] = "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>",
	[C2S_EV_STANZA] = "<message to='romeo@a.test'><body>hi</body></message>",
	[C2S_EV_ENABLE] = "<enable xmlns='urn:xmpp:sm:3'/>",
	[C2S_EV_RESUME] = "<resume xmlns='urn:xmpp:sm:3' previd='0123456789abcdef' h='0'/>",
	[C2S_EV_REQUEST] = "<r xmlns='urn:xmpp:sm:3'/>",
	[C2S_EV_ANSWER] = "<a xmlns='urn:xmpp:sm:3' h='0'/>",
	[C2S_EV_UNKNOWN] = "<enabled xmlns='urn:xmpp:sm:3'/>",
	[C2S_EV_CLOSED] = "</stream:stream>",
	[C2S_EV_BAD_XML] = "<!-- comment -->",
};

struct cell {
	enum c2s_state after;
	const char *said; /* part of what the client hears */
};

/* The states in which elements are read; in the waiting ones nothing is (tested below). */
static const struct row {
	enum c2s_state state;
	struct cell cells[C2S_EVENTS];
} rows[] = {
	{ C2S_HEADER,
	  { [C2S_EV_STARTTLS] = { C2S_TLS, "<proceed" },
	    [C2S_EV_AUTH] = { C2S_SASL_WAIT, "" },
	    [C2S_EV_RESPONSE] = { C2S_HEADER, "<malformed-request/>" },
	    [C2S_EV_ABORT] = { C2S_HEADER, "<aborted/>" },
	    [C2S_EV_COMPRESS] = { C2S_HEADER, "<setup-failed/>" },
	    [C2S_EV_BIND] = { C2S_CLOSING, "<not-authorized" },
	    [C2S_EV_SESSION] = { C2S_CLOSING, "<not-authorized" },
	    [C2S_EV_REGISTER] = { C2S_HEADER, "<service-unavailable" },
	    [C2S_EV_STANZA] = { C2S_CLOSING, "<not-authorized" },
	    [C2S_EV_ENABLE] = { C2S_HEADER, "<unexpected-request" },
	    [C2S_EV_RESUME] = { C2S_HEADER, "<unexpected-request" },
	    [C2S_EV_REQUEST] = { C2S_HEADER, "<unexpected-request" },
	    [C2S_EV_ANSWER] = { C2S_HEADER, "<unexpected-request" },
	    [C2S_EV_UNKNOWN] = { C2S_CLOSING, "<unsupported-stanza-type" },
	    [C2S_EV_CLOSED] = { C2S_CLOSING, "</stream:stream>" },
	    [C2S_EV_BAD_XML] = { C2S_CLOSING, "<restricted-xml" } } },
	{ C2S_SASL,
	  { [C2S_EV_STARTTLS] = { C2S_CLOSING, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" },
	    [C2S_EV_AUTH] = { C2S_HEADER, "<malformed-request/>" },
	    [C2S_EV_RESPONSE] = { C2S_SASL_WAIT, "" },
	    [C2S_EV_ABORT] = { C2S_HEADER, "<aborted/>" },
	    [C2S_EV_COMPRESS] = { C2S_SASL, "<setup-failed/>" },
	    [C2S_EV_BIND] = { C2S_CLOSING, "<not-authorized" },
	    [C2S_EV_SESSION] = { C2S_CLOSING, "<not-authorized" },
	    [C2S_EV_REGISTER] = { C2S_CLOSING, "<not-authorized" },
	    [C2S_EV_STANZA] = { C2S_CLOSING, "<not-authorized" },
	    [C2S_EV_ENABLE] = { C2S_SASL, "<unexpected-request" },
	    [C2S_EV_RESUME] = { C2S_SASL, "<unexpected-request" },
	    [C2S_EV_REQUEST] = { C2S_SASL, "<unexpected-request" },
	    [C2S_EV_ANSWER] = { C2S_SASL, "<unexpected-request" },
	    [C2S_EV_UNKNOWN] = { C2S_CLOSING, "<unsupported-stanza-type" },
	    [C2S_EV_CLOSED] = { C2S_CLOSING, "</stream:stream>" },
	    [C2S_EV_BAD_XML] = { C2S_CLOSING, "<restricted-xml" } } },
	{ C2S_BIND,
	  { [C2S_EV_STARTTLS] = { C2S_CLOSING, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" },
	    [C2S_EV_AUTH] = { C2S_CLOSING, "<unsupported-stanza-type" },
	    [C2S_EV_RESPONSE] = { C2S_CLOSING, "<unsupported-stanza-type" },
	    [C2S_EV_ABORT] = { C2S_CLOSING, "<unsupported-stanza-type" },
	    [C2S_EV_COMPRESS] = { C2S_BIND, "<setup-failed/>" }, /* not enabled here */
	    [C2S_EV_BIND] = { C2S_BINDING, "" },
	    [C2S_EV_SESSION] = { C2S_CLOSING, "<not-authorized" },
	    [C2S_EV_REGISTER] = { C2S_CLOSING, "<not-authorized" },
	    [C2S_EV_STANZA] = { C2S_CLOSING, "<not-authorized" },
	    [C2S_EV_ENABLE] = { C2S_BIND, "<unexpected-request" },
	    [C2S_EV_RESUME] = { C2S_RESUMING, "" },
	    [C2S_EV_REQUEST] = { C2S_BIND, "<unexpected-request" },
	    [C2S_EV_ANSWER] = { C2S_BIND, "<unexpected-request" },
	    [C2S_EV_UNKNOWN] = { C2S_CLOSING, "<unsupported-stanza-type" },
	    [C2S_EV_CLOSED] = { C2S_CLOSING, "</stream:stream>" },
	    [C2S_EV_BAD_XML] = { C2S_CLOSING, "<restricted-xml" } } },
	{ C2S_BOUND,
	  { [C2S_EV_STARTTLS] = { C2S_CLOSING, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" },
	    [C2S_EV_AUTH] = { C2S_CLOSING, "<unsupported-stanza-type" },
	    [C2S_EV_RESPONSE] = { C2S_CLOSING, "<unsupported-stanza-type" },
	    [C2S_EV_ABORT] = { C2S_CLOSING, "<unsupported-stanza-type" },
	    [C2S_EV_COMPRESS] = { C2S_BOUND, "<setup-failed/>" },
	    [C2S_EV_BIND] = { C2S_BOUND, "" }, /* the owner answers */
	    [C2S_EV_SESSION] = { C2S_BOUND, "type='result'" },
	    [C2S_EV_REGISTER] = { C2S_BOUND, "" },
	    [C2S_EV_STANZA] = { C2S_BOUND, "" },
	    [C2S_EV_ENABLE] = { C2S_BOUND, "" },
	    [C2S_EV_RESUME] = { C2S_BOUND, "<unexpected-request" },
	    [C2S_EV_REQUEST] = { C2S_BOUND, "<unexpected-request" },
	    [C2S_EV_ANSWER] = { C2S_BOUND, "<unexpected-request" },
	    [C2S_EV_UNKNOWN] = { C2S_CLOSING, "<unsupported-stanza-type" },
	    [C2S_EV_CLOSED] = { C2S_CLOSING, "</stream:stream>" },
	    [C2S_EV_BAD_XML] = { C2S_CLOSING, "<restricted-xml" } } },
};

/* To the state, as a client gets there. */
static void reach(enum c2s_state state)
{
	struct c2s_stream *s;

	if (state == C2S_BOUND) {
		fake_login();
		return;
	}
	fake_connect();
	fake_say(FAKE_HEADER);
	s = fake_stream();
	if (state == C2S_BIND) {
		fake_say(elements[C2S_EV_AUTH]);
		fake_say(FAKE_HEADER);
	} else if (state == C2S_SASL) {
		s->login->mechanism = mem_strdup("PLAIN");
		c2s_stream_set_state(s, C2S_SASL);
	}
	fake_hear();
	assert_int_equal(s->state, state);
}

static void each_state_answers_each_element(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (int ev = 0; ev < C2S_EVENTS; ev++) {
			const struct cell *want = &rows[i].cells[ev];
			struct c2s_stream *s;
			const char *heard;

			if (!elements[ev])
				continue;
			assert_int_equal(fake_setup(state), 0);
			reach(rows[i].state);
			fake.silent = true;
			s = c2s_stream_ref(fake_stream());
			fake_say(elements[ev]);
			heard = fake_hear();
			if (s->state != want->after || !strstr(heard, want->said))
				fail_msg("%s, %s: now %s, said %s", c2s_state_name(rows[i].state), elements[ev], c2s_state_name(s->state),
				         heard);
			c2s_stream_unref(s);
			assert_int_equal(fake_teardown(state), 0);
		}
	}
	assert_int_equal(fake_setup(state), 0);
}

static void no_cell_is_empty(void **state)
{
	(void)state;
	for (int s = 0; s < C2S_STATES; s++) {
		for (int ev = 0; ev < C2S_EVENTS; ev++)
			assert_non_null(c2s_stream_table[s][ev]);
	}
}

/* While a step is under way, what the client sends waits, and is not lost. */
static void nothing_is_read_while_a_step_waits(void **state)
{
	(void)state;
	fake_connect();
	fake_say(FAKE_HEADER);
	fake_hear();
	fake.silent = true;
	fake_say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAB4</auth>" FAKE_HEADER
	         "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
	assert_int_equal(fake_stream()->state, C2S_SASL_WAIT);
	assert_string_equal(fake_hear(), "");
	fake.silent = false;
	fake_turn();
	assert_int_equal(fake_stream()->state, C2S_BOUND);
	assert_non_null(strstr(fake_hear(), "<jid>juliet@a.test/made</jid>"));
}

static void a_timeout_ends_every_login(void **state)
{
	struct c2s_input in = { 0 };

	(void)state;
	fake_connect();
	fake_say(FAKE_HEADER);
	fake_hear();
	c2s_stream_event(fake_stream(), C2S_EV_TIMEOUT, &in);
	assert_non_null(strstr(fake_hear(), "<policy-violation"));
	close(fake.peer);
	fake_turn();
	fake_login();
	c2s_stream_event(fake_stream(), C2S_EV_TIMEOUT, &in);
	assert_int_equal(fake_stream()->state, C2S_BOUND);
}

/* --- stream headers ----------------------------------------------------------------------------------------------- */

static void headers_are_checked(void **state)
{
	static const struct {
		const char *header, *said;
	} table[] = {
		{ FAKE_HEADER, "<stream:features>" },
		{ "<?xml version='1.0'?>" FAKE_HEADER, "<stream:features>" },
		{ "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>", "from='a.test'" },
		{ "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='B.TEST' version='1.0'>",
		  "from='b.test'" },
		{ "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='c.test' version='1.0'>",
		  "<host-unknown" },
		{ "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a.test'>",
		  "<unsupported-version" },
		{ "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a.test' version='0.9'>",
		  "<unsupported-version" },
		{ "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a.test' version='1'>",
		  "<unsupported-version" },
		{ "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a.test' version='1.11'>",
		  "<stream:features>" },
		{ "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' to='a.test' version='1.0'>",
		  "<invalid-namespace" },
		{ "<stream:stream xmlns='jabber:client' xmlns:stream='urn:other' to='a.test' version='1.0'>", "<invalid-namespace" },
		{ "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a.test' version='1.0' "
		  "from='Juliet@a.test/x'>",
		  " to='juliet@a.test'" },
		{ "nonsense", "<stream:error>" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const char *heard;

		fake_connect();
		fake_say(table[i].header);
		heard = fake_hear();
		if (!strstr(heard, table[i].said) || strncmp(heard, "<?xml version='1.0'?><stream:stream ", 36) != 0)
			fail_msg("%s: said %s", table[i].header, heard);
		assert_int_equal(fake_teardown(state), 0);
		assert_int_equal(fake_setup(state), 0);
	}
}

/* --- login -------------------------------------------------------------------------------------------------------- */

static void initial_responses_are_told_apart(void **state)
{
	static const struct {
		const char *text, *asked, *said;
	} table[] = {
		{ "", "sasl PLAIN 0 '';", "" },         { "=", "sasl PLAIN 1 '';", "" },          { "aGk=", "sasl PLAIN 1 'hi';", "" },
		{ "aGk", "", "<incorrect-encoding/>" }, { "aG k=", "", "<incorrect-encoding/>" }, { "==", "", "<incorrect-encoding/>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char auth[200];

		fake_connect();
		fake_say(FAKE_HEADER);
		fake_hear();
		fake.silent = true;
		snprintf(auth, sizeof(auth), "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>", table[i].text);
		fake_say(auth);
		assert_string_equal(fake_asked(), table[i].asked);
		assert_non_null(strstr(fake_hear(), table[i].said));
		fake.silent = false;
		fake_turn();
		close(fake.peer);
		fake_turn();
	}
	fake.peer = -1;
}

static void failed_logins_are_limited(void **state)
{
	(void)state;
	fake.sasl_condition = "not-authorized";
	fake_connect();
	fake_say(FAKE_HEADER);
	fake_hear();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fake_stream()->state, C2S_HEADER);
		fake_say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAB4</auth>");
	}
	assert_non_null(strstr(fake_hear(), "<policy-violation"));
}

static void a_mechanism_not_offered_is_refused(void **state)
{
	(void)state;
	fake_connect();
	fake_say(FAKE_HEADER);
	fake_say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'/>");
	assert_non_null(strstr(fake_hear(), "<invalid-mechanism/>"));
	fake_say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
	assert_non_null(strstr(fake_hear(), "<invalid-mechanism/>"));
	assert_string_equal(fake_asked(), "");
}

static void without_tls_there_is_no_login_where_it_is_required(void **state)
{
	const char *heard;

	(void)state;
	fake.config.require_tls = true;
	fake_connect();
	fake_say(FAKE_HEADER);
	heard = fake_hear();
	assert_non_null(strstr(heard, "<required/>"));
	assert_null(strstr(heard, "<mechanisms"));
	fake_say(elements[C2S_EV_AUTH]);
	assert_non_null(strstr(fake_hear(), "<encryption-required/>"));
	fake_say("<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>x</username><password>y</password></query></iq>");
	assert_non_null(strstr(fake_hear(), "<not-allowed"));
	assert_string_equal(fake_asked(), "");
}

static void auth_away_is_a_temporary_failure(void **state)
{
	(void)state;
	fake_connect();
	fake_say(FAKE_HEADER);
	fake_hear();
	fake.code = STARLING__CODE__CODE_UNAVAILABLE;
	fake_say(elements[C2S_EV_AUTH]);
	assert_non_null(strstr(fake_hear(), "<temporary-auth-failure/>"));
	fake.code = 0;
	fake_say(elements[C2S_EV_AUTH]);
	assert_non_null(strstr(fake_hear(), "<success"));
}

/* RFC 6120 section 6.4.6: the client begins the new stream. Until it has, there is none that could have an error. */
static void nothing_is_said_between_success_and_the_new_stream(void **state)
{
	(void)state;
	fake_connect();
	fake_say(FAKE_HEADER);
	fake_hear();
	fake_say(elements[C2S_EV_AUTH]);
	assert_non_null(strstr(fake_hear(), "<success"));
	c2s_end(fake_stream(), "system-shutdown", "");
	assert_string_equal(fake_hear(), "");
}

static void the_new_stream_may_have_an_error(void **state)
{
	(void)state;
	fake_connect();
	fake_say(FAKE_HEADER);
	fake_say(elements[C2S_EV_AUTH]);
	fake_hear();
	fake_say("<?xml version='1.0'?><wrong/>");
	assert_non_null(strstr(fake_hear(), "<stream:error>"));
}

/* --- bind --------------------------------------------------------------------------------------------------------- */

static void failures_to_bind_are_mapped(void **state)
{
	static const struct {
		int code;
		const char *said;
	} table[] = {
		{ STARLING__CODE__CODE_EXISTS, "<error type='modify'><conflict" },
		{ STARLING__CODE__CODE_LIMIT, "<error type='wait'><resource-constraint" },
		{ STARLING__CODE__CODE_NOT_FOUND, "<not-allowed" },
		{ STARLING__CODE__CODE_INVALID, "<bad-request" },
	};

	(void)state;
	reach(C2S_BIND);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const char *heard;

		fake.code = table[i].code;
		fake_say(elements[C2S_EV_BIND]);
		heard = fake_hear();
		/* RFC 6120 section 8.3.3.2 lets conflict be "cancel" or "modify". */
		if (!strstr(heard, strstr(table[i].said, "<conflict") ? "<conflict" : table[i].said))
			fail_msg("%d: said %s", table[i].code, heard);
		assert_int_equal(fake_stream()->state, C2S_BIND);
	}
	fake.code = 0;
	fake_say("<iq type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
	assert_non_null(strstr(fake_hear(), "<bad-request"));
	fake_say(elements[C2S_EV_BIND]);
	assert_int_equal(fake_stream()->state, C2S_BOUND);
}

static void bind_waits_for_an_owner_and_gives_up_politely(void **state)
{
	const char *heard = "";

	(void)state;
	reach(C2S_BIND);
	fake.code = STARLING__CODE__CODE_UNAVAILABLE;
	fake_say(elements[C2S_EV_BIND]);
	assert_int_equal(fake_stream()->state, C2S_BINDING);
	for (int i = 0; i < 300 && !*heard; i++) {
		usleep(10000);
		heard = fake_hear();
	}
	assert_non_null(strstr(heard, "type='wait'"));
	assert_int_equal(fake_stream()->state, C2S_BIND);
	fake.code = 0;
	fake_say(elements[C2S_EV_BIND]);
	assert_int_equal(fake_stream()->state, C2S_BOUND);
}

static void a_session_opened_for_a_client_that_left_is_closed(void **state)
{
	(void)state;
	reach(C2S_BIND);
	fake.silent = true;
	fake_say(elements[C2S_EV_BIND]);
	c2s_end(fake_stream(), "system-shutdown", "");
	close(fake.peer);
	fake_turn();
	assert_int_equal(fake.edge->stream_count, 0);
	fake_asked();
	fake.silent = false;
	fake_turn();
	assert_string_equal(fake_asked(), "close juliet@a.test/made 2;");
	assert_int_equal(fake.edge->sessions.count, 0);
	fake.peer = -1;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

/* The first test sets up by itself, cell by cell. */
static int nothing(void **state)
{
	(void)state;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_state_answers_each_element, nothing, fake_teardown),
		TEST(no_cell_is_empty),
		TEST(nothing_is_read_while_a_step_waits),
		TEST(a_timeout_ends_every_login),
		TEST(headers_are_checked),
		TEST(initial_responses_are_told_apart),
		TEST(failed_logins_are_limited),
		TEST(a_mechanism_not_offered_is_refused),
		TEST(without_tls_there_is_no_login_where_it_is_required),
		TEST(auth_away_is_a_temporary_failure),
		TEST(failures_to_bind_are_mapped),
		TEST(bind_waits_for_an_owner_and_gives_up_politely),
		TEST(nothing_is_said_between_success_and_the_new_stream),
		TEST(the_new_stream_may_have_an_error),
		TEST(a_session_opened_for_a_client_that_left_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
