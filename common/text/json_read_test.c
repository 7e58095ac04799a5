/* SPDX-License-Identifier: Apache-2.0
 *
 * What is JSON and what only looks like it; looking things up in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/text/json_read.h"

static bool reads(const char *text)
{
	struct json_value v;

	return json_read(str_from(text), &v);
}

static void what_is_json(void **state)
{
	static const char *const good[] = { "{}",
		                            " [ ] ",
		                            "0",
		                            "-0.5e+10",
		                            "\"\"",
		                            "\"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		                            "{\"a\":[1,2,{\"b\":null}],\"c\":true}",
		                            "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]" };
	static const char *const bad[] = { "",
		                           " ",
		                           "{",
		                           "[1,]",
		                           "[1 2]",
		                           "{\"a\"}",
		                           "{\"a\":1,}",
		                           "{a:1}",
		                           "{'a':1}",
		                           "01",
		                           "+1",
		                           ".5",
		                           "1.",
		                           "1e",
		                           "-",
		                           "tru",
		                           "nul",
		                           "NaN",
		                           "\"",
		                           "\"\\\"",
		                           "\"\\x\"",
		                           "\"\\u12g4\"",
		                           "\"\\ud800\"",
		                           "\"\\ud800\\u0041\"",
		                           "\"\\udc00\"",
		                           "\"a\nb\"",
		                           "\"\xff\"",
		                           "{} {}",
		                           "[1]]",
		                           "// a\n1",
		                           "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		if (!reads(good[i]))
			fail_msg("refused: %s", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (reads(bad[i]))
			fail_msg("taken: %s", bad[i]);
	}
}

static void members(void **state)
{
	struct json_value o, v, deep;
	int64_t n;
	char text[32];

	(void)state;
	assert_true(json_read(STR("{ \"a\" : 1.9 , \"\\u0062\" : {\"c\":\"x\\u00e9\"}, \"d\":1, \"d\":2 }"), &o));
	assert_int_equal(json_member(&o, "a", &v), JSON_FOUND);
	assert_true(json_integer(&v, &n));
	assert_int_equal(n, 1);
	assert_int_equal(json_member(&o, "b", &v), JSON_FOUND);
	assert_int_equal(json_member(&v, "c", &deep), JSON_FOUND);
	assert_true(json_string(&deep, text, sizeof(text)));
	assert_string_equal(text, "x\303\251");
	assert_false(json_string(&deep, text, 3));
	assert_true(json_string(&deep, text, 4));
	assert_int_equal(json_member(&o, "c", &v), JSON_ABSENT);
	assert_int_equal(json_member(&o, "d", &v), JSON_TWICE);
	assert_int_equal(json_member(&deep, "d", &v), JSON_ABSENT);
	assert_true(json_read(STR("{}"), &o));
	assert_int_equal(json_member(&o, "a", &v), JSON_ABSENT);
}

static void items(void **state)
{
	struct json_value a, v;
	size_t at = 0;
	int64_t n, sum = 0;

	(void)state;
	assert_true(json_read(STR("[1, 20 ,300]"), &a));
	while (json_item(&a, &at, &v)) {
		assert_true(json_integer(&v, &n));
		sum = sum * 10 + n;
	}
	assert_int_equal(sum, 600);
	at = 0;
	assert_true(json_read(STR("[ ]"), &a));
	assert_false(json_item(&a, &at, &v));
	assert_true(json_read(STR("\"x\""), &a));
	assert_false(json_item(&a, &at, &v));
}

static void values_of_another_type(void **state)
{
	static const char *const no_integer[] = { "\"1\"", "1e300", "-1e16", "true", "null", "1000000000000000000000000000000000" };
	struct json_value v;
	char text[8];
	int64_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(no_integer) / sizeof(*no_integer); i++) {
		assert_true(json_read(str_from(no_integer[i]), &v));
		assert_false(json_integer(&v, &n));
	}
	assert_true(json_read(STR("1e3"), &v) && json_integer(&v, &n));
	assert_int_equal(n, 1000);
	assert_false(json_string(&v, text, sizeof(text)));
	assert_true(json_read(STR("\"a\\u0000b\""), &v));
	assert_false(json_string(&v, text, sizeof(text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_json),
		cmocka_unit_test(members),
		cmocka_unit_test(items),
		cmocka_unit_test(values_of_another_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
