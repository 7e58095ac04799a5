/* SPDX-License-Identifier: Apache-2.0
 *
 * drop-old in the queue of a session that lasts: limits.queue is 3 here, limits.inflight 2. */
#include "services/mqtt-broker/fake_flock.h"
#include "services/mqtt-broker/metrics.h"

static double dropped_before;

static void begin(void)
{
	fake.config.queue_full = MQ_FULL_DROP_OLD;
	dropped_before = mq_metrics.dropped_queue.value;
	pair("01");
}

static unsigned dropped(void)
{
	return (unsigned)(mq_metrics.dropped_queue.value - dropped_before);
}

/* a publishes them to x, and has PUBACK for each. */
static void publish(int from, int to)
{
	char packet[100];

	for (int i = from; i <= to; i++) {
		snprintf(packet, sizeof(packet), "32 . s'x' %04X () '%d'", i, i);
		say(0, packet);
		snprintf(packet, sizeof(packet), "40 02 %04X", i);
		hear(0, packet);
	}
}

static void away(void)
{
	close(fake.peers[1]);
	fake.peers[1] = -1;
	turn();
}

/* What of the queue is in the store. */
static void stored(const char *want)
{
	char got[200] = "";
	size_t n = 0;

	turn();
	for (uint32_t i = 0; i < store.entry_n; i++) {
		if (!store.entries[i].done)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%llu ", (unsigned long long)store.entries[i].seq);
	}
	assert_string_equal(got, want);
}

static void test_away(void **state)
{
	(void)state;
	begin();
	away();
	publish(1, 5);
	assert_int_equal(dropped(), 2);
	stored("3 4 5 ");
	assert_int_equal(session_of("b")->lasting->queued, 3);
	last5(1, "b", PRESENT_5G " 32 (s'x' 0004 () '3') 32 (s'x' 0005 () '4')");
	say(1, "40 02 0004 40 02 0005");
	hear(1, "32 (s'x' 0006 () '5')");
}

/* What the client has and has not acknowledged stays, also when it is all that there may be. */
static void test_in_flight(void **state)
{
	(void)state;
	begin();
	publish(1, 5);
	hear(1, "32 (s'x' 0002 () '1') 32 (s'x' 0003 () '2')");
	assert_int_equal(dropped(), 2);
	stored("1 2 5 ");
	away();
	publish(6, 7);
	assert_int_equal(dropped(), 4);
	stored("1 2 7 ");
	last5(1, "b", PRESENT_5G " 3A (s'x' 0002 () '1') 3A (s'x' 0003 () '2')");
	say(1, "40 02 0002 40 02 0003");
	hear(1, "32 (s'x' 0008 () '7')");
	/* Nothing but what is in flight: then the new one has no room. */
	fake.config.queue_messages = 2;
	say(1, "40 02 0008");
	publish(8, 9);
	hear(1, "32 (s'x' 0009 () '8') 32 (s'x' 000A () '9')");
	publish(10, 10);
	assert_int_equal(dropped(), 5);
	stored("8 9 ");
}

/* Messages on their way to the store cannot be taken out of it; they go when they are there. */
static void test_on_their_way(void **state)
{
	char packet[100];

	(void)state;
	begin();
	away();
	store.mode = STORE_HOLDS;
	for (int i = 1; i <= 6; i++) {
		snprintf(packet, sizeof(packet), "32 . s'x' %04X () '%d'", i, i);
		say(0, packet);
	}
	assert_int_equal(dropped(), 0);
	store.mode = STORE_ANSWERS;
	store_answer(0);
	hear(0, "40 (0001) 40 (0002) 40 (0003) 40 (0004) 40 (0005) 40 (0006)");
	assert_int_equal(dropped(), 3);
	stored("4 5 6 ");
	assert_int_equal(session_of("b")->lasting->queued, 3);
}

/* Of a queue that was there before the broker, the lowest two may be in flight. */
static void test_after_a_kill(void **state)
{
	(void)state;
	begin();
	away();
	publish(1, 3);
	fake_kill();
	live5(0, "a");
	publish(4, 5);
	assert_int_equal(dropped(), 2);
	stored("1 2 5 ");
	last5(1, "b", PRESENT_5G " 3A (s'x' 0002 () '1') 3A (s'x' 0003 () '2')");
}

static void test_drop_new(void **state)
{
	(void)state;
	begin();
	fake.config.queue_full = MQ_FULL_DROP_NEW;
	away();
	publish(1, 5);
	assert_int_equal(dropped(), 2);
	stored("1 2 3 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_away, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_in_flight, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_on_their_way, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_after_a_kill, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_drop_new, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
