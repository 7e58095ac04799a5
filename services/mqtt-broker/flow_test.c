/* SPDX-License-Identifier: Apache-2.0
 *
 * What clients publish and get: each QoS, windows, limits, who is slow. */
#include "services/mqtt-broker/fake_flock.h"
#include "services/mqtt-broker/metrics.h"

static void test_qos0(void **state)
{
	(void)state;
	live3(0, "a");
	live5(1, "b");
	say(0, "82 . 0001 s'x/+' 00");
	hear(0, "90 03 0001 00");
	say(1, "82 . 0001 () s'x/#' 02");
	hear(1, "90 . 0001 () 02");
	say(0, "30 . s'x/y' 'hello'");
	hear(0, "30 . s'x/y' 'hello'");
	hear(1, "30 . s'x/y' () 'hello'");
	say(1, "30 . s'x/y' (26 s'k' s'v') 'hello'");
	hear(0, "30 . s'x/y' 'hello'");
	hear(1, "30 . s'x/y' (26 s'k' s'v') 'hello'");
	say(0, "A2 . 0002 s'x/+'");
	hear(0, "B0 02 0002");
	say(1, "30 . s'x/y' () ''");
	hear(0, "");
	hear(1, "30 . s'x/y' ()");
}

static void test_qos1(void **state)
{
	(void)state;
	live5(0, "a");
	live5(1, "b");
	say(0, "32 . s'x' 0001 () 'nobody'");
	hear(0, "40 03 0001 10");
	say(1, "82 . 0001 (0B 07) s'x' 01");
	hear(1, "90 . 0001 () 01");
	say(1, "82 . 0002 (0B 08) s'#' 01");
	hear(1, "90 . 0002 () 01");
	say(0, "32 . s'x' 0001 () 'one'");
	hear(0, "40 02 0001");
	/* Once, with both identifiers, in whatever order they match. */
	hear(1, "32 . s'x' 0001 (0B 08 0B 07) 'one'");
	say(1, "40 02 0001");
	say(0, "32 . s'y' 0001 () 'two'");
	hear(1, "32 . s'y' 0002 (0B 08) 'two'");
}

static void test_qos2(void **state)
{
	(void)state;
	live3(0, "a");
	live3(1, "b");
	say(1, "82 . 0001 s'x' 02");
	hear(1, "90 03 0001 02");
	say(0, "34 . s'x' 0009 'm'");
	hear(0, "50 02 0009");
	/* [MQTT-4.3.3-10]: the same again is not handed out again. */
	say(0, "3C . s'x' 0009 'm'");
	hear(0, "50 02 0009");
	hear(1, "34 . s'x' 0001 'm'");
	say(0, "62 02 0009");
	hear(0, "70 02 0009");
	say(1, "50 02 0001");
	hear(1, "62 02 0001");
	say(1, "70 02 0001");
	hear(1, "");
	assert_int_equal(mq_inflight_count(&session_of("b")->inflight), 0);
}

/* [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] */
/* Two in flight, three in the queue, one dropped. */
static void test_window(void **state)
{
	(void)state;
	live3(0, "a");
	live3(1, "b");
	say(1, "82 . 0001 s'x' 01");
	hear(1, "90 03 0001 01");
	say(0, "32 (s'x' 0001 '1') 32 (s'x' 0002 '2') 32 (s'x' 0003 '3')");
	say(0, "32 (s'x' 0004 '4') 32 (s'x' 0005 '5') 32 (s'x' 0006 '6')");
	hear(0, "40 02 0001 40 02 0002 40 02 0003 40 02 0004 40 02 0005 40 02 0006");
	hear(1, "32 (s'x' 0001 '1') 32 (s'x' 0002 '2')");
	say(1, "40 02 0002");
	hear(1, "32 (s'x' 0003 '3')");
	say(1, "40 02 0001 40 02 0003");
	hear(1, "32 (s'x' 0004 '4') 32 (s'x' 0005 '5')");
	say(1, "40 02 0004 40 02 0005");
	hear(1, "");
}

static void test_aliases(void **state)
{
	(void)state;
	live5(0, "a");
	join(1);
	say(1, "10 . s'MQTT' 05 C2 0000 (22 000A) s'b' s'romeo' s'secret'");
	hear(1, CONNACK_5);
	say(1, "82 . 0001 () s'#' 00");
	hear(1, "90 (0001 () 00)");
	say(0, "30 (s'topic/a' (23 0003) '1') 30 (s'' (23 0003) '2')");
	{
		struct mqtt_delivery d = { 0 };
		struct mq_client *b = session_of("b")->client;
		char first[100];

		mq_aliases_choose(&mq_client_more(b)->aliases_out, b->alias_max, STR("topic/a"), &d);
		assert_true(d.alias_known);
		snprintf(first, sizeof(first), "30 (s'topic/a' (23 %04X) '1') 30 (s'' (23 %04X) '2')", d.topic_alias, d.topic_alias);
		hear(1, first);
	}
	say(0, "30 (s'' (23 0001) '2')");
	hear(0, "E0 . 82 (1F s'section 3.3.2.3.4: a Topic Alias that was not set')");
	gone(0);
}

static void test_limits(void **state)
{
	(void)state;
	live5(0, "a");
	say(0, "82 . 0001 () s'1' 00 s'2' 00 s'3' 00 s'4' 00 s'5' 00");
	hear(0, "90 . 0001 () 00 00 00 00 97");
	say(0, "82 . 0001 () s'1' 01");
	hear(0, "90 . 0001 () 01");
	say(0, "82 . 0002 () s'a/a/a/a/a/a/a/a/a' 00");
	hear(0, "90 . 0002 () 8F");
	say(0, "A2 . 0003 () s'1' s'9'");
	hear(0, "B0 . 0003 () 00 11");
	say(0, "32 (s'$SYS/x' 0004 () 'x')");
	hear(0, "40 (0004 87)");
	/* Limits.packet_size is told by the header alone. */
	say(0, "30 81 80 04");
	hear(0, "E0 . 95 (1F s'[MQTT-3.1.2-24] [MQTT-3.2.2-15] the packet is larger than what is taken here')");
	gone(0);
}

/* Who does not read misses QoS 0, waits for QoS 1, and holds back nobody. */
static void test_slow(void **state)
{
	static char payload[60001], packet[60100];
	double before = mq_metrics.dropped_slow.value;
	struct mq_session *slow;

	(void)state;
	fake.config.output_bytes = 65536;
	live3(0, "a");
	live3(1, "b");
	live3(2, "c");
	say(1, "82 . 0001 s's/#' 01");
	say(2, "82 . 0001 s's/small' 00");
	hear(2, "90 (0001 00)");
	memset(payload, 'x', sizeof(payload) - 1);
	snprintf(packet, sizeof(packet), "30 (s's/big' '%s')", payload);
	for (int i = 0; i < 20; i++)
		say(0, packet);
	assert_true(mq_metrics.dropped_slow.value > before);
	say(0, "32 (s's/small' 0001 'y')");
	hear(0, "40 02 0001");
	hear(2, "30 (s's/small' 'y')");
	slow = session_of("b");
	assert_true(conn_queued(slow->client->conn) < 3 * 65536);
	assert_int_equal(mq_queue_count(&slow->queue), 1);
	while (recv(fake.peers[1], payload, sizeof(payload), 0) > 0)
		turn();
	assert_int_equal(mq_queue_count(&slow->queue), 0);
	assert_int_equal(mq_inflight_count(&slow->inflight), 1);
}

static void test_message_rate(void **state)
{
	struct mq_client *a;

	(void)state;
	fake.config.message_rate = 1;
	fake.config.message_burst = 2;
	live3(0, "a");
	say(0, "30 (s'a' '1') 30 (s'a' '2') 30 (s'a' '3') C0 00");
	hear(0, "");
	a = session_of("a")->client;
	assert_int_equal(a->holds, MQ_HOLD_RATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_qos0, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_qos1, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_qos2, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_window, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_aliases, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_limits, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_slow, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_message_rate, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
