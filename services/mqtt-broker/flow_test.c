/* SPDX-License-Identifier: Apache-2.0
 *
 * What clients say and hear, from CONNECT to the last acknowledgement, without a network. */
#include "services/mqtt-broker/fake_flock.h"
#include "services/mqtt-broker/metrics.h"

/* --- CONNECT ------------------------------------------------------------------------------------------------------ */

static void test_connect(void **state)
{
	(void)state;
	live5(0, "a");
	live3(1, "b");
	join(2);
	say(2, "10 . s'MQIsdp' 03 C2 0000 s'c' s'romeo' s'secret'");
	hear(2, "20 02 00 00");
	say(0, "C0 00");
	hear(0, "D0 00");
	say(0, "E0 00");
	gone(0);
}

static void test_connect_refused(void **state)
{
	(void)state;
	join(0);
	say(0, "10 . s'MQTT' 05 C2 0000 () s'a' s'romeo' s'wrong'");
	hear(0, "20 . 00 86 ()");
	gone(0);
	join(1);
	say(1, "10 . s'MQTT' 04 C2 0000 s'a' s'romeo' s'wrong'");
	hear(1, "20 02 00 04");
	gone(1);
	join(2);
	say(2, "10 . s'MQTT' 04 02 0000 s'a'");
	hear(2, "20 02 00 05");
	gone(2);
	join(3);
	say(3, "10 . s'MQTT' 06 02 0000 () s'a'");
	turn();
	join(4);
	say(4, "30 . s'a' 'x'");
	gone(4);
	join(5);
	say(5, "10 . s'HTTP' 04 02 0000 s'a'");
	gone(5);
	fake.config.require_tls = true;
	join(6);
	say(6, "10 . s'MQTT' 04 C2 0000 s'a' s'romeo' s'secret'");
	hear(6, "20 02 00 05");
	gone(6);
}

static void test_auth_away(void **state)
{
	(void)state;
	fake.away = true;
	join(0);
	say(0, "10 . s'MQTT' 04 C2 0000 s'a' s'romeo' s'secret'");
	fake_answer(STARLING__CODE__CODE_UNAVAILABLE);
	hear(0, "20 02 00 03");
	gone(0);
	/* The client leaves before the answer comes. */
	join(1);
	say(1, "10 . s'MQTT' 04 C2 0000 s'a' s'romeo' s'secret'");
	close(fake.peers[1]);
	fake.peers[1] = -1;
	turn();
	fake_answer(0);
	assert_int_equal(fake.broker->logins_inside, 0);
}

static void test_second_connect(void **state)
{
	(void)state;
	live3(0, "a");
	say(0, "10 . s'MQTT' 04 C2 0000 s'a' s'romeo' s'secret'");
	gone(0);
}

/* In whatever pieces it comes. */
static void test_pieces(void **state)
{
	static const uint8_t connect[] = "\x10\x1c\x00\x04MQTT\x04\xc2\x00\x00\x00\x01"
	                                 "a\x00\x05romeo\x00\x06secret\xc0\x00\xc0\x00";

	(void)state;
	join(0);
	for (size_t i = 0; i < sizeof(connect) - 1; i++) {
		assert_int_equal(send(fake.peers[0], connect + i, 1, 0), 1);
		turn();
	}
	hear(0, "20 02 00 00 D0 00 D0 00");
	/* All at once, held back while auth is asked. */
	join(1);
	assert_int_equal(send(fake.peers[1], connect, sizeof(connect) - 1, 0), sizeof(connect) - 1);
	turn();
	hear(1, "20 02 00 00 D0 00 D0 00");
	gone(0);
}

static void test_anonymous(void **state)
{
	(void)state;
	fake.config.anonymous = true;
	join(0);
	say(0, "10 . s'MQTT' 04 02 0000 s'a'");
	hear(0, "20 02 00 00");
	/* Another user cannot take the session. */
	join(1);
	say(1, "10 . s'MQTT' 04 C2 0000 s'a' s'romeo' s'secret'");
	hear(1, "20 02 00 02");
	gone(1);
	say(0, "C0 00");
	hear(0, "D0 00");
}

static void test_takeover(void **state)
{
	(void)state;
	live5(0, "a");
	live5(1, "a");
	hear(0, "E0 01 8E");
	gone(0);
	say(1, "C0 00");
	hear(1, "D0 00");
	/* The same identifier on another host is another client's. */
	join(2);
	say(2, "10 . s'MQTT' 04 C2 0000 s'a' s'romeo@b.test' s'secret'");
	hear(2, "20 02 00 00");
	say(1, "C0 00");
	hear(1, "D0 00");
}

/* A session that shall last is none here, and that is said. */
static void test_expiry_told(void **state)
{
	(void)state;
	join(0);
	say(0, "10 . s'MQTT' 05 C0 0000 (11 00000E10) s'a' s'romeo' s'secret'");
	hear(0, "20 . 00 00 (11 00000000 21 0100 22 0004 27 00010000)");
	join(1);
	say(1, "10 . s'MQTT' 04 C0 0000 s'b' s'romeo' s'secret'");
	hear(1, "20 02 00 00");
}

/* --- SCRAM -------------------------------------------------------------------------------------------------------- */

static void test_scram(void **state)
{
	(void)state;
	join(0);
	say(0, "10 . s'MQTT' 05 02 0000 (15 s'SCRAM-SHA-256' 16 s'n,,n=r') s'a'");
	hear(0, "F0 . 18 (15 s'SCRAM-SHA-256' 16 s'c1')");
	say(0, "F0 . 18 (15 s'SCRAM-SHA-256' 16 s'p=x')");
	hear(0, "20 . 00 00 (15 s'SCRAM-SHA-256' 16 s'v' 21 0100 22 0004 27 00010000)");
	/* Again, while it goes on. */
	say(0, "F0 . 19 (15 s'SCRAM-SHA-256' 16 s'n,,n=r')");
	hear(0, "F0 . 18 (15 s'SCRAM-SHA-256' 16 s'c1')");
	say(0, "C0 00 F0 . 18 (15 s'SCRAM-SHA-256' 16 s'p=x')");
	hear(0, "D0 00 F0 . 00 (15 s'SCRAM-SHA-256' 16 s'v')");
	say(0, "F0 . 19 (15 s'SCRAM-SHA-256' 16 s'wrong')");
	hear(0, "E0 01 87");
	gone(0);
	join(1);
	say(1, "10 . s'MQTT' 05 02 0000 (15 s'KERBEROS' 16 s'x') s'a'");
	hear(1, "20 . 00 8C ()");
	gone(1);
}

/* --- PUBLISH ------------------------------------------------------------------------------------------------------ */

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
	assert_int_equal(((struct mq_client *)mq_names_get(&fake.broker->tenants[0].clients, STR("b")))->session->inflight.count, 0);
}

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

/* --- more ----------------------------------------------------------------------------------------------------------- */

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

		assert_int_equal(((struct mq_client *)mq_names_get(&fake.broker->tenants[0].clients, STR("b")))->session->inflight.count,
		                 2);
		snprintf(acks, sizeof(acks), "40 (%04X) 40 (%04X)", i + 1, i + 2);
		say(1, acks);
	}
	assert_int_equal(((struct mq_client *)mq_names_get(&fake.broker->tenants[0].clients, STR("b")))->session->inflight.count, 0);
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
		struct mq_client *b = mq_names_get(&fake.broker->tenants[0].clients, STR("b"));
		char first[100];

		mq_aliases_choose(&b->aliases_out, STR("topic/a"), &d);
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
	slow = ((struct mq_client *)mq_names_get(&fake.broker->tenants[0].clients, STR("b")))->session;
	assert_true(conn_queued(slow->client->conn) < 3 * 65536);
	assert_int_equal(slow->queue.count, 1);
	while (recv(fake.peers[1], payload, sizeof(payload), 0) > 0)
		turn();
	assert_int_equal(slow->queue.count, 0);
	assert_int_equal(slow->inflight.count, 1);
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
	a = mq_names_get(&fake.broker->tenants[0].clients, STR("a"));
	assert_int_equal(a->holds, MQ_HOLD_RATE);
}

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
		uv_run(&fake.loop, UV_RUN_ONCE);
		turn();
		n = recv(fake.peers[0], got, sizeof(got), 0);
	}
	/* The wildcard has nothing of it [MQTT-4.7.2-1]. */
	assert_int_equal(n, 2 + 2 + 29 + 1);
	assert_memory_equal(got + 4, "$SYS/broker/clients/connected1", 30);
}

static void test_drain(void **state)
{
	(void)state;
	live5(0, "a");
	fake.elsewhere = "other.test:1883";
	mq_drain(fake.broker);
	for (int i = 0; i < 200 && !fake.drained; i++) {
		uv_run(&fake.loop, UV_RUN_ONCE);
		if (fake.peers[0] >= 0 && fake.broker->client_count &&
		    ((struct mq_client *)list_entry(fake.broker->clients.next, struct mq_client, node))->state == MQ_CLOSING) {
			hear(0, "E0 . 9C (1C s'other.test:1883')");
			close(fake.peers[0]);
			fake.peers[0] = -1;
		}
	}
	assert_true(fake.drained);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_connect, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_connect_refused, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_auth_away, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_second_connect, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_pieces, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_anonymous, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_takeover, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_expiry_told, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_scram, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_qos0, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_qos1, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_qos2, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_window, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_retained, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_retained_window, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_will, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_shared, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_aliases, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_limits, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_slow, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_message_rate, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_sys, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_drain, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
