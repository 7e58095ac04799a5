/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/inflight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1] [MQTT311-2.3.1-4] [MQTT311-4.3.2-1] */
static void test_in_order(void **state)
{
	struct mq_inflight f = { 0 };

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		uint16_t id = mq_inflight_add(&f, 1 + i % 2);

		assert_int_equal(id, i % 65535 + 1);
		assert_int_equal(mq_inflight_get(&f, id), i % 2 ? MQ_FLIGHT_QOS2 : MQ_FLIGHT_QOS1);
		if (i >= 100) {
			uint16_t old = (uint16_t)((i - 100) % 65535 + 1);

			assert_int_not_equal(mq_inflight_get(&f, old), MQ_FLIGHT_NONE);
			mq_inflight_set(&f, old, MQ_FLIGHT_NONE);
			assert_int_equal(mq_inflight_get(&f, old), MQ_FLIGHT_NONE);
			assert_int_equal(mq_inflight_count(&f), 100);
		}
	}
	assert_true(f.ring->cap <= 128);
	mq_inflight_fini(&f);
}

/* One that is never acknowledged stops the numbers, and no identifier comes twice. */
static void test_span(void **state)
{
	struct mq_inflight f = { 0 };

	(void)state;
	assert_int_equal(mq_inflight_add(&f, 1), 1);
	for (unsigned i = 1; i < MQ_INFLIGHT_SPAN; i++) {
		uint16_t id = mq_inflight_add(&f, 1);

		assert_int_equal(id, i + 1);
		mq_inflight_set(&f, id, MQ_FLIGHT_NONE);
	}
	assert_int_equal(mq_inflight_add(&f, 1), 0);
	assert_int_equal(mq_inflight_count(&f), 1);
	mq_inflight_set(&f, 1, MQ_FLIGHT_NONE);
	assert_int_equal(mq_inflight_add(&f, 2), MQ_INFLIGHT_SPAN + 1);
	mq_inflight_fini(&f);
}

static void test_unknown(void **state)
{
	struct mq_inflight f = { 0 };
	uint16_t id;

	(void)state;
	assert_int_equal(mq_inflight_get(&f, 0), MQ_FLIGHT_NONE);
	assert_int_equal(mq_inflight_get(&f, 1), MQ_FLIGHT_NONE);
	id = mq_inflight_add(&f, 2);
	assert_int_equal(mq_inflight_get(&f, 0), MQ_FLIGHT_NONE);
	assert_int_equal(mq_inflight_get(&f, 2), MQ_FLIGHT_NONE);
	assert_int_equal(mq_inflight_get(&f, 65535), MQ_FLIGHT_NONE);
	mq_inflight_set(&f, id, MQ_FLIGHT_RELEASED);
	assert_int_equal(mq_inflight_get(&f, id), MQ_FLIGHT_RELEASED);
	assert_int_equal(mq_inflight_count(&f), 1);
	mq_inflight_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_span),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
