/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/acks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT311-4.6.0-2] [MQTT311-4.6.0-3] */
/* [MQTT-4.6.0-2]: answers come as the packets came, not as they are known. */
static void test_order(void **state)
{
	struct mq_acks a = { 0 };
	struct mq_ack out;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(mq_acks_push(&a, 4, (uint16_t)(i + 1)), i);
	for (unsigned i = 99; i > 0; i--) {
		mq_acks_done(&a, i, i);
		assert_false(mq_acks_next(&a, &out));
	}
	mq_acks_done(&a, 0, 0);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(mq_acks_next(&a, &out));
		assert_int_equal(out.packet_id, i + 1);
		assert_int_equal(out.reason, i);
	}
	assert_false(mq_acks_next(&a, &out));
	assert_null(a.ring);
	mq_acks_fini(&a);
}

static void test_turn(void **state)
{
	struct mq_acks a = { 0 };
	struct mq_ack out;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t n = mq_acks_push(&a, 5, (uint16_t)i);

		assert_false(mq_acks_next(&a, &out));
		mq_acks_done(&a, n, 0x10);
		assert_true(mq_acks_next(&a, &out));
		assert_int_equal(out.type, 5);
		assert_int_equal(mq_acks_count(&a), 0);
	}
	assert_true(a.ring->cap <= 16);
	mq_acks_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_order), cmocka_unit_test(test_turn) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
