/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions that last, with a store that answers late, or never, or that is away; and a broker that is killed in between. */
#include "services/mqtt-broker/fake_flock.h"
#include "services/mqtt-broker/ports.h"

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void test_connack_waits(void **state)
{
	(void)state;
	store.mode = STORE_HOLDS;
	last5(0, "a", "");
	store_answer(0);
	hear(0, CONNACK_5);
	say(0, "82 . 0001 () s'x' 01");
	say(0, "C0 00");
	hear(0, "");
	store_answer(0);
	hear(0, "90 (0001 () 01) D0 00");
	assert_int_equal(store.rows[0].filter_n, 1);
	/* What is no subscription needs no store. */
	say(0, "A2 . 0002 () s'never'");
	hear(0, "B0 . 0002 () 11");
	say(0, "A2 . 0003 () s'x'");
	hear(0, "");
	store_answer(0);
	hear(0, "B0 . 0003 () 00");
	assert_int_equal(store.rows[0].filter_n, 0);
}

static void test_store_is_away(void **state)
{
	(void)state;
	store.mode = STORE_AWAY;
	join(0);
	say(0, "10 . s'MQTT' 05 C0 0000 (11 00000E10) s'a' s'romeo' s'secret'");
	hear(0, "20 . 00 88 (1F s'sessions cannot be stored now, try again later')");
	gone(0);
	/* What does not last does not need it. */
	live5(1, "a");
	assert_int_equal(fake.broker->lasting_count, 0);
}

/* It was opened, and nobody was told: asked again, it is none that was there. */
static void test_open_is_lost(void **state)
{
	(void)state;
	store.mode = STORE_LOSES;
	last5(0, "a", "");
	store.mode = STORE_ANSWERS;
	later();
	hear(0, CONNACK_5);
	assert_int_equal(store.open_calls, 2);
}

static void test_who_opens_is_followed(void **state)
{
	(void)state;
	store.mode = STORE_HOLDS;
	last5(0, "a", "");
	last5(1, "a", "");
	hear(0, "20 . 00 80 ()");
	gone(0);
	store.mode = STORE_ANSWERS;
	hear(1, PRESENT_5);
	assert_int_equal(store.open_calls, 1);
	/* And one who leaves before it is opened leaves nothing. */
	store.mode = STORE_HOLDS;
	last5(2, "b", "");
	mq_client_end(session_of("b")->lasting->opener, MQTT_SERVER_BUSY, "");
	store.mode = STORE_ANSWERS;
	later();
	assert_null(session_of("b"));
	assert_null(store_named("a.test/b"));
}

static void test_another_user(void **state)
{
	(void)state;
	last5(0, "a", CONNACK_5);
	join(1);
	say(1, "10 . s'MQTT' 05 C0 0000 (11 00000E10) s'a' s'juliet' s'secret'");
	hear(1, "20 . 00 85 (1F s'another user has this client identifier')");
	say(0, "C0 00");
	hear(0, "D0 00");
}

static void test_clean_start(void **state)
{
	(void)state;
	pair("01");
	say(1, "E0 00");
	say(0, "32 . s'x' 0001 () '1'");
	hear(0, "40 02 0001");
	join(1);
	say(1, "10 . s'MQTT' 05 C2 0000 (11 00000E10) s'b' s'romeo' s'secret'");
	hear(1, CONNACK_5);
	assert_int_equal(session_of("b")->subscriber.count, 0);
	say(0, "32 . s'x' 0001 () '1'");
	hear(0, "40 03 0001 10");
	say(1, "C0 00");
	hear(1, "D0 00");
}

/* It ends while all kinds of things are on their way to the store for it. */
static void test_ends_meanwhile(void **state)
{
	(void)state;
	pair("02");
	say(0, "34 . s'x' 0001 () '1'");
	hear(0, "50 02 0001");
	hear(1, "34 . s'x' 0002 () '1'");
	store.mode = STORE_HOLDS;
	say(0, "34 . s'x' 0002 () '2'");
	say(1, "50 02 0002");
	say(1, "34 (s'y' 0009 () '3') 82 (0003 () s'y' 01)");
	join(2);
	say(2, "10 . s'MQTT' 05 C2 0000 () s'b' s'romeo' s'secret'");
	hear(1, "E0 01 8E");
	hear(2, "");
	store_answer(0);
	store_answer(0);
	store.mode = STORE_ANSWERS;
	hear(2, CONNACK_5);
	hear(0, "50 02 0002");
	assert_int_equal(fake.broker->lasting_count, 0);
	say(0, "32 . s'x' 0003 () '4'");
	hear(0, "40 03 0003 10");
}

static void test_longest_expiry(void **state)
{
	(void)state;
	fake.config.session_max_ms = 60000;
	last5(0, "a", "20 . 00 00 (11 0000003C 21 0100 22 0004 27 00010000)");
	join(1);
	say(1, "10 . s'MQTT' 04 C0 0000 s'b' s'romeo' s'secret'");
	hear(1, "20 02 00 00");
	assert_int_equal(store_named("a.test/b")->row->expiry_s, 60);
	say(0, "E0 . 00 (11 FFFFFFFF)");
	turn();
	assert_int_equal(store_named("a.test/a")->row->expiry_s, 60);
}

/* The store says that it is somebody else's now. */
static void test_fenced(void **state)
{
	(void)state;
	pair("01");
	store.rows[0].epoch++;
	say(0, "32 . s'x' 0001 () '1'");
	hear(0, "40 02 0001");
	hear(1, "E0 01 8E");
	gone(1);
	assert_int_equal(fake.broker->lasting_count, 0);
}

/* --- to who subscribed -------------------------------------------------------------------------------------------- */

static void test_puback_waits(void **state)
{
	(void)state;
	pair("01");
	store.mode = STORE_HOLDS;
	say(0, "32 . s'x' 0001 () '1'");
	say(0, "32 . s'nobody' 0002 () '2'");
	hear(0, "");
	hear(1, "");
	store_answer(0);
	/* In their order [MQTT-4.6.0-2]. */
	hear(0, "40 02 0001 40 03 0002 10");
	hear(1, "32 . s'x' 0002 () '1'");
	say(1, "40 02 0002");
	store_answer(0);
	assert_int_equal(session_of("b")->lasting->queued, 0);
	assert_true(store.entries[0].done);
}

static void test_relaxed(void **state)
{
	char *names[] = { (char *)(uintptr_t) "port" };

	(void)state;
	fake.config.relaxed = (struct config_list){ names, 1 };
	mq_ports_relax(fake.broker);
	pair("01");
	store.mode = STORE_HOLDS;
	say(0, "32 . s'x' 0001 () '1'");
	hear(0, "40 02 0001");
	say(0, "34 . s'x' 0002 () '2'");
	hear(0, "50 02 0002");
	hear(1, "");
	store_answer(0);
	hear(1, "32 (s'x' 0002 () '1') 32 (s'x' 0003 () '2')");
}

static void test_tried_again(void **state)
{
	(void)state;
	pair("02");
	store.mode = STORE_AWAY;
	say(0, "34 . s'x' 0001 () '1'");
	hear(0, "");
	store.mode = STORE_LOSES; /* it does it this time, and nobody hears of it */
	later();
	hear(0, "");
	hear(1, "");
	store.mode = STORE_ANSWERS;
	later();
	hear(0, "50 02 0001");
	hear(1, "34 . s'x' 0002 () '1'");
	assert_int_equal(store.entry_n, 1);
	assert_true(store.queue_calls >= 3);
	say(1, "50 02 0002");
	hear(1, "62 02 0002");
	say(1, "70 02 0002");
	say(0, "34 . s'x' 0003 () '2'");
	hear(1, "34 . s'x' 0003 () '2'");
}

static void test_publishers_are_held(void **state)
{
	static char payload[40001], packet[40100];

	(void)state;
	fake.config.storing_bytes = 65536;
	pair("01");
	memset(payload, 'x', sizeof(payload) - 1);
	store.mode = STORE_HOLDS;
	for (int i = 1; i <= 2; i++) {
		snprintf(packet, sizeof(packet), "32 . s'x' %04X () '%s'", i, payload);
		say(0, packet);
	}
	say(0, "C0 00");
	hear(0, "");
	assert_int_equal(session_of("a")->client->holds, MQ_HOLD_STORE);
	store_answer(0);
	hear(0, "40 02 0001 40 02 0002 D0 00");
	assert_int_equal(fake.broker->storing_bytes, 0);
}

static void test_release_waits(void **state)
{
	(void)state;
	pair("02");
	say(0, "34 . s'x' 0001 () '1'");
	hear(0, "50 02 0001");
	hear(1, "34 . s'x' 0002 () '1'");
	store.mode = STORE_HOLDS;
	say(1, "50 02 0002 50 02 0002");
	hear(1, "");
	store_answer(0);
	hear(1, "62 02 0002");
	assert_true(store.entries[0].received);
}

/* [MQTT-4.6.0-6] [MQTT311-4.6.0-6] */
/* A message that the store did not take is not overtaken by the next one, or a broker that dies now would leave them in that order. */
static void test_what_failed_is_not_overtaken(void **state)
{
	(void)state;
	pair("01");
	store.mode = STORE_AWAY;
	say(0, "32 . s'x' 0001 () '1'");
	store.mode = STORE_ANSWERS;
	say(0, "32 . s'x' 0002 () '2'");
	say(0, "32 . s'x' 0003 () '3'");
	hear(0, "");
	assert_int_equal(store.entry_n, 0);
	later();
	hear(0, "40 02 0001 40 02 0002 40 02 0003");
	hear(1, "32 (s'x' 0002 () '1') 32 (s'x' 0003 () '2')");
	say(1, "40 02 0002");
	hear(1, "32 . s'x' 0004 () '3'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_connack_waits, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_store_is_away, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_open_is_lost, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_who_opens_is_followed, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_another_user, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_clean_start, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_ends_meanwhile, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_longest_expiry, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_fenced, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_puback_waits, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_relaxed, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_tried_again, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_publishers_are_held, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_release_waits, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_what_failed_is_not_overtaken, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
