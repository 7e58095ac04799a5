/* SPDX-License-Identifier: Apache-2.0
 *
 * What people (table) and programs (json) get to read. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "services/starlingctl/exit_code.h"
#include "services/starlingctl/json.h"
#include "services/starlingctl/table.h"

#include "ipc/proto/envelope.pb-c.h"

static void expect(struct buf *out, const char *text)
{
	struct str s = buf_str(out);

	buf_append_char(out, '\0');
	s = str_make(buf_str(out).p, s.n);
	assert_string_equal(s.p, text);
	buf_fini(out);
}

static void test_json(void **state)
{
	struct json j = { 0 };

	(void)state;
	json_open(&j, NULL, '{');
	json_open(&j, "list", '[');
	json_open(&j, NULL, '{');
	json_text(&j, "a", "x");
	json_number(&j, "n", 3);
	json_close(&j, '}');
	json_open(&j, NULL, '{');
	json_close(&j, '}');
	json_close(&j, ']');
	json_bool(&j, "done", true);
	json_number(&j, "big", 9007199254740991.0);
	json_number(&j, "half", 0.5);
	json_number(&j, "none", NAN);
	json_close(&j, '}');
	expect(&j.out, "{\"list\":[{\"a\":\"x\",\"n\":3},{}],\"done\":true,\"big\":9007199254740991,\"half\":0.5,\"none\":null}");
}

static void quoted(const char *text, const char *expected)
{
	struct json j = { 0 };

	json_text(&j, NULL, text);
	expect(&j.out, expected);
}

static void test_json_quotes(void **state)
{
	(void)state;
	quoted("a\"b\\c", "\"a\\\"b\\\\c\"");
	quoted("\n\x01", "\"\\u000a\\u0001\"");
	quoted("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"");
	quoted("\xC0\xAF", "\"\\ufffd\\ufffd\"");                       /* overlong */
	quoted("\xED\xA0\x80", "\"\\ufffd\\ufffd\\ufffd\"");            /* a surrogate */
	quoted("a\xF0\x9F", "\"a\\ufffd\\ufffd\"");                     /* cut off */
	quoted("\xF5\x80\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""); /* beyond U+10FFFF */
	quoted(NULL, "\"\"");
}

static void test_table(void **state)
{
	static const char *const titles[] = { "NAME", "N", "WHY" };
	struct buf out = { 0 };
	struct table t;

	(void)state;
	table_init(&t, 3, titles, 1u << 1);
	table_cell(&t, "%s", "r\xC3\xB6uter-1");
	table_cell(&t, "%d", 10);
	table_cell(&t, "%s", "");
	table_cell(&t, "%s", "x");
	table_cell(&t, "%d", 9);
	table_cell(&t, "%s", "a\x1B[31m\nb"); /* no escape sequences from clients on the operator's terminal */
	table_write(&t, &out);
	table_fini(&t);
	expect(&out, "NAME       N  WHY\nr\xC3\xB6uter-1  10\nx          9  a?[31m?b\n");
}

static void test_units(void **state)
{
	char s[32];

	(void)state;
	table_duration(9999, s);
	assert_string_equal(s, "9s");
	table_duration(61000, s);
	assert_string_equal(s, "1m 1s");
	table_duration(7320000, s);
	assert_string_equal(s, "2h 2m");
	table_duration(90000000, s);
	assert_string_equal(s, "1d 1h");
	table_size(1536, s);
	assert_string_equal(s, "1.5 KiB");
	table_size(64ull << 20, s);
	assert_string_equal(s, "64 MiB");
}

static void test_exit_codes(void **state)
{
	(void)state;
	assert_int_equal(exit_code_of(STARLING__CODE__CODE_OK), 0);
	assert_int_equal(exit_code_of(STARLING__CODE__CODE_NOT_FOUND), 2);
	assert_int_equal(exit_code_of(STARLING__CODE__CODE_EXISTS), 2);
	assert_int_equal(exit_code_of(STARLING__CODE__CODE_UNAVAILABLE), 75);
	assert_int_equal(exit_code_of(STARLING__CODE__CODE_TIMEOUT), 75);
	assert_int_equal(exit_code_of(STARLING__CODE__CODE_INVALID), 1);
	assert_int_equal(exit_code_of(STARLING__CODE__CODE_DENIED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),  cmocka_unit_test(test_json_quotes), cmocka_unit_test(test_table),
		cmocka_unit_test(test_units), cmocka_unit_test(test_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
