/* SPDX-License-Identifier: Apache-2.0
 *
 * path_test: how the way of records changes, each state and event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/runtime/path.h"

static void test_every_step(void **state)
{
	static const struct {
		enum path_state from;
		enum path_event event;
		enum path_state to;
		unsigned todo;
	} steps[] = {
		{ PATH_ROUTED, PATH_UP, PATH_SWITCHING, PATH_MARK },
		{ PATH_ROUTED, PATH_DOWN, PATH_ROUTED, 0 },
		{ PATH_ROUTED, PATH_ANSWERED, PATH_ROUTED, 0 },
		{ PATH_ROUTED, PATH_UNROUTED, PATH_ROUTED, 0 },
		{ PATH_ROUTED, PATH_REMIND, PATH_ROUTED, 0 },
		{ PATH_SWITCHING, PATH_UP, PATH_SWITCHING, PATH_MARK },
		{ PATH_SWITCHING, PATH_DOWN, PATH_ROUTED, PATH_GO_ROUTED },
		{ PATH_SWITCHING, PATH_ANSWERED, PATH_DIRECT, PATH_GO_DIRECT },
		{ PATH_SWITCHING, PATH_UNROUTED, PATH_DIRECT, PATH_GO_DIRECT },
		{ PATH_SWITCHING, PATH_REMIND, PATH_SWITCHING, PATH_MARK },
		{ PATH_DIRECT, PATH_UP, PATH_DIRECT, 0 },
		{ PATH_DIRECT, PATH_DOWN, PATH_ROUTED, 0 },
		{ PATH_DIRECT, PATH_ANSWERED, PATH_DIRECT, 0 },
		{ PATH_DIRECT, PATH_UNROUTED, PATH_DIRECT, 0 },
		{ PATH_DIRECT, PATH_REMIND, PATH_DIRECT, 0 },
	};
	const size_t n = sizeof(steps) / sizeof(*steps);

	(void)state;
	assert_int_equal(n, PATH_STATES * PATH_EVENTS);
	for (size_t i = 0; i < n; i++) {
		struct path p = { .out = steps[i].from };

		assert_int_equal(path_event(&p, steps[i].event), steps[i].todo);
		assert_int_equal(p.out, steps[i].to);
	}
}

static void test_marker_before_the_connection(void **state)
{
	struct path p = { 0 };

	(void)state;
	assert_false(path_marked(&p, 7)); /* it came through the router before Open was answered here */
	assert_false(p.in_direct);
	assert_true(path_connected(&p, 7));
	assert_true(p.in_direct);
	assert_true(path_marked(&p, 7)); /* a reminder is answered too */
}

static void test_marker_of_another_connection(void **state)
{
	struct path p = { 0 };

	(void)state;
	assert_false(path_connected(&p, 7));
	assert_false(path_marked(&p, 6));
	assert_false(path_marked(&p, 0));
	assert_false(p.in_direct);
	path_disconnected(&p);
	assert_false(path_marked(&p, 0)); /* no connection is not connection 0 */
	assert_false(p.in_direct);
}

static void test_settled_in_both_directions_only(void **state)
{
	struct path p = { 0 };

	(void)state;
	path_connected(&p, 7);
	path_event(&p, PATH_UP);
	assert_string_equal(path_name(&p), "held");
	path_event(&p, PATH_ANSWERED);
	assert_string_equal(path_name(&p), "direct");
	assert_false(path_settled(&p));
	path_marked(&p, 7);
	assert_true(path_settled(&p));
	path_disconnected(&p);
	path_event(&p, PATH_DOWN);
	assert_string_equal(path_name(&p), "router");
	assert_false(path_settled(&p));
}

static void test_other_end_gives_up(void **state)
{
	struct path p = { 0 };

	(void)state;
	assert_false(path_arrived(&p, false));
	path_connected(&p, 7);
	assert_false(path_arrived(&p, false)); /* still before its marker */
	path_marked(&p, 7);
	assert_false(path_arrived(&p, true));
	assert_true(path_arrived(&p, false));
}

static void test_without_a_marker(void **state)
{
	struct path p = { 0 };

	(void)state;
	path_connected(&p, 7);
	assert_false(path_arrived(&p, true)); /* the last router was lost before the marker */
	assert_true(p.in_direct);
	assert_true(path_arrived(&p, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_step),
		cmocka_unit_test(test_marker_before_the_connection),
		cmocka_unit_test(test_marker_of_another_connection),
		cmocka_unit_test(test_settled_in_both_directions_only),
		cmocka_unit_test(test_other_end_gives_up),
		cmocka_unit_test(test_without_a_marker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
