/* SPDX-License-Identifier: Apache-2.0 */
#include "common/xmpp/datetime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/clock.h"

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} table[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:00:00.000001Z", 1 },
		{ "1970-01-01T00:00:00.0000019Z", 1 },
		{ "1970-01-01T00:00:00.5+00:00", 500000 },
		{ "1970-01-01T02:00:00+02:00", 0 },
		{ "1969-12-31T18:30:00-05:30", 0 },
		{ "1969-07-21T02:56:15Z", -14159025000000 },
		{ "2000-02-29T12:00:00Z", 951825600000000 },
		{ "2023-11-14T22:13:20Z", 1700000000000000 },
		{ "0001-01-01T00:00:00Z", -62135596800000000 },
		{ "9999-12-31T23:59:59.999999Z", 253402300799999999 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int64_t us;

		assert_true(datetime_parse(str_from(table[i].text), &us));
		assert_int_equal(us, table[i].us);
	}
}

static void what_clock_writes(void **state)
{
	(void)state;
	for (int64_t t = 1; t < 4000000000000000; t = t * 3 + 12345) {
		char text[32];
		int64_t us;

		clock_format_utc(t, text);
		assert_true(datetime_parse(str_from(text), &us));
		assert_int_equal(us, t);
	}
}

static void no_times(void **state)
{
	static const char *const bad[] = {
		"",
		"now",
		"2023",
		"2023-11-14",
		"2023-11-14T22:13:20",
		"2023-11-14 22:13:20Z",
		"2023-11-14T22:13:20z",
		"2023-13-14T22:13:20Z",
		"2023-00-14T22:13:20Z",
		"2023-02-29T22:13:20Z",
		"2023-04-31T22:13:20Z",
		"2023-11-14T24:00:00Z",
		"2023-11-14T22:60:20Z",
		"2023-11-14T22:13:60Z",
		"2023-11-14T22:13:20.Z",
		"2023-11-14T22:13:20+2:00",
		"2023-11-14T22:13:20+02",
		"2023-11-14T22:13:20Zx",
		"23-11-14T22:13:20Z",
		"2023-11-14T22:13Z",
		"20231114T22:13:20",
		"+2023-11-14T22:13:20Z",
		"2023-11-14T22:13:20+24:00",
		"0000-01-01T00:00:00Z",
	};
	int64_t us;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (datetime_parse(str_from(bad[i]), &us))
			fail_msg("taken: %s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(times), cmocka_unit_test(what_clock_writes), cmocka_unit_test(no_times) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
