/* SPDX-License-Identifier: Apache-2.0
 *
 * intake and letters: what is acknowledged to the broker, when, and in which order. */
#include "services/mqtt-gateway/flow_for_test.h"

static void test_acknowledged_in_order(void **state)
{
	(void)state;
	publish_as("a/x", "1", 1, false);
	publish_as("a/y", "2", 2, false);
	publish_as("none", "3", 3, false);
	assert_int_equal(f.call_count, 2);
	assert_string_equal(f.calls[0].request->meta->from, "a@things.example.org");
	assert_string_equal(f.calls[0].request->meta->to, "x@example.org");
	assert_int_equal(f.calls[0].request->epoch, 3);
	assert_true(f.calls[0].request->key_stream != 0 && f.calls[0].request->key_number == 1 && !f.calls[0].request->again);
	answer(1, 0);
	got("");
	answer(0, 0);
	got("40 02 0001 | 40 02 0002 | 40 02 0003");
	assert_true(intake_idle(&f.g.intake));
}

static void test_all_recipients(void **state)
{
	(void)state;
	publish_as("two", "1", 1, false);
	answer(0, 0);
	got("");
	/* What can never be taken is done with. */
	answer(0, CODE(INVALID));
	got("40 02 0001");
}

static void test_not_sent(void **state)
{
	double before = gateway_metrics.too_large.value + gateway_metrics.empty.value + gateway_metrics.address.value;

	(void)state;
	publish_as("a/x", "longer than 20 bytes ", 1, false);
	publish_as("a/x", "", 2, false);
	publish_as("a/x@evil", "x", 3, false);
	assert_int_equal(f.call_count, 0);
	got("40 02 0001 | 40 02 0002 | 40 02 0003");
	assert_true(gateway_metrics.too_large.value + gateway_metrics.empty.value + gateway_metrics.address.value == before + 3);
}

/* A passing failure: again, in order, and marked. */
static void test_tried_again(void **state)
{
	(void)state;
	publish_as("a/x", "1", 1, false);
	publish_as("a/x", "2", 2, false);
	answer(0, CODE(UNAVAILABLE));
	answer(0, CODE(UNAVAILABLE));
	assert_int_equal(f.call_count, 0);
	wait_for_call();
	assert_int_equal(f.call_count, 2);
	assert_non_null(strstr(f.calls[0].payload, "<body>1</body>"));
	assert_true(f.calls[0].request->again && f.calls[0].request->age_ms > 0);
	answer(0, 0);
	answer(0, 0);
	got("40 02 0001 | 40 02 0002");
	/* Nobody there. */
	f.nobody = true;
	publish_as("a/x", "3", 3, false);
	assert_int_equal(f.call_count, 0);
	f.nobody = false;
	wait_for_call();
	assert_false(f.calls[0].request->again);
	answer(0, 0);
	got("40 02 0003");
}

/* How old a repetition is that an earlier gateway may have sent, nobody knows. */
static void test_dup(void **state)
{
	(void)state;
	publish_as("a/x", "1", 1, true);
	assert_true(f.calls[0].request->again && f.calls[0].request->age_ms == 0);
	answer(0, CODE(PEER_LOST));
	wait_for_call();
	assert_true(f.calls[0].request->again && f.calls[0].request->age_ms == 0);
	answer(0, 0);
	got("40 02 0001");
}

/* What was not acknowledged comes again from the broker: here nothing of it is sent again, and nothing acknowledged. */
static void test_connection_lost(void **state)
{
	(void)state;
	publish_as("a/x", "1", 1, false);
	publish_as("a/y", "2", 2, false);
	answer(1, CODE(UNAVAILABLE)); /* waits for its turn */
	disconnected();
	assert_true(f.g.intake.count == 0);
	connected(true);
	publish_as("a/x", "1", 1, true);
	publish_as("a/y", "2", 2, true);
	answer(0, CODE(PEER_LOST)); /* the first of the former connection */
	got("");
	for (int i = 0; i < 1000 && f.call_count < 2; i++)
		uv_run(&skeleton.loop, UV_RUN_ONCE);
	assert_int_equal(f.call_count, 2);
	answer(0, 0);
	answer(0, 0);
	got("40 02 0001 | 40 02 0002");
	assert_true(intake_idle(&f.g.intake));
}

static void test_qos_0(void **state)
{
	double slow = gateway_metrics.slow.value;

	(void)state;
	publish_as("zero", "1", 0, false);
	publish_as("zero", "2", 0, false);
	publish_as("zero", "3", 0, false);
	assert_int_equal(f.call_count, 2); /* the window */
	assert_true(gateway_metrics.slow.value == slow + 1);
	assert_true(f.calls[0].request->key_stream == 0 && !f.calls[0].request->again);
	answer(0, CODE(UNAVAILABLE));
	answer(0, 0);
	assert_true(intake_idle(&f.g.intake));
	got("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_acknowledged_in_order), TEST(test_all_recipients), TEST(test_not_sent), TEST(test_tried_again), TEST(test_dup),
		TEST(test_connection_lost),       TEST(test_qos_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
