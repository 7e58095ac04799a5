/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* How many of n turns, so far apart, ended in a rest. */
static unsigned rests(struct pace *p, uint64_t *now_us, unsigned n, uint64_t apart_us, unsigned datagrams)
{
	unsigned out = 0;

	for (unsigned i = 0; i < n; i++) {
		*now_us += apart_us;
		out += pace_turn(p, *now_us, datagrams) > 0;
	}
	return out;
}

static void test_who_is_woken_seldom_never_rests(void **state)
{
	struct pace p = { 0 };
	uint64_t now_us = 1;

	(void)state;
	assert_int_equal(rests(&p, &now_us, 1000, 1000, 1), 0);
	assert_int_equal(rests(&p, &now_us, 1000, 500, 2), 0);
}

/* Not yet: a packet of a picture in ten pieces. */
static void test_a_few_together_are_not_often(void **state)
{
	struct pace p = { 0 };
	uint64_t now_us = 1;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(rests(&p, &now_us, 10, 20, 1), 0);
		now_us += 33000;
	}
}

static void test_who_is_woken_often_rests(void **state)
{
	struct pace p = { 0 };
	uint64_t now_us = 1;

	(void)state;
	assert_in_range(rests(&p, &now_us, 1000, 30, 1), 900, 1000);
	/* Also when most of the time is rest, */
	assert_int_equal(rests(&p, &now_us, 1000, 3 * PACE_REST_US, 8), 1000);
	/* until there is less to do. */
	assert_in_range(rests(&p, &now_us, 1000, 800, 1), 0, 10);
}

static void test_much_is_not_waited_with(void **state)
{
	struct pace p = { 0 };
	uint64_t now_us = 1;

	(void)state;
	assert_int_equal(rests(&p, &now_us, 1000, 100, 64), 0);
	/* Turns for other things are none. */
	assert_int_equal(rests(&p, &now_us, 1000, 100, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_woken_seldom_never_rests),
		cmocka_unit_test(test_a_few_together_are_not_often),
		cmocka_unit_test(test_who_is_woken_often_rests),
		cmocka_unit_test(test_much_is_not_waited_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
