/* SPDX-License-Identifier: Apache-2.0
 *
 * A broker that is killed between any two steps, and the next one, which has the store. */
#include "services/mqtt-broker/fake_flock.h"

/* [MQTT-4.3.3-6] [MQTT-4.4.0-1] [MQTT311-4.4.0-1] */
/* Between any two steps of a message with QoS 2 to who subscribed. */
static void test_killed_while_sending(void **state)
{
	for (int step = 0; step < 4; step++) {
		if (step)
			fake_setup(state);
		pair("02");
		say(0, "34 . s'x' 0001 () '1'");
		hear(1, "34 . s'x' 0002 () '1'");
		if (step == 1)
			store.mode = STORE_HOLDS;
		if (step >= 1)
			say(1, "50 02 0002");
		if (step == 3)
			store.mode = STORE_HOLDS;
		if (step >= 2)
			say(1, "70 02 0002");
		fake_kill();
		/* Told before it died, PUBREC is enough; and PUBCOMP. */
		last5(1, "b", step == 0 ? PRESENT_5G "3C (s'x' 0002 () '1')" : step == 1 ? PRESENT_5G "62 02 0002" : PRESENT_5);
		if (step == 0) {
			say(1, "50 02 0002");
			hear(1, "62 02 0002");
		}
		if (step < 2)
			say(1, "70 02 0002");
		turn();
		assert_true(store.entries[0].done);
		if (step < 3)
			fake_teardown(state);
	}
}

/* Between any two steps of a message with QoS 2 from a client: it is routed once. */
static void test_killed_while_taking(void **state)
{
	for (int step = 0; step < 4; step++) {
		if (step)
			fake_setup(state);
		pair("02");
		last5(2, "p", CONNACK_5);
		store.mode = STORE_HOLDS;
		say(2, "34 . s'x' 0007 () 'once'");
		if (step >= 1)
			store_answer(0); /* it has its name, and the queue has it */
		if (step >= 2) {
			store_answer(0);
			hear(2, "50 02 0007");
		}
		if (step == 3)
			say(2, "62 02 0007"); /* the store has forgotten it, and nobody has heard that */
		fake_kill();
		last5(2, "p", PRESENT_5);
		if (step < 2) {
			say(2, "3C . s'x' 0007 () 'once'");
			hear(2, "50 02 0007");
		}
		say(2, "62 02 0007");
		hear(2, step == 3 ? "70 03 0007 92" : "70 02 0007");
		say(2, "34 . s'x' 0007 () 'more'");
		hear(2, "50 02 0007");
		/* What the queue had before has taken a number in vain. */
		last5(1, "b",
		      step == 0   ? PRESENT_5G "34 (s'x' 0002 () 'once') 34 (s'x' 0003 () 'more')"
		      : step == 1 ? PRESENT_5G "3C (s'x' 0002 () 'once') 34 (s'x' 0004 () 'more')"
		                  : PRESENT_5G "3C (s'x' 0002 () 'once') 34 (s'x' 0003 () 'more')");
		assert_int_equal(store.entry_n, 2);
		if (step < 3)
			fake_teardown(state);
	}
}

/* A session that was never told that its client is gone still ends in its time. */
static void test_killed_with_an_expiry(void **state)
{
	(void)state;
	join(0);
	say(0, "10 . s'MQTT' 05 C0 0000 (11 00000001) s'a' s'romeo' s'secret'");
	hear(0, CONNACK_5);
	fake_kill();
	assert_non_null(session_of("a"));
	later();
	later();
	assert_null(session_of("a"));
	assert_null(store_named("a.test/a"));
}

/* Also of a session that would have ended with its connection. */
static void test_killed_with_a_will(void **state)
{
	(void)state;
	fake.config.wills_stored = true;
	pair("01");
	join(2);
	say(2, "10 . s'MQTT' 05 CE 0000 () s'w' () s'x' s'gone' s'romeo' s'secret'");
	hear(2, CONNACK_5);
	assert_non_null(store_named("a.test/w"));
	/* Its queue is its own. */
	say(2, "82 . 0001 () s'y' 01");
	hear(2, "90 . 0001 () 01");
	say(0, "32 . s'y' 0001 () '1'");
	hear(0, "40 02 0001");
	hear(2, "32 . s'y' 0001 () '1'");
	assert_int_equal(store.entry_n, 0);
	fake_kill();
	assert_null(store_named("a.test/w"));
	last5(1, "b", PRESENT_5G "32 (s'x' 0002 () 'gone')");
}

/* The store that is away keeps nobody out who does not need it. */
static void test_will_without_a_store(void **state)
{
	(void)state;
	fake.config.wills_stored = true;
	live5(0, "a");
	say(0, "82 . 0001 () s'x' 00");
	hear(0, "90 . 0001 () 00");
	store.mode = STORE_AWAY;
	join(2);
	say(2, "10 . s'MQTT' 05 C6 0000 () s'w' () s'x' s'gone' s'romeo' s'secret'");
	hear(2, CONNACK_5);
	close(fake.peers[2]);
	fake.peers[2] = -1;
	hear(0, "30 . s'x' () 'gone'");
	assert_int_equal(fake.broker->lasting_count, 0);
}

static void test_retained(void **state)
{
	(void)state;
	live5(0, "a");
	store.mode = STORE_HOLDS;
	/* Those between are never written: nobody could have read them. */
	say(0, "33 . s'r' 0001 () '1'");
	say(0, "33 . s'r' 0002 () '2'");
	say(0, "33 . s'r' 0003 () '3'");
	hear(0, "");
	store_answer(0);
	hear(0, "40 03 0001 10");
	store_answer(0);
	hear(0, "40 03 0002 10 40 03 0003 10");
	assert_int_equal(store.version, 2);
	store.mode = STORE_ANSWERS;
	fake_kill();
	live3(1, "b");
	say(1, "82 . 0001 s'r' 00");
	hear(1, "90 (0001 00) 31 (s'r' '3')");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_killed_while_sending, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_killed_while_taking, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_killed_with_an_expiry, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_killed_with_a_will, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_will_without_a_store, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_retained, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
