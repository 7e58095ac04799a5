/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_lex: see xml_lex.h. */
#include "common/xml/xml_lex.h"

#include "common/text/utf8.h"
#include "common/xml/xml_names.h"

#define SPACE XML_LEX_SPACE
#define URI   XML_LEX_URI
#define PLAIN (XML_LEX_TEXT | XML_LEX_VALUE)
#define NAME  (XML_LEX_NAME | PLAIN | URI)
#define START (XML_LEX_NAME_START | NAME)
const uint8_t xml_lex_class[256] = {
	['\t'] = SPACE | XML_LEX_TEXT,
	['\n'] = SPACE | XML_LEX_TEXT,
	['\r'] = SPACE,
	[' '] = SPACE | PLAIN,
	['!'] = PLAIN | URI,
	['"'] = XML_LEX_TEXT,
	['#' ... '%'] = PLAIN | URI,
	['&'] = URI,
	['\''] = XML_LEX_TEXT | URI,
	['(' ... ','] = PLAIN | URI,
	['-' ... '.'] = NAME,
	['/'] = PLAIN | URI,
	['0' ... '9'] = NAME,
	[':'] = START,
	[';'] = PLAIN | URI,
	['='] = PLAIN | URI,
	['?' ... '@'] = PLAIN | URI,
	['A' ... 'Z'] = START,
	['['] = PLAIN | URI,
	['\\'] = PLAIN,
	[']'] = XML_LEX_VALUE | URI,
	['^'] = PLAIN,
	['_'] = START,
	['`'] = PLAIN,
	['a' ... 'z'] = START,
	['{' ... '}'] = PLAIN,
	['~'] = PLAIN | URI,
	[0x7F] = PLAIN,
	[0x80 ... 0xFF] = XML_LEX_HIGH | URI,
};

bool xml_lex_char(uint32_t cp)
{
	return cp == '\t' || cp == '\n' || cp == '\r' || (cp >= 0x20 && cp <= 0xD7FF) || (cp >= 0xE000 && cp <= 0xFFFD) ||
	       (cp >= 0x10000 && cp <= 0x10FFFF);
}

size_t xml_lex_high(const char *p, size_t n)
{
	uint32_t cp;
	size_t length = utf8_decode(p, n, &cp);

	return length > 0 && xml_lex_char(cp) ? length : 0;
}

size_t xml_lex_name(const char *p, size_t n)
{
	size_t i = 0;

	if (n == 0 || !xml_lex_is(p[0], XML_LEX_NAME_START | XML_LEX_HIGH))
		return 0;
	for (;;) {
		uint32_t cp;

		while (i < n && xml_lex_is(p[i], XML_LEX_NAME))
			i++;
		size_t length = i < n && xml_lex_is(p[i], XML_LEX_HIGH) ? utf8_decode(p + i, n - i, &cp) : 0;
		if (length == 0 || !(i == 0 ? xml_name_start(cp) : xml_name_more(cp)))
			return i;
		i += length;
	}
}

/* "#x41" or "#65". */
static size_t character_reference(struct str name, char *out)
{
	bool hex = name.n > 1 && name.p[1] == 'x';
	uint32_t cp = 0;
	size_t i = hex ? 2 : 1;

	if (i == name.n)
		return 0;
	for (; i < name.n && cp <= 0x10FFFF; i++) {
		char c = name.p[i];

		if (c >= '0' && c <= '9')
			cp = cp * (hex ? 16 : 10) + (uint32_t)(c - '0');
		else if (hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
			cp = cp * 16 + (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return 0;
	}
	return i == name.n && xml_lex_char(cp) ? utf8_encode(cp, out) : 0;
}

size_t xml_lex_reference(struct str name, char *out)
{
	static const struct {
		const char *name;
		char c;
	} known[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "apos", '\'' }, { "quot", '"' } };

	if (name.n > 0 && name.p[0] == '#')
		return character_reference(name, out);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (str_is(name, known[i].name)) {
			*out = known[i].c;
			return 1;
		}
	}
	return 0;
}
