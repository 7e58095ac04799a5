/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/reserve.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static void count(const struct reserved *r, void *ctx)
{
	(void)r;
	++*(unsigned *)ctx;
}

static struct reserved socket_like(uint16_t port)
{
	return (struct reserved){ .fd = open("/dev/null", O_RDONLY | O_CLOEXEC), .port = port, .place = 1 };
}

static void test_once_and_for_one(void **state)
{
	unsigned back = 0;
	struct reserve *r = reserve_new(count, &back);
	struct reserved what = socket_like(50001), got;
	uint8_t token[RESERVE_TOKEN_SIZE], wrong[RESERVE_TOKEN_SIZE] = { 0 };

	(void)state;
	assert_true(reserve_put(r, &what, STR("romeo"), 100, token));
	assert_false(reserve_take(r, wrong, STR("romeo"), 100, &got));
	assert_false(reserve_take(r, token, STR("juliet"), 100, &got));
	assert_false(reserve_take(r, token, STR("romeo"), 100 + RESERVE_MS, &got));
	assert_true(reserve_take(r, token, STR("romeo"), 99 + RESERVE_MS, &got));
	assert_int_equal(got.fd, what.fd);
	assert_int_equal(got.port, 50001);
	assert_false(reserve_take(r, token, STR("romeo"), 101, &got));
	close(got.fd);
	reserve_free(&r);
	assert_int_equal(back, 0);
}

static void test_expiry_and_limit(void **state)
{
	unsigned back = 0;
	struct reserve *r = reserve_new(count, &back);
	struct reserved what = socket_like(50001);
	uint8_t token[RESERVE_TOKEN_SIZE];

	(void)state;
	assert_true(reserve_put(r, &what, STR("romeo"), 100, token));
	reserve_expire(r, 99 + RESERVE_MS);
	assert_int_equal(back, 0);
	reserve_expire(r, 100 + RESERVE_MS);
	assert_int_equal(back, 1);
	assert_int_equal(fcntl(what.fd, F_GETFD), -1); /* closed */
	for (unsigned i = 0; i < RESERVE_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "user%u", i / RESERVE_ACCOUNT_MAX);
		what = socket_like((uint16_t)i);
		assert_true(reserve_put(r, &what, str_from(name), 100, token));
		/* One account has so many and no more. */
		if (i + 1 == RESERVE_ACCOUNT_MAX)
			assert_false(reserve_put(r, &what, str_from(name), 100, token));
	}
	what = socket_like(9);
	assert_false(reserve_put(r, &what, STR("romeo"), 100, token));
	close(what.fd);
	reserve_free(&r);
	assert_int_equal(back, 1 + RESERVE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_once_and_for_one), cmocka_unit_test(test_expiry_and_limit) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
