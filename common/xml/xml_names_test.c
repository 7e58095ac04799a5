/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit test of xml_names and xml_lex: every character, in every place, is judged as expat judges it. */
#include "common/xml/xml_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <expat.h>

#include "common/text/utf8.h"
#include "common/xml/xml_lex.h"

static bool expat_accepts(XML_Parser p, const char *before, uint32_t cp, const char *after)
{
	char text[32];
	size_t n = strlen(before), m = strlen(after);

	memcpy(text, before, n);
	n += utf8_encode(cp, text + n);
	memcpy(text + n, after, m);
	XML_ParserReset(p, "UTF-8");
	return XML_Parse(p, text, (int)(n + m), 1) == XML_STATUS_OK;
}

static void test_all(void **state)
{
	XML_Parser p = XML_ParserCreate("UTF-8");

	(void)state;
	for (uint32_t cp = 1; cp <= 0x10FFFF; cp++) {
		/* Behind the names' range everything is alike: a sample will do. */
		if ((cp >= 0xD800 && cp <= 0xDFFF) || (cp > 0x11000 && cp % 251 != 0))
			continue;
		char bytes[5] = "a";
		size_t n = 1 + utf8_encode(cp, bytes + 1);
		bool start = xml_lex_name(bytes + 1, n - 1) == n - 1, more = xml_lex_name(bytes, n) == n;
		bool text = cp == '<' || cp == '&' || (cp < 0x80 ? xml_lex_char(cp) : xml_lex_high(bytes + 1, n - 1) == n - 1);

		/* "<a></>": white space is no part of a name, a slash ends one. */
		if (start != (expat_accepts(p, "<", cp, "/>") && cp != '/'))
			fail_msg("first in a name: U+%04X", cp);
		if (more != (expat_accepts(p, "<a", cp, "/>") && cp > ' ' && cp != '/'))
			fail_msg("in a name: U+%04X", cp);
		if (cp != '<' && cp != '&' && text != expat_accepts(p, "<a>", cp, "</a>"))
			fail_msg("in text: U+%04X", cp);
		if (cp != '<' && cp != '&' && cp != '\'' && text != expat_accepts(p, "<a b='", cp, "'/>"))
			fail_msg("in a value: U+%04X", cp);
	}
	XML_ParserFree(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_all) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
