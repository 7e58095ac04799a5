/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/text/utf8.h"

/* In one piece, byte by byte, and cut in two at every place: what utf8_valid says of the whole. */
static void pieces_are_judged_as_the_whole(void **state)
{
	static const char *const rows[] = {
		"",
		"plain",
		"\xc3\xa9",
		"a\xe2\x82\xac z",
		"\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf",
		"\xed\x9f\xbf\xee\x80\x80",
		/* overlong, a surrogate, above U+10FFFF, a stray byte, cut short, a lead inside */
		"\xc0\x80",
		"\xe0\x9f\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xed\xa0\x80",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"long enough\x80",
		"\xe2\x82",
		"\xe2\xe2\x82\xac",
		"\xff",
		"\xc3\xa9\xc3",
	};

	(void)state;
	for (size_t r = 0; r < sizeof(rows) / sizeof(*rows); r++) {
		struct str s = str_from(rows[r]);

		for (size_t at = 0; at <= s.n; at++) {
			struct utf8_state two = { 0 }, many = { 0 };
			bool ok = utf8_valid_so_far(&two, str_make(s.p, at)) && utf8_valid_so_far(&two, str_make(s.p + at, s.n - at)) &&
			          utf8_between(&two);
			bool each = true;

			for (size_t i = 0; i < s.n && each; i++)
				each = utf8_valid_so_far(&many, str_make(s.p + i, 1));
			assert_int_equal(ok, utf8_valid(s));
			assert_int_equal(each && utf8_between(&many), utf8_valid(s));
		}
	}
}

/* What cannot become valid any more is refused at its first wrong byte. */
static void it_is_refused_early(void **state)
{
	struct utf8_state s = { 0 };

	(void)state;
	assert_true(utf8_valid_so_far(&s, STR("\xf4")));
	assert_false(utf8_valid_so_far(&s, STR("\x90")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_judged_as_the_whole),
		cmocka_unit_test(it_is_refused_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
