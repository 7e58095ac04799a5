/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/session-manager/window.h"

static void in_order_needs_no_bits(void **state)
{
	struct window w = { .synced = true };

	(void)state;
	for (uint64_t n = 1; n <= 5000; n++) {
		assert_int_equal(window_take(&w, n), WINDOW_TAKE);
		assert_true(window_done(&w, n));
		assert_null(w.done);
	}
	assert_int_equal(w.accepted, 5000);
}

static void acceptance_is_cumulative(void **state)
{
	struct window w = { .synced = true };

	(void)state;
	for (uint64_t n = 1; n <= 200; n++)
		assert_int_equal(window_take(&w, n), WINDOW_TAKE);
	for (uint64_t n = 200; n > 1; n--)
		assert_false(window_done(&w, n));
	assert_int_equal(w.accepted, 0);
	assert_true(window_done(&w, 1));
	assert_int_equal(w.accepted, 200);
	assert_null(w.done);
}

static void duplicates_and_gaps_are_told(void **state)
{
	struct window w = { .synced = true };

	(void)state;
	assert_int_equal(window_take(&w, 2), WINDOW_GAP);
	assert_int_equal(window_take(&w, 1), WINDOW_TAKE);
	assert_int_equal(window_take(&w, 1), WINDOW_DUPLICATE);
	assert_true(window_done(&w, 1));
	assert_false(window_done(&w, 1));
	assert_int_equal(window_take(&w, 1), WINDOW_DUPLICATE);
	assert_int_equal(window_take(&w, 3), WINDOW_GAP);
	assert_int_equal(window_take(&w, 0), WINDOW_DUPLICATE);
}

static void a_full_window_takes_no_more(void **state)
{
	struct window w = { .synced = true };

	(void)state;
	for (uint64_t n = 1; n <= WINDOW_SIZE; n++)
		assert_int_equal(window_take(&w, n), WINDOW_TAKE);
	assert_int_equal(window_take(&w, WINDOW_SIZE + 1), WINDOW_FULL);
	for (uint64_t n = 2; n <= WINDOW_SIZE; n++)
		assert_false(window_done(&w, n));
	assert_true(window_done(&w, 1));
	assert_int_equal(w.accepted, WINDOW_SIZE);
	assert_int_equal(window_take(&w, WINDOW_SIZE + 1), WINDOW_TAKE);
	window_fini(&w);
}

static void a_new_owner_learns_where_the_edge_stands(void **state)
{
	struct window w = { 0 };

	(void)state;
	assert_int_equal(window_take(&w, 11), WINDOW_TAKE);
	assert_int_equal(w.accepted, 10);
	assert_int_equal(window_take(&w, 13), WINDOW_GAP);
	assert_true(window_done(&w, 11));

	struct window known = { .accepted = 7, .taken = 7 };

	assert_int_equal(window_take(&known, 6), WINDOW_DUPLICATE);
	assert_int_equal(window_take(&known, 8), WINDOW_TAKE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_needs_no_bits),
		cmocka_unit_test(acceptance_is_cumulative),
		cmocka_unit_test(duplicates_and_gaps_are_told),
		cmocka_unit_test(a_full_window_takes_no_more),
		cmocka_unit_test(a_new_owner_learns_where_the_edge_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
