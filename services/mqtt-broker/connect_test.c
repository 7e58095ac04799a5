/* SPDX-License-Identifier: Apache-2.0
 *
 * How clients come and go: CONNECT, names and passwords, SCRAM, takeover, drain; without a network. */
#include "services/mqtt-broker/fake_flock.h"
#include "services/mqtt-broker/metrics.h"

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

/* [MQTT311-3.1.0-2] */
static void test_second_connect(void **state)
{
	(void)state;
	live3(0, "a");
	say(0, "10 . s'MQTT' 04 C2 0000 s'a' s'romeo' s'secret'");
	gone(0);
}

/* [MQTT-6.0.0-2] [MQTT311-6.0.0-2] */
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

/* [MQTT-3.15.2-1] [MQTT-4.12.0-1] [MQTT-4.12.0-2] [MQTT-4.12.0-5] [MQTT-4.12.1-1] [MQTT-4.12.1-2] */
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

static void test_drain(void **state)
{
	(void)state;
	live5(0, "a");
	fake.elsewhere = "other.test:1883";
	mq_drain(fake.broker);
	for (int i = 0; i < 200 && !skeleton.drained; i++) {
		uv_run(&skeleton.loop, UV_RUN_ONCE);
		if (fake.peers[0] >= 0 && fake.broker->client_count &&
		    ((struct mq_client *)list_entry(fake.broker->clients.next, struct mq_client, node))->state == MQ_CLOSING) {
			hear(0, "E0 . 9C (1C s'other.test:1883')");
			close(fake.peers[0]);
			fake.peers[0] = -1;
		}
	}
	assert_true(skeleton.drained);
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
		cmocka_unit_test_setup_teardown(test_scram, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_drain, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
