/* SPDX-License-Identifier: Apache-2.0 */
#include "common/text/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* expected: the lines with | behind each. */
static void cut(struct str text, const char *expected)
{
	struct lines l = { .rest = text };
	unsigned count = 0;
	struct str line;

	while (lines_next(&l, &line)) {
		assert_int_equal(l.number, ++count);
		assert_memory_equal(line.p, expected, line.n);
		assert_int_equal(expected[line.n], '|');
		expected += line.n + 1;
	}
	assert_int_equal(*expected, 0);
	assert_false(lines_next(&l, &line));
}

static void test_lines(void **state)
{
	(void)state;
	cut(STR(""), "");
	cut((struct str){ 0 }, "");
	cut(STR("a"), "a|");
	cut(STR("a\n"), "a|");
	cut(STR("\n"), "|");
	cut(STR("a\r\n\r\n b\r\nc"), "a|| b|c|");
	cut(STR("a\rb\n\r"), "a\rb||");
}

static void test_valid(void **state)
{
	(void)state;
	assert_true(line_valid(STR("")));
	assert_true(line_valid(STR("\xc3\xa4 #")));
	assert_false(line_valid(STR("\xc3")));
	assert_false(line_valid(str_make("a\0b", 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_valid) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
