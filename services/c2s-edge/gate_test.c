/* SPDX-License-Identifier: Apache-2.0
 *
 * Admission: many logins at once stand in line; resumptions pass it. And the ring of what is unacknowledged, which is as small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/c2s-edge/fake_flock.h"

#define CLIENTS 30

static const char auth[] = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAB4</auth>";
static const char bind_request[] = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";

static uint32_t count(enum c2s_state state)
{
	uint32_t n = 0;

	list_for_each (k, &fake.edge->streams)
		n += list_entry(k, struct c2s_stream, node)->state == state;
	return n;
}

static void clients(int peers[CLIENTS])
{
	for (int i = 0; i < CLIENTS; i++) {
		fake_connect();
		peers[i] = fake.peer;
		fake_say(FAKE_HEADER);
		fake_say(auth);
		fake_say(FAKE_HEADER);
		fake_hear();
	}
	fake.peer = -1;
}

static void say_as(int peer, const char *text)
{
	fake.peer = peer;
	fake_say(text);
	fake.peer = -1;
}

static void close_all(const int peers[CLIENTS])
{
	for (int i = 0; i < CLIENTS; i++) {
		if (peers[i] >= 0)
			close(peers[i]);
	}
	fake_turn();
}

static void new_sessions_have_a_rate(void **state)
{
	int peers[CLIENTS];
	uint32_t at_once;

	(void)state;
	fake.config.login_ms = 300;
	fake.config.bind_wait_ms = 300;
	clients(peers);
	c2s_gate_set_rate(&fake.edge->open_gate, 10);
	for (int i = 0; i < CLIENTS; i++)
		say_as(peers[i], bind_request);
	at_once = count(C2S_BOUND);
	assert_in_range(at_once, 10, 12);
	/* They wait longer than a login may take: in line that does not count. One that leaves is not waited for. */
	close(peers[CLIENTS - 1]);
	peers[CLIENTS - 1] = -1;
	for (int i = 0; i < 400 && (count(C2S_BOUND) < CLIENTS - 1 || !list_empty(&fake.edge->open_gate.waiting)); i++) {
		usleep(10000);
		fake_turn();
	}
	assert_int_equal(count(C2S_BOUND), CLIENTS - 1);
	assert_true(list_empty(&fake.edge->open_gate.waiting));
	assert_int_equal(fake.edge->open_gate.inside, 0);
	close_all(peers);
}

static void resumptions_pass_the_line(void **state)
{
	int peers[CLIENTS];

	(void)state;
	clients(peers);
	c2s_gate_set_rate(&fake.edge->open_gate, 1);
	for (int i = 0; i < CLIENTS - 1; i++)
		say_as(peers[i], bind_request);
	assert_in_range(count(C2S_BOUND), 1, 2);
	say_as(peers[CLIENTS - 1], "<resume xmlns='urn:xmpp:sm:3' previd='0123456789abcdef' h='0'/>");
	assert_int_equal(list_entry(fake.edge->streams.prev, struct c2s_stream, node)->state, C2S_BOUND);
	close_all(peers);
}

/* Auth is asked by so many at a time; what is behind them comes when one is done, with its password. */
static void beginnings_of_sasl_stand_in_line(void **state)
{
	int peers[3];

	(void)state;
	fake.edge->sasl_gate.max = 1;
	for (int i = 0; i < 3; i++) {
		fake_connect();
		peers[i] = fake.peer;
		fake_say(FAKE_HEADER);
	}
	fake.silent = true;
	fake_asked();
	for (int i = 0; i < 3; i++)
		say_as(peers[i], auth);
	assert_string_equal(fake_asked(), "sasl PLAIN 1 '';");
	assert_int_equal(count(C2S_SASL_WAIT), 3);
	fake.silent = false;
	fake_turn();
	assert_int_equal(count(C2S_SASL_WAIT), 0);
	assert_int_equal(fake.edge->sasl_gate.inside, 0);
	for (int i = 0; i < 3; i++)
		close(peers[i]);
	fake_turn();
}

/* One that waits for its turn must not get in by what it said in clear meanwhile. */
static void handshakes_go_by_turns(void **state)
{
	static const char starttls[] = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
	struct c2s_gate *g;

	(void)state;
	g = &fake.edge->tls_gate;
	g->max = 0;
	fake_connect();
	fake_say(FAKE_HEADER);
	fake_hear();
	fake_say(starttls);
	assert_string_equal(fake_hear(), "");
	g->max = 1;
	c2s_gate_set_rate(g, 0);
	assert_string_equal(fake_hear(), "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	assert_int_equal(fake_stream()->state, C2S_TLS);
	assert_int_equal(g->inside, 0); /* the turn is over */
	close(fake.peer);
	fake_turn();
	g->max = 0;
	fake_connect();
	fake_say(FAKE_HEADER);
	fake_hear();
	fake_say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "
	         "mechanism='PLAIN'>=</auth>");
	g->max = 1;
	fake_asked();
	c2s_gate_set_rate(g, 0);
	fake_turn();
	assert_true(!fake_stream() || fake_stream()->state == C2S_CLOSING);
	assert_string_equal(fake_asked(), "");
}

/* Where thousands log in at once it is we who are late, also for the last of them. */
static void in_a_crowd_a_login_may_take_longer(void **state)
{
	(void)state;
	fake.config.login_ms = 50;
	fake.edge->logging_in = 2000;
	fake_connect();
	fake_say(FAKE_HEADER);
	for (int i = 0; i < 60; i++) {
		usleep(5000);
		fake_turn();
	}
	assert_int_equal(fake_stream()->state, C2S_HEADER);
	fake.edge->logging_in = 1;
	for (int i = 0; i < 400 && fake_stream()->state == C2S_HEADER; i++) {
		usleep(5000);
		fake_turn();
	}
	assert_int_equal(fake_stream()->state, C2S_CLOSING);
}

/* --- the ring ----------------------------------------------------------------------------------------------------- */

static void the_ring_keeps_order_while_it_grows_and_turns(void **state)
{
	struct c2s_unacked *u = NULL;
	uint64_t in = 0, out = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < round % 13; i++, in++)
			c2s_unacked_push(&u, in, (uint32_t)(in % 4), in * 10);
		for (int i = 0; i < round % 11 && out < in; i++, out++) {
			assert_int_equal(c2s_unacked_log(u, 0), out);
			assert_int_equal(c2s_unacked_form(u, 0), out % 4);
			c2s_unacked_drop(&u, 1);
		}
		assert_int_equal(c2s_unacked_count(u), in - out);
		if (in > out + 1)
			assert_int_equal(c2s_unacked_log(u, (uint32_t)(in - out - 1)), in - 1);
	}
	assert_int_equal(c2s_unacked_written(u, (out + 2) * 10, 100), 3);
	assert_int_equal(c2s_unacked_written(u, UINT64_MAX >> 8, 2), 2);
	c2s_unacked_drop(&u, UINT64_MAX);
	assert_null(u);
	assert_int_equal(c2s_unacked_count(u), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(new_sessions_have_a_rate),           TEST(resumptions_pass_the_line),
		TEST(beginnings_of_sasl_stand_in_line),   TEST(handshakes_go_by_turns),
		TEST(in_a_crowd_a_login_may_take_longer), cmocka_unit_test(the_ring_keeps_order_while_it_grows_and_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
