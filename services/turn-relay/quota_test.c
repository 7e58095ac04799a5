/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct net_addr client(uint8_t last)
{
	return (struct net_addr){ { [10] = 0xff, [11] = 0xff, 192, 0, 2, last }, last };
}

static void test_counts(void **state)
{
	struct quota *q = quota_new(&(struct quota_limits){ .total = 5, .per_user = 2, .per_address = 3 });
	struct net_addr here = client(1), there = client(2);

	(void)state;
	assert_int_equal(quota_enter(q, STR("romeo"), &here, 0), QUOTA_OK);
	assert_int_equal(quota_enter(q, STR("romeo"), &there, 0), QUOTA_OK);
	assert_int_equal(quota_enter(q, STR("romeo"), &here, 0), QUOTA_USER);
	assert_int_equal(quota_enter(q, STR("rome"), &here, 0), QUOTA_OK);
	assert_int_equal(quota_enter(q, STR("juliet"), &here, 0), QUOTA_OK);
	assert_int_equal(quota_enter(q, STR("tybalt"), &here, 0), QUOTA_ADDRESS);
	assert_int_equal(quota_enter(q, STR("tybalt"), &there, 0), QUOTA_OK);
	assert_int_equal(quota_enter(q, STR("nurse"), &there, 0), QUOTA_TOTAL);
	quota_leave(q, STR("romeo"), &here);
	assert_int_equal(quota_enter(q, STR("nurse"), &here, 0), QUOTA_OK);
	quota_free(&q);
	assert_null(q);
}

static void test_blocked(void **state)
{
	struct quota *q = quota_new(&(struct quota_limits){ .total = 5, .per_user = 2, .per_address = 3 });
	struct net_addr here = client(1);

	(void)state;
	assert_true(quota_block(q, STR("romeo"), 1000, 0));
	assert_false(quota_block(q, STR("juliet"), 5, 5));
	assert_int_equal(quota_enter(q, STR("romeo"), &here, 999), QUOTA_BLOCKED);
	assert_int_equal(quota_enter(q, STR("juliet"), &here, 999), QUOTA_OK);
	assert_int_equal(quota_enter(q, STR("romeo"), &here, 1000), QUOTA_OK);
	quota_free(&q);
}

static void test_block_has_a_limit(void **state)
{
	struct quota *q = quota_new(&(struct quota_limits){ .total = 5, .per_user = 2, .per_address = 3 });
	char name[16];

	(void)state;
	for (unsigned i = 0; i < QUOTA_BLOCKED_MAX; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		assert_true(quota_block(q, str_from(name), i == 7 ? 10 : 1000, 0));
	}
	assert_true(quota_block(q, STR("user5"), 2000, 0) == false);
	assert_true(quota_block(q, STR("one more"), 2000, 20)); /* user7 has gone */
	assert_false(quota_block(q, STR("another"), 2000, 20));
	quota_free(&q);
}

static void test_a_limit_of_his_own(void **state)
{
	struct quota *q = quota_new(&(struct quota_limits){ .total = 9, .per_user = 1, .per_address = 9 });
	struct net_addr here = client(1);
	struct quota_state s;

	(void)state;
	assert_true(quota_set(q, STR("romeo"), 2));
	assert_true(quota_set(q, STR("tybalt"), 0));
	assert_int_equal(quota_enter(q, STR("tybalt"), &here, 0), QUOTA_USER);
	assert_int_equal(quota_enter(q, STR("romeo"), &here, 0), QUOTA_OK);
	assert_int_equal(quota_enter(q, STR("romeo"), &here, 0), QUOTA_OK);
	assert_int_equal(quota_enter(q, STR("romeo"), &here, 0), QUOTA_USER);
	/* Whom nobody has limited, and who has nothing. */
	quota_look(q, STR("juliet"), 0, &s);
	assert_true(s.limit == 1 && s.used == 0 && !s.own && s.blocked_ms == 0);
	assert_true(quota_block(q, STR("romeo"), 700, 0));
	quota_look(q, STR("romeo"), 100, &s);
	assert_true(s.limit == 2 && s.used == 2 && s.own && s.blocked_ms == 600);
	/* It stays when he has nothing, and what he has stays when it goes. */
	quota_reset(q, STR("romeo"));
	quota_look(q, STR("romeo"), 700, &s);
	assert_true(s.limit == 1 && s.used == 2 && !s.own && s.blocked_ms == 0);
	quota_leave(q, STR("romeo"), &here);
	assert_int_equal(quota_enter(q, STR("romeo"), &here, 700), QUOTA_USER);
	assert_int_equal(quota_enter(q, STR("tybalt"), &here, 700), QUOTA_USER);
	quota_reset(q, STR("nobody"));
	quota_free(&q);
}

static void test_own_limits_have_a_limit(void **state)
{
	struct quota *q = quota_new(&(struct quota_limits){ .total = 9, .per_user = 1, .per_address = 9 });
	char name[16];

	(void)state;
	for (unsigned i = 0; i < QUOTA_OWN_MAX; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		assert_true(quota_set(q, str_from(name), 5));
	}
	assert_false(quota_set(q, STR("one more"), 5));
	assert_true(quota_set(q, STR("user5"), 6));
	quota_reset(q, STR("user5"));
	assert_true(quota_set(q, STR("one more"), 5));
	quota_free(&q);
}

/* Counted at both ends until it has gone over. */
static void test_on_the_way(void **state)
{
	struct quota *q = quota_new(&(struct quota_limits){ .total = 9, .per_user = 9, .per_address = 2 });
	struct net_addr here = client(1), there = client(2), other_port = here;

	(void)state;
	other_port.port++;
	assert_int_equal(quota_enter(q, STR("a"), &here, 0), QUOTA_OK);
	assert_int_equal(quota_enter(q, STR("b"), &there, 0), QUOTA_OK);
	assert_true(quota_hold_address(q, &here, &there));
	assert_int_equal(quota_enter(q, STR("c"), &there, 0), QUOTA_ADDRESS);
	assert_false(quota_hold_address(q, &here, &there));
	quota_leave_address(q, &here);
	/* Gone over: it leaves from there. */
	quota_leave(q, STR("a"), &there);
	assert_int_equal(quota_enter(q, STR("c"), &there, 0), QUOTA_OK);
	assert_int_equal(quota_enter(q, STR("d"), &here, 0), QUOTA_OK);
	assert_int_equal(quota_enter(q, STR("e"), &here, 0), QUOTA_OK);
	/* The address is full, and it is the same. */
	assert_true(quota_hold_address(q, &here, &other_port));
	quota_leave_address(q, &here);
	assert_int_equal(quota_enter(q, STR("f"), &here, 0), QUOTA_ADDRESS);
	quota_free(&q);
}

static void test_failures(void **state)
{
	struct quota *q = quota_new(&(struct quota_limits){ .total = 5, .per_user = 2, .per_address = 3, .failures_a_minute = 6 });
	struct net_addr here = client(1), there = client(2);

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		assert_true(quota_may_try(q, &here, 0));
		assert_true(quota_may_try(q, &here, 0)); /* right attempts cost nothing */
		quota_failed(q, &here, 0);
	}
	assert_false(quota_may_try(q, &here, 0));
	assert_true(quota_may_try(q, &there, 0));
	assert_false(quota_may_try(q, &here, 9000));
	assert_true(quota_may_try(q, &here, 11000));
	quota_free(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_counts),
		                            cmocka_unit_test(test_blocked),
		                            cmocka_unit_test(test_block_has_a_limit),
		                            cmocka_unit_test(test_a_limit_of_his_own),
		                            cmocka_unit_test(test_own_limits_have_a_limit),
		                            cmocka_unit_test(test_on_the_way),
		                            cmocka_unit_test(test_failures) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
