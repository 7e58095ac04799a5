/* SPDX-License-Identifier: Apache-2.0
 *
 * What subscriptions bring beside what is published now: retained messages, wills, shared subscriptions, $SYS. */
#include "services/mqtt-broker/fake_flock.h"
#include "services/mqtt-broker/metrics.h"

static void test_retained(void **state)
{
	(void)state;
	live3(0, "a");
	live5(1, "b");
	say(0, "33 (s'r/1' 0001 'one')");
	hear(0, "40 02 0001");
	say(1, "82 . 0001 (0B 05) s'r/#' 01");
	hear(1, "90 (0001 () 01) 33 (s'r/1' 0001 (0B 05) 'one')");
	/* Retain handling 1: not again; 2: never. */
	say(1, "82 . 0002 () s'r/#' 11");
	hear(1, "90 (0002 () 01)");
	say(1, "82 . 0003 () s'r/1' 21");
	hear(1, "90 (0003 () 01)");
	/* Retain as published is the subscription's; without it the flag is off. */
	say(0, "31 (s'r/2' 'two')");
	hear(1, "30 (s'r/2' () 'two')");
	/* An empty one takes it away. */
	say(0, "31 (s'r/1')");
	hear(1, "30 (s'r/1' ())");
	say(0, "82 . 0001 s'#' 00");
	hear(0, "90 (0001 00) 31 (s'r/2' 'two')");
	assert_int_equal(index_retained_count(fake.broker->tenants[0].retained), 1);
}

/* More than the window holds comes as the client acknowledges. */
static void test_retained_window(void **state)
{
	(void)state;
	live3(0, "a");
	live3(1, "b");
	for (int i = 0; i < 8; i++) {
		char packet[100];

		snprintf(packet, sizeof(packet), "33 (s'r/%d' 0001 'x')", i);
		say(0, packet);
		hear(0, "40 02 0001");
	}
	/* Limits.retained is 10, and $SYS has none here. */
	say(1, "82 . 0001 s'r/+' 01");
	turn();
	for (int i = 0; i < 8; i += 2) {
		char acks[100];

		assert_int_equal(mq_inflight_count(&session_of("b")->inflight), 2);
		snprintf(acks, sizeof(acks), "40 (%04X) 40 (%04X)", i + 1, i + 2);
		say(1, acks);
	}
	assert_int_equal(mq_inflight_count(&session_of("b")->inflight), 0);
}

static void test_will(void **state)
{
	(void)state;
	live3(0, "a");
	say(0, "82 . 0001 s'w/#' 00");
	hear(0, "90 (0001 00)");
	for (int i = 0; i < 4; i++) {
		join(1);
		say(1, "10 . s'MQTT' 05 C6 0000 () s'b' () s'w/b' s'gone' s'romeo' s'secret'");
		hear(1, CONNACK_5);
		if (i == 0) {
			close(fake.peers[1]);
			fake.peers[1] = -1;
		} else {
			say(1, i == 1 ? "E0 00" : i == 2 ? "E0 02 04 00" : "00 00");
		}
		hear(0, i == 1 ? "" : "30 (s'w/b' 'gone')");
	}
	hear(1, "E0 . 81 (1F s'section 2.1.2 a packet type that is reserved')");
	gone(1);
}

static void test_shared(void **state)
{
	(void)state;
	live3(0, "a");
	live3(1, "b");
	live3(2, "c");
	say(1, "82 . 0001 s'$share/g/s' 00");
	say(2, "82 . 0001 s'$share/g/s' 00");
	hear(1, "90 (0001 00)");
	hear(2, "90 (0001 00)");
	say(0, "30 (s's' '1') 30 (s's' '2') 30 (s's' '3') 30 (s's' '4')");
	hear(1, "30 (s's' '1') 30 (s's' '3')");
	hear(2, "30 (s's' '2') 30 (s's' '4')");
	say(1, "E0 00");
	say(0, "30 (s's' '5') 30 (s's' '6')");
	hear(2, "30 (s's' '5') 30 (s's' '6')");
}

/* [MQTT-4.7.2-1] [MQTT311-4.7.2-1] */
static void test_sys(void **state)
{
	static char got[4096];
	ssize_t n = 0;

	(void)state;
	live3(0, "a");
	say(0, "82 . 0001 s'$SYS/broker/clients/connected' 00");
	hear(0, "90 (0001 00)");
	say(0, "82 . 0002 s'#' 00");
	hear(0, "90 (0002 00)");
	fake.config.sys_ms = 10000;
	mq_sys_reload(fake.broker);
	for (int i = 0; i < 100 && n <= 0; i++) {
		uv_run(&skeleton.loop, UV_RUN_ONCE);
		turn();
		n = recv(fake.peers[0], got, sizeof(got), 0);
	}
	/* The wildcard has nothing of it [MQTT-4.7.2-1]. */
	assert_int_equal(n, 2 + 2 + 29 + 1);
	assert_memory_equal(got + 4, "$SYS/broker/clients/connected1", 30);
}

/* What the store does not take is refused, and nothing stays. */
static void test_store_refuses(void **state)
{
	(void)state;
	last5(0, "a", CONNACK_5);
	store.refuses = STARLING__CODE__CODE_LIMIT;
	say(0, "82 . 0001 () s'x' 01 s'$share/g/y' 02");
	hear(0, "90 . 0001 () 97 97");
	assert_int_equal(session_of("a")->subscriber.count, 0);
	say(0, "33 . s'r' 0002 () 'kept'");
	hear(0, "40 03 0002 97");
	assert_int_equal(index_retained_count(fake.broker->tenants[0].retained), 0);
	store.refuses = 0;
	say(0, "82 . 0003 () s'x' 01");
	hear(0, "90 . 0003 () 01");
	store.refuses = STARLING__CODE__CODE_INVALID;
	say(0, "32 . s'x' 0004 () '1'");
	hear(0, "40 03 0004 83");
	store.refuses = 0;
	say(0, "32 . s'x' 0005 () '2'");
	hear(0, "32 (s'x' 0003 () '2') 40 02 0005");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_retained, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_retained_window, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_will, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_shared, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_sys, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_store_refuses, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
