/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of MQTT's messages against a real PostgreSQL: which one a queue has already, or had; under which an incoming QoS 2 message is routed. */
#include "services/storage/store_mqtt_calls.h"

static void test_again(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence fence = open_new(f, "again.example/dev"), other = open_new(f, "again.example/other");
	struct queued q = { .fence = fence, .seq = 1, .origin = UINT64_MAX, .number = 1 };
	struct answer a[3];

	for (q.qos = 1; q.qos <= 2; q.qos++) {
		q.number = 10 * q.qos;
		q.again = false;
		assert_int_equal(queue_call(f, &q), STORED);
		/* Not asked for: stored. */
		q.seq++;
		assert_int_equal(queue_call(f, &q), STORED);
		q.seq++;
		q.again = true;
		assert_int_equal(queue_call(f, &q), DUPLICATE);
		/* Another number, another session, no name. */
		q.number++;
		assert_int_equal(queue_call(f, &q), STORED);
		q.seq++;
		q.number--;
		q.fence = other;
		assert_int_equal(queue_call(f, &q), STORED);
		q.fence = fence;
		q.origin = 0;
		assert_int_equal(queue_call(f, &q), STORED);
		q.seq++;
		q.origin = UINT64_MAX;
	}
	/* All at once: one. */
	q.qos = 1;
	q.number = 5;
	for (int i = 0; i < 3; i++) {
		queue_send(f, &q, &a[i]);
		q.seq++;
	}
	assert_int_equal(queue_end(f, &a[0]), STORED);
	assert_int_equal(queue_end(f, &a[1]), DUPLICATE);
	assert_int_equal(queue_end(f, &a[2]), DUPLICATE);
}

/* Of QoS 2 the name stays when it is complete, for ten minutes; of QoS 1 it does not. */
static void test_names(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence fence = open_new(f, "names.example/dev");
	struct queued q = { .fence = fence, .seq = 1, .origin = 3, .number = 1, .qos = 2, .again = true };

	assert_int_equal(queue_call(f, &q), STORED);
	assert_int_equal(done_call(f, fence, NULL, 0, (uint64_t[]){ 1 }, 1), OK);
	assert_int_equal(queue_call(f, &q), DUPLICATE);
	assert_int_equal(done_call(f, fence, (uint64_t[]){ 1 }, 1, NULL, 0), OK);
	assert_int_equal(queue_call(f, &q), DUPLICATE);
	fixture_sql(f, "UPDATE mqtt_name SET at_us = at_us - 590000000");
	assert_int_equal(fixture_sql(f, "SELECT mqtt_forget_names(10)"), 0);
	assert_int_equal(queue_call(f, &q), DUPLICATE);
	fixture_sql(f, "UPDATE mqtt_name SET at_us = at_us - 11000000");
	assert_true(fixture_sql(f, "SELECT mqtt_forget_names(10)") >= 1);
	assert_int_equal(queue_call(f, &q), STORED);
	q = (struct queued){ .fence = fence, .seq = 2, .origin = 3, .number = 2, .qos = 1, .again = true };
	assert_int_equal(queue_call(f, &q), STORED);
	assert_int_equal(done_call(f, fence, (uint64_t[]){ 2 }, 1, NULL, 0), OK);
	assert_int_equal(queue_call(f, &q), STORED);
	/* Without a name nothing is kept. */
	q = (struct queued){ .fence = fence, .seq = 3, .qos = 2 };
	assert_int_equal(queue_call(f, &q), STORED);
	fixture_sql(f, "TRUNCATE mqtt_name");
	assert_int_equal(done_call(f, fence, (uint64_t[]){ 3 }, 1, NULL, 0), OK);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM mqtt_name"), 0);
}

/* How far names are looked for: QoS 2 anywhere, QoS 1 among the newest 4000. */
static void test_names_far_back(void **state)
{
	struct fixture *f = *state;
	Starling__MqttFence fence = open_new(f, "far.example/dev");
	struct queued one = { .fence = fence, .seq = 1, .origin = 4, .number = 1, .qos = 1 }, two = one;
	char sql[256];

	two.seq = two.number = two.qos = 2;
	assert_int_equal(queue_call(f, &one), STORED);
	assert_int_equal(queue_call(f, &two), STORED);
	snprintf(sql, sizeof sql, "INSERT INTO mqtt_queue SELECT %llu, n, 4, n, 1, NULL, 'x' FROM generate_series(3, 4000) n",
	         (unsigned long long)fence.session);
	fixture_sql(f, sql);
	one.again = two.again = true;
	assert_int_equal(queue_call(f, &one), DUPLICATE);
	snprintf(sql, sizeof sql, "INSERT INTO mqtt_queue SELECT %llu, n, 4, n, 1, NULL, 'x' FROM generate_series(4001, 5000) n",
	         (unsigned long long)fence.session);
	fixture_sql(f, sql);
	one.seq = two.seq = 6000;
	assert_int_equal(queue_call(f, &two), DUPLICATE);
	assert_int_equal(queue_call(f, &one), STORED);
}

static void test_receive(void **state)
{
	struct fixture *f = *state;
	struct opening o = { .name = "receive.example/dev" };
	Starling__MqttFence fence = open_ok(f, &o, false), other = open_new(f, "receive.example/other");
	struct name first, second, third;
	struct answer a[3];

	assert_int_equal(receive_call(f, fence, 65535, &first), OK);
	assert_true(first.origin != 0 && !first.again);
	assert_int_equal(receive_call(f, fence, 65535, &second), OK);
	assert_true(second.origin == first.origin && second.number == first.number && second.again);
	/* Another packet, another session: other names. */
	assert_int_equal(receive_call(f, fence, 1, &second), OK);
	assert_int_equal(receive_call(f, other, 1, &third), OK);
	assert_true(!second.again && !third.again && second.number != first.number && third.origin != first.origin);
	/* A former owner is refused; the next one has the same names. */
	fence.epoch = open_ok(f, &o, true).epoch;
	assert_int_equal(receive_call(f, mqtt_fence(fence.session, 1), 65535, NULL), FENCED);
	assert_int_equal(released_call(f, mqtt_fence(fence.session, 1), (uint32_t[]){ 65535 }, 1), FENCED);
	assert_int_equal(receive_call(f, fence, 65535, &second), OK);
	assert_true(second.number == first.number && second.again);
	/* Released, more than once: the packet is another one then. */
	assert_int_equal(released_call(f, fence, (uint32_t[]){ 65535, 7, 65535 }, 3), OK);
	assert_int_equal(released_call(f, fence, (uint32_t[]){ 65535 }, 1), OK);
	assert_int_equal(receive_call(f, fence, 65535, &second), OK);
	assert_true(second.number != first.number && !second.again);
	/* Three at once, the first of them from a former owner. */
	for (int i = 0; i < 3; i++)
		receive_send(f, mqtt_fence(fence.session, i == 0 ? 1 : fence.epoch), 9, &a[i]);
	assert_int_equal(receive_end(f, &a[0], NULL), FENCED);
	assert_int_equal(receive_end(f, &a[1], &first), OK);
	assert_int_equal(receive_end(f, &a[2], &third), OK);
	assert_true(first.number > 0 && !first.again && third.again && third.number == first.number && third.origin == first.origin);
	assert_int_equal(receive_call(f, fence, 0, NULL), INVALID);
	assert_int_equal(receive_call(f, fence, 65536, NULL), INVALID);
	assert_int_equal(receive_call(f, mqtt_fence(fence.session, 0), 1, NULL), INVALID);
	assert_int_equal(released_call(f, fence, (uint32_t[]){ 1, 0 }, 2), INVALID);
	assert_int_equal(released_call(f, fence, (uint32_t[]){ 65536 }, 1), INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_far_back),
		cmocka_unit_test(test_receive),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
