/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void stamps(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1, "1970-01-01T00:00:00.000001Z" },
		{ -1, "1969-12-31T23:59:59.999999Z" },
		{ -1000000, "1969-12-31T23:59:59Z" },
		{ 951782399500000, "2000-02-28T23:59:59.500000Z" },
		{ 951868800000000, "2000-03-01T00:00:00Z" },
		{ 253402300799000000, "9999-12-31T23:59:59Z" },
		/* Not a year of four digits: XEP-0082 has no form for it. */
		{ INT64_MAX, "1970-01-01T00:00:00Z" },
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		clock_format_utc(rows[i].us, out);
		assert_string_equal(out, rows[i].text);
	}
}

static void monotonic(void **state)
{
	uint64_t before = clock_mono_us();

	(void)state;
	assert_true(clock_mono_us() >= before);
	assert_true(clock_mono_ms() >= before / 1000);
	assert_true(clock_wall_us() > 1700000000000000);
}

static void tokens(void **state)
{
	char one[201], two[201];

	(void)state;
	random_token(one, 200);
	random_token(two, 200);
	assert_int_equal(strlen(one), 200);
	assert_int_equal(strspn(one, "abcdefghijklmnopqrstuvwxyz0123456789"), 200);
	assert_string_not_equal(one, two);
	random_token(one, 0);
	assert_string_equal(one, "");
	assert_true(random_u64() != random_u64());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamps),
		cmocka_unit_test(monotonic),
		cmocka_unit_test(tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
