/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/positions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void they_are_sorted_and_single(void **state)
{
	const uint64_t in[] = { 5, 1, 9, 5, 3, 9, 7 };
	struct positions p = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		positions_add(&p, in[i]);
	assert_int_equal(p.count, 5);
	for (uint32_t i = 0; i < p.count; i++)
		assert_int_equal(p.at[i], 2 * i + 1);
	assert_false(positions_add(&p, 7));
	assert_true(positions_has(&p, 7));
	assert_false(positions_has(&p, 8));
	positions_fini(&p);
}

static void removal(void **state)
{
	struct positions p = { 0 };

	(void)state;
	assert_false(positions_remove(&p, 1));
	for (uint64_t id = 1; id <= 100; id++)
		positions_add(&p, id);
	assert_true(positions_remove(&p, 1));
	assert_true(positions_remove(&p, 50));
	assert_true(positions_remove(&p, 100));
	assert_false(positions_remove(&p, 50));
	assert_int_equal(p.count, 97);
	assert_int_equal(p.at[0], 2);
	assert_int_equal(p.at[48], 51);
	for (uint64_t id = 1; id <= 100; id++)
		positions_remove(&p, id);
	assert_int_equal(p.count, 0);
	assert_null(p.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_sorted_and_single),
		cmocka_unit_test(removal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
