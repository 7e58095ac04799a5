/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static unsigned taken(struct budget *b, const struct net_addr *a, unsigned tries, uint64_t now_ms)
{
	unsigned n = 0;

	while (tries-- > 0)
		n += budget_take(b, a, now_ms);
	return n;
}

static void test_rate_and_burst(void **state)
{
	struct net_addr a = { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 }, 1 };
	struct budget *b = budget_new(100, 40, 7);

	(void)state;
	assert_int_equal(taken(b, &a, 100, 1000), 40);
	a.port = 2; /* the same network */
	assert_int_equal(taken(b, &a, 100, 1000), 0);
	assert_int_equal(taken(b, &a, 100, 1100), 10);
	assert_int_equal(taken(b, &a, 100, 9000), 40);
	budget_free(&b);
	assert_null(b);
}

/* A flood from everywhere leaves something for each of the rest. */
static void test_networks_are_apart(void **state)
{
	struct budget *b = budget_new(10, 5, 99);
	struct net_addr v4 = { { [10] = 0xff, [11] = 0xff, 10 }, 1 }, v6 = { { 0x20, 0x01, 0x0d, 0xb8 }, 1 };
	unsigned starved = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		v4.ip[14] = (uint8_t)(i >> 8);
		v4.ip[15] = (uint8_t)i;
		starved += taken(b, &v4, 1, 5000) == 0;
	}
	assert_int_equal(starved, 0);
	/* One /64 is one network, whatever stands behind it. */
	for (unsigned i = 0; i < 5; i++) {
		v6.ip[15] = (uint8_t)i;
		assert_int_equal(taken(b, &v6, 1, 9000), 1);
	}
	v6.ip[15] = 200;
	assert_int_equal(taken(b, &v6, 1, 9000), 0);
	budget_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rate_and_burst), cmocka_unit_test(test_networks_are_apart) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
