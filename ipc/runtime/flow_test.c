/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "ipc/runtime/flow.h"

static void test_window(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, 3, 10);
	for (int i = 0; i < 3; i++) {
		assert_true(flow_open(&f));
		f.outstanding++;
	}
	assert_false(flow_open(&f));
	flow_credit(&f, 2);
	assert_int_equal(f.outstanding, 1);
	flow_credit(&f, 100); /* after a reset grants may be too many */
	assert_int_equal(f.outstanding, 0);
	flow_fini(&f);
}

static void test_queue_order_and_pressure(void **state)
{
	struct flow f;
	struct flow_waiting w = { 0 };
	struct str record;

	(void)state;
	flow_init(&f, 0, 8);
	for (uint64_t i = 1; i <= 8; i++) {
		char text[8] = { (char)('0' + i) };

		assert_false(flow_full(&f));
		w.call = i;
		assert_int_equal(flow_push(&f, &w, str_make(text, i)), i == 4 ? FLOW_HIGH : FLOW_SAME);
	}
	assert_true(flow_full(&f));
	for (uint64_t i = 1; i <= 8; i++) {
		assert_true(flow_peek(&f, &w, &record));
		assert_int_equal(w.call, i);
		assert_int_equal(record.n, i);
		assert_int_equal(record.p[0], '0' + (int)i);
		assert_int_equal(flow_pop(&f), i == 7 ? FLOW_LOW : FLOW_SAME); /* one left: under a quarter of eight */
	}
	assert_false(flow_peek(&f, &w, &record));
	assert_null(f.queue.p);
	flow_fini(&f);
}

static void test_bytes_count_too(void **state)
{
	struct flow f;
	struct flow_waiting w = { 0 };
	size_t n = 1u << 20;
	char *large = mem_zalloc(n);
	unsigned pushed = 0;

	(void)state;
	flow_init(&f, 0, 100000);
	while (!flow_full(&f)) {
		flow_push(&f, &w, str_make(large, n));
		pushed++;
	}
	assert_in_range(pushed, 120, 128);
	flow_drop(&f);
	assert_int_equal(f.queued, 0);
	flow_fini(&f);
	mem_free(large);
}

static void test_grants(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, 0, 0);
	assert_true(flow_consumed(&f, 1));
	f.owed = 0;
	for (int i = 0; i < 3; i++)
		assert_false(flow_consumed(&f, 16));
	assert_true(flow_consumed(&f, 16));
	flow_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_queue_order_and_pressure),
		cmocka_unit_test(test_bytes_count_too),
		cmocka_unit_test(test_grants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
