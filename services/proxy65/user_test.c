/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DAY 86400000u
#define JID STR("juliet@example.org")

static struct users users;

static void begin(uint32_t streams, uint64_t rate, uint64_t quota)
{
	const struct user_limits limits = { .streams = streams, .rate = rate, .quota = quota, .period_ms = DAY };

	users_init(&users, &limits);
}

static void so_many_streams(void **state)
{
	enum user_verdict why;
	struct user *one;

	(void)state;
	begin(2, 0, 0);
	one = user_enter(&users, JID, 1, &why);
	assert_non_null(one);
	assert_ptr_equal(user_enter(&users, JID, 1, &why), one);
	assert_null(user_enter(&users, JID, 1, &why));
	assert_int_equal(why, USER_STREAMS);
	assert_non_null(user_enter(&users, STR("romeo@example.org"), 1, &why));
	user_leave(one);
	assert_ptr_equal(user_enter(&users, JID, 1, &why), one);
	assert_int_equal(users.count, 2);
	users_fini(&users);
	assert_int_equal(users.count, 0);
}

static void so_many_bytes_a_second(void **state)
{
	enum user_verdict why;
	struct user *user;

	(void)state;
	begin(2, 1000, 0);
	user = user_enter(&users, JID, 5000, &why);
	assert_int_equal(user_allowance(&users, user, 5000), 1000);
	assert_true(user_moved(&users, user, 1000, 5000));
	assert_int_equal(user_allowance(&users, user, 5000), 0);
	assert_in_range(user_allowance(&users, user, 5500), 499, 500);
	assert_int_equal(user_allowance(&users, user, 60000), 1000);
	users_fini(&users);
	begin(2, 0, 0);
	user = user_enter(&users, JID, 5000, &why);
	assert_true(user_allowance(&users, user, 5000) == UINT64_MAX);
	users_fini(&users);
}

static void so_many_bytes_a_day(void **state)
{
	enum user_verdict why;
	struct user *user;

	(void)state;
	begin(2, 0, 100);
	user = user_enter(&users, JID, 0, &why);
	assert_int_equal(user_left(&users, user, 5), 101);
	assert_true(user_moved(&users, user, 40, 5));
	assert_int_equal(user_left(&users, user, 5), 61);
	assert_true(user_moved(&users, user, 60, 10));
	assert_int_equal(user_left(&users, user, 10), 1);
	assert_null(user_enter(&users, JID, 20, &why));
	assert_int_equal(why, USER_QUOTA);
	assert_false(user_moved(&users, user, 1, 30));
	user_leave(user);
	/* Going away and coming back is no new day. */
	users_sweep(&users, 40);
	assert_null(user_enter(&users, JID, DAY - 1, &why));
	user = user_enter(&users, JID, DAY, &why);
	assert_non_null(user);
	assert_true(user_moved(&users, user, 100, DAY + 1));
	users_fini(&users);
}

static void who_is_gone_is_forgotten(void **state)
{
	enum user_verdict why;
	struct user *user;

	(void)state;
	begin(2, 0, 100);
	user = user_enter(&users, JID, 0, &why);
	users_sweep(&users, 2 * DAY);
	assert_int_equal(users.count, 1);
	user_leave(user);
	users_sweep(&users, 2 * DAY);
	assert_int_equal(users.count, 0);
	users_fini(&users);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_streams),
		cmocka_unit_test(so_many_bytes_a_second),
		cmocka_unit_test(so_many_bytes_a_day),
		cmocka_unit_test(who_is_gone_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
