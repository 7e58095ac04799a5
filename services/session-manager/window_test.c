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
		assert_int_equal(window_take(&w, n, 1), WINDOW_TAKE);
		assert_true(window_done(&w, n, 1));
		assert_null(w.done);
	}
	assert_int_equal(w.accepted, 5000);
}

static void acceptance_is_cumulative(void **state)
{
	struct window w = { .synced = true };

	(void)state;
	for (uint64_t n = 1; n <= 200; n++)
		assert_int_equal(window_take(&w, n, 1), WINDOW_TAKE);
	for (uint64_t n = 200; n > 1; n--)
		assert_false(window_done(&w, n, 1));
	assert_int_equal(w.accepted, 0);
	assert_true(window_done(&w, 1, 1));
	assert_int_equal(w.accepted, 200);
	assert_null(w.done);
}

static void duplicates_and_gaps_are_told(void **state)
{
	struct window w = { .synced = true };

	(void)state;
	assert_int_equal(window_take(&w, 2, 1), WINDOW_GAP);
	assert_int_equal(window_take(&w, 1, 1), WINDOW_TAKE);
	assert_int_equal(window_take(&w, 1, 1), WINDOW_DUPLICATE);
	assert_true(window_done(&w, 1, 1));
	assert_false(window_done(&w, 1, 1));
	assert_int_equal(window_take(&w, 1, 1), WINDOW_DUPLICATE);
	assert_int_equal(window_take(&w, 3, 1), WINDOW_GAP);
	assert_int_equal(window_take(&w, 0, 1), WINDOW_DUPLICATE);
}

static void a_full_window_takes_no_more(void **state)
{
	struct window w = { .synced = true };

	(void)state;
	for (uint64_t n = 1; n <= WINDOW_SIZE; n++)
		assert_int_equal(window_take(&w, n, 1), WINDOW_TAKE);
	assert_int_equal(window_take(&w, WINDOW_SIZE + 1, 1), WINDOW_FULL);
	for (uint64_t n = 2; n <= WINDOW_SIZE; n++)
		assert_false(window_done(&w, n, 1));
	assert_true(window_done(&w, 1, 1));
	assert_int_equal(w.accepted, WINDOW_SIZE);
	assert_int_equal(window_take(&w, WINDOW_SIZE + 1, 1), WINDOW_TAKE);
	window_fini(&w);
}

static void a_new_owner_learns_where_the_edge_stands(void **state)
{
	struct window w = { 0 };

	(void)state;
	assert_int_equal(window_take(&w, 11, 1), WINDOW_TAKE);
	assert_int_equal(w.accepted, 10);
	assert_int_equal(window_take(&w, 13, 1), WINDOW_GAP);
	assert_true(window_done(&w, 11, 1));

	struct window known = { .accepted = 7, .taken = 7 };

	assert_int_equal(window_take(&known, 6, 1), WINDOW_DUPLICATE);
	assert_int_equal(window_take(&known, 8, 1), WINDOW_TAKE);
}

/* A lower bound for all that is not accepted, which follows a client that always has some on the way. */
static void since_when_some_are_out(void **state)
{
	struct window w = { .synced = true };

	(void)state;
	assert_int_equal(window_since(&w, 50), 50);
	window_take(&w, 1, 100);
	window_take(&w, 2, 110);
	assert_int_equal(window_since(&w, 200), 100);
	window_done(&w, 1, 120);
	window_take(&w, 3, 130);
	window_take(&w, 4, 40); /* an edge says that it had it long before */
	assert_int_equal(window_since(&w, 200), 40);
	window_done(&w, 2, 140);
	assert_int_equal(window_since(&w, 200), 40);
	window_done(&w, 3, 150);
	window_done(&w, 4, 160);
	assert_int_equal(window_since(&w, 200), 200);
}

static void since_when_moves_on(void **state)
{
	struct window w = { .synced = true };

	(void)state;
	for (uint64_t n = 1; n <= 1000; n++) {
		window_take(&w, n, 10 * n);
		if (n > 10)
			window_done(&w, n - 10, 10 * n + 5);
	}
	assert_in_range(window_since(&w, 10005), 10 * (1000 - 30), 10 * (1000 - 9));
}

static void what_another_owner_had_counts(void **state)
{
	struct window w = { 0 };

	(void)state;
	window_restore(&w, 7, 100, 500);
	assert_int_equal(window_since(&w, 600), 100);
	for (uint64_t n = 8; n <= 7 + WINDOW_SIZE; n++) {
		assert_int_equal(window_take(&w, n, 700), WINDOW_TAKE);
		assert_int_equal(window_since(&w, 800), 100);
		assert_true(window_done(&w, n, 750));
	}
	assert_int_equal(window_since(&w, 900), 900);
}

/* Where nothing is known, that is what is said. */
static void since_when_is_not_known(void **state)
{
	struct window w = { 0 };

	(void)state;
	window_restore(&w, 7, 0, 500);
	window_take(&w, 8, 600);
	assert_int_equal(window_since(&w, 700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_needs_no_bits),
		cmocka_unit_test(acceptance_is_cumulative),
		cmocka_unit_test(duplicates_and_gaps_are_told),
		cmocka_unit_test(a_full_window_takes_no_more),
		cmocka_unit_test(a_new_owner_learns_where_the_edge_stands),
		cmocka_unit_test(since_when_some_are_out),
		cmocka_unit_test(since_when_moves_on),
		cmocka_unit_test(what_another_owner_had_counts),
		cmocka_unit_test(since_when_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
