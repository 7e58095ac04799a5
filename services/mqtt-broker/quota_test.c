/* SPDX-License-Identifier: Apache-2.0
 *
 * What all connections of one user may have together. */
#include "services/mqtt-broker/fake_flock.h"

static int setup(void **state)
{
	int r = fake_setup(state);

	fake.config.user_message_burst = 2;
	fake.config.user_read_burst = 1024;
	return r;
}

static void test_connections(void **state)
{
	(void)state;
	fake.config.user_connections = 2;
	live5(0, "a");
	live3(1, "b");
	join(2);
	say(2, "10 . s'MQTT' 05 C2 0000 () s'c' s'romeo' s'secret'");
	hear(2, "20 . 00 97 (1F s'too many connections of this user')");
	gone(2);
	join(2);
	say(2, "10 . s'MQTT' 04 C2 0000 s'c' s'romeo' s'secret'");
	hear(2, "20 02 00 03");
	gone(2);
	/* Another user's, of the same name on another host. */
	join(3);
	say(3, "10 . s'MQTT' 04 C2 0000 s'c' s'romeo@b.test' s'secret'");
	hear(3, "20 02 00 00");
	/* A takeover is no more than there was. */
	live5(4, "a");
	hear(0, "E0 01 8E");
	gone(0);
	say(1, "E0 00");
	gone(1);
	live5(5, "c");
}

static void test_subscriptions(void **state)
{
	(void)state;
	fake.config.user_subscriptions = 2;
	live5(0, "a");
	live5(1, "b");
	say(0, "82 . 0001 () s'x' 00");
	hear(0, "90 . 0001 () 00");
	say(1, "82 . 0001 () s'x' 00 s'y' 00");
	hear(1, "90 . 0001 () 00 97");
	/* One that is there already may be made again. */
	say(1, "82 . 0002 () s'x' 01");
	hear(1, "90 . 0002 () 01");
	say(0, "A2 . 0003 () s'x'");
	hear(0, "B0 . 0003 () 00");
	say(1, "82 . 0004 () s'y' 00");
	hear(1, "90 . 0004 () 00");
	say(1, "E0 00");
	gone(1);
	say(0, "82 . 0005 () s'x' 00 s'y' 00 s'z' 00");
	hear(0, "90 . 0005 () 00 00 97");
}

/* True: what it said last is answered at once. */
static bool answers(int who)
{
	char got[64];

	say(who, "C0 00");
	return recv(fake.peers[who], got, sizeof(got), 0) > 0;
}

static void later_answers(int who)
{
	char got[64];

	later();
	assert_int_equal(recv(fake.peers[who], got, sizeof(got), 0), 2);
}

static void test_message_rate(void **state)
{
	(void)state;
	fake.config.user_message_rate = 2;
	live5(0, "a");
	live5(1, "b");
	say(0, "30 (s'x' () '1') 30 (s'x' () '2')");
	assert_true(answers(0));
	/* The third is taken, and then nothing more for a time. */
	say(1, "30 . s'x' () '3'");
	assert_false(answers(1));
	assert_true(answers(0));
	later_answers(1);
}

static void test_read_rate(void **state)
{
	(void)state;
	fake.config.user_read_rate = 1024;
	live5(0, "a");
	for (int i = 0; i < 64; i++)
		say(0, "30 . s'x' () '0123456789abcdef'");
	assert_false(answers(0));
	later_answers(0);
}

static void test_off(void **state)
{
	(void)state;
	live5(0, "a");
	live5(1, "b");
	assert_null(list_entry(fake.broker->clients.next, struct mq_client, node)->quota);
	assert_int_equal(fake.broker->users.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_connections, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_subscriptions, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_message_rate, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_read_rate, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_off, setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
