/* SPDX-License-Identifier: Apache-2.0
 *
 * The beginning and the end of a broker: what it waits for before it takes clients, and before it goes. */
#include "services/mqtt-broker/fake_flock.h"

static void test_waits_for_the_store(void **state)
{
	(void)state;
	fake_end();
	store.mode = STORE_AWAY;
	assert_int_equal(fake_begin(), 0);
	later();
	assert_non_null(fake.broker->start);
	store.mode = STORE_ANSWERS;
	later();
	assert_null(fake.broker->start);
}

/* What it would be told while another one serves it would miss. */
static void test_waits_for_the_one_before(void **state)
{
	(void)state;
	fake_end();
	fake.elsewhere = "before.test:1883";
	assert_int_equal(fake_begin(), 0);
	later();
	assert_non_null(fake.broker->start);
	fake.elsewhere = NULL;
	later();
	assert_null(fake.broker->start);
	/* Of two that begin one does not wait. */
	fake_end();
	fake.elsewhere = "beside.test:1883";
	fake.begins = true;
	assert_int_equal(fake_begin(), 0);
	assert_null(fake.broker->start);
}

/* Sessions of those who were there, and of those who were not. */
static void test_takes_over(void **state)
{
	(void)state;
	last5(0, "a", CONNACK_5);
	last5(1, "b", CONNACK_5);
	say(1, "82 . 0001 (0B 07) s'$share/g/x' 0A");
	hear(1, "90 . 0001 () 02");
	say(1, "E0 00");
	turn();
	fake_kill();
	assert_int_equal(fake.broker->lasting_count, 2);
	assert_int_equal(session_of("b")->subscriber.count, 1);
	assert_true(store_named("a.test/a")->row->disconnected_us > 0);
	last5(1, "b", PRESENT_5);
	live5(2, "p");
	say(2, "33 . s'x' 0001 () 'shared'");
	hear(2, "40 02 0001");
	/* Retain as published, and the identifier, are the subscription's. */
	hear(1, "33 . s'x' 0002 (0B 07) 'shared'");
}

static void test_drain_waits_for_the_store(void **state)
{
	(void)state;
	last5(0, "a", CONNACK_5);
	store.mode = STORE_HOLDS;
	mq_drain(fake.broker);
	for (int i = 0; i < 200 && fake.broker->client_count; i++) {
		poll(NULL, 0, 5);
		uv_run(&skeleton.loop, UV_RUN_NOWAIT);
		turn();
		if (fake.peers[0] >= 0 && session_of("a") && !session_of("a")->client) {
			close(fake.peers[0]);
			fake.peers[0] = -1;
		}
	}
	later();
	assert_int_equal(fake.broker->client_count, 0);
	assert_false(skeleton.drained);
	store.mode = STORE_ANSWERS;
	later();
	assert_true(skeleton.drained);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_waits_for_the_store, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_waits_for_the_one_before, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_takes_over, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_drain_waits_for_the_store, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
