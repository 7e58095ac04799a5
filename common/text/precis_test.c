/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of common/text: UTF-8, the derived property of single code points (RFC 8264 section 8), contextual rules, and usernames (RFC 8265
 * section 3.5). */
#include "common/text/precis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/text/idna.h"
#include "common/text/utf8.h"

static void test_utf8(void **state)
{
	char bytes[4];
	uint32_t back;

	(void)state;
	for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
		if (cp >= 0xD800 && cp <= 0xDFFF)
			continue;
		size_t n = utf8_encode(cp, bytes);
		assert_true(utf8_decode(bytes, n, &back) == n && back == cp);
		assert_true(utf8_decode(bytes, n - 1, &back) == 0);
	}
	static const char *const bad[] = { "\x80",
		                           "\xC0\x80",
		                           "\xC1\xBF",
		                           "\xC3",
		                           "\xC3(",
		                           "\xE0\x9F\xBF",
		                           "\xED\xA0\x80",
		                           "\xF0\x8F\xBF\xBF",
		                           "\xF4\x90\x80\x80",
		                           "\xF8\x88\x80\x80\x80",
		                           "\xFF",
		                           "abcdefgh\x80",
		                           "abcdefghi\xC3" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf8_valid(str_from(bad[i])));
	assert_true(utf8_valid(STR("")) && utf8_valid(STR("abcdefghijk\xC3\xBC\xF0\x9F\x98\x80")) && utf8_valid(STR("\0")));
	assert_true(utf8_ascii(STR("abcdefghijk\x7F")) && !utf8_ascii(STR("abcdefghijk\x80")) && !utf8_ascii(STR("abcdefg\x80")));
}

static void test_properties(void **state)
{
	static const struct {
		uint32_t cp;
		enum precis_property property;
	} table[] = {
		{ 'a', PRECIS_PVALID },       { '~', PRECIS_PVALID },       { ' ', PRECIS_FREE_PVAL },     { 0x7F, PRECIS_NEVER },
		{ 0, PRECIS_NEVER },          { 0x85, PRECIS_NEVER },       { 0xA0, PRECIS_FREE_PVAL },    { 0xAD, PRECIS_NEVER },
		{ 0xB7, PRECIS_CONTEXTO },    { 0xDF, PRECIS_PVALID },      { 0xAA, PRECIS_FREE_PVAL },    { 0x149, PRECIS_FREE_PVAL },
		{ 0x1C5, PRECIS_FREE_PVAL },  { 0x378, PRECIS_UNASSIGNED }, { 0x3C2, PRECIS_PVALID },      { 0x640, PRECIS_NEVER },
		{ 0x660, PRECIS_CONTEXTO },   { 0x6F9, PRECIS_CONTEXTO },   { 0x6FD, PRECIS_PVALID },      { 0x7FA, PRECIS_NEVER },
		{ 0x1100, PRECIS_NEVER },     { 0xA960, PRECIS_NEVER },     { 0xAC00, PRECIS_PVALID },     { 0x200C, PRECIS_CONTEXTJ },
		{ 0x200D, PRECIS_CONTEXTJ },  { 0x200B, PRECIS_NEVER },     { 0x202E, PRECIS_NEVER },      { 0x2163, PRECIS_FREE_PVAL },
		{ 0x265A, PRECIS_FREE_PVAL }, { 0x3007, PRECIS_PVALID },    { 0x3031, PRECIS_NEVER },      { 0x30FB, PRECIS_CONTEXTO },
		{ 0x4E00, PRECIS_PVALID },    { 0xD800, PRECIS_NEVER },     { 0xE000, PRECIS_NEVER },      { 0xFDD0, PRECIS_NEVER },
		{ 0xFFFE, PRECIS_NEVER },     { 0xFFFD, PRECIS_FREE_PVAL }, { 0x1F600, PRECIS_FREE_PVAL }, { 0xE0001, PRECIS_NEVER },
		{ 0x10FFFF, PRECIS_NEVER },   { 0x20A9, PRECIS_FREE_PVAL }, { 0xFF21, PRECIS_FREE_PVAL },  { 0x2028, PRECIS_NEVER },
		{ 0x488, PRECIS_FREE_PVAL },  { 0x958, PRECIS_FREE_PVAL },  { 0x1D400, PRECIS_FREE_PVAL }, { 0x16EE, PRECIS_FREE_PVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (precis_property(table[i].cp) != table[i].property)
			fail_msg("U+%04X: %d instead of %d", table[i].cp, precis_property(table[i].cp), table[i].property);
	}
}

static void expect_username(const char *in, enum precis_error error, const char *want)
{
	char out[256];
	size_t n;
	enum precis_error e = precis_username(str_from(in), out, sizeof(out), &n);

	if (e != error || !str_is(str_make(out, n), want))
		fail_msg("%s: %d, %.*s", in, e, (int)n, out);
}

static void test_usernames(void **state)
{
	(void)state;
	/* RFC 8265 tables 1 and 2; spaces are for a profile of user parts, not for one. */
	expect_username("juliet@example.com", PRECIS_OK, "juliet@example.com");
	expect_username("fussball", PRECIS_OK, "fussball");
	expect_username("fu\xC3\x9F"
	                "ball",
	                PRECIS_OK,
	                "fu\xC3\x9F"
	                "ball");
	expect_username("\xCF\x80", PRECIS_OK, "\xCF\x80");
	expect_username("\xCE\xA3", PRECIS_OK, "\xCF\x83");
	expect_username("\xCF\x83", PRECIS_OK, "\xCF\x83");
	expect_username("\xCF\x82", PRECIS_OK, "\xCF\x82");
	expect_username("foo bar", PRECIS_DISALLOWED, "");
	expect_username("", PRECIS_EMPTY, "");
	expect_username("henry\xE2\x85\xA3", PRECIS_DISALLOWED, "");
	expect_username("\xE2\x99\x9A", PRECIS_DISALLOWED, "");
	expect_username("\xE3\x83\xBB", PRECIS_CONTEXT, "");
	expect_username("\xD7\x90"
	                "a",
	                PRECIS_BIDI, "");
	expect_username("\xC3", PRECIS_BAD_UTF8, "");
	/* Cherokee small letters and a Greek iota below: nothing that moves on the second time. */
	expect_username("\xEA\xAD\xB0", PRECIS_OK, "\xEA\xAD\xB0");
	expect_username("\xE1\xBE\xBC", PRECIS_DISALLOWED, "");
	char out[4];
	size_t n;
	assert_int_equal(precis_username(STR("abcde"), out, sizeof(out), &n), PRECIS_TOO_LONG);
	assert_int_equal(precis_username(STR("\xC3\xBC\xC3\xBC\xC3\xBC"), out, sizeof(out), &n), PRECIS_TOO_LONG);
}

static void test_joiner(void **state)
{
	/* Beh, fatha (transparent), ZWNJ, kasra (transparent), beh: RFC 5892 appendix A.1 looks through the marks. */
	static const uint32_t through[] = { 0x628, 0x64E, 0x200C, 0x650, 0x628 };
	static const uint32_t at_end[] = { 0x628, 0x200C, 0x650 };
	static const uint32_t wrong_side[] = { 0x627, 0x200C, 0x628 };

	(void)state;
	assert_true(precis_context_ok(through, 5));
	assert_false(precis_context_ok(at_end, 3));
	assert_false(precis_context_ok(wrong_side, 3));
	assert_true(precis_context_ok(through, 0));
}

static void test_ascii_domain(void **state)
{
	char out[300];
	size_t n;

	(void)state;
	assert_true(idna_domain_ascii(STR("Ex-ample.COM."), out, sizeof(out), &n) && str_is(str_make(out, n), "ex-ample.com"));
	assert_false(idna_domain_ascii(STR("xn--bcher-kva"), out, sizeof(out), &n));
	assert_false(idna_domain_ascii(STR("a"), out, 0, &n));
	assert_true(idna_to_ascii(STR("b\xC3\xBC"
	                              "cher.de"),
	                          out, sizeof(out), &n) &&
	            str_is(str_make(out, n), "xn--bcher-kva.de"));
	assert_true(idna_to_ascii(STR("x.de"), out, sizeof(out), &n) && n == 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8),   cmocka_unit_test(test_properties),   cmocka_unit_test(test_usernames),
		cmocka_unit_test(test_joiner), cmocka_unit_test(test_ascii_domain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
