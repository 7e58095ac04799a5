/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_lex: the smallest parts of XML: names, references, classes of bytes. Shared by the stream's reader and xml_parse. */
#ifndef COMMON_XML_XML_LEX_H
#define COMMON_XML_XML_LEX_H

#include <stdint.h>

#include "common/base/str.h"

enum xml_lex_class {
	XML_LEX_SPACE = 1,      /* space, tab, CR, LF */
	XML_LEX_NAME_START = 2, /* in ASCII; the colon too */
	XML_LEX_NAME = 4,
	XML_LEX_HIGH = 8,   /* part of a character above ASCII */
	XML_LEX_TEXT = 16,  /* copied as it is, both from and to character data */
	XML_LEX_VALUE = 32, /* likewise for attribute values */
	XML_LEX_URI = 64,   /* has a place in a URI (RFC 3986), or is above ASCII */
};
extern const uint8_t xml_lex_class[256];

static inline bool xml_lex_is(char c, unsigned classes)
{
	return (xml_lex_class[(uint8_t)c] & classes) != 0;
}

bool xml_lex_char(uint32_t cp);               /* Char, XML 1.0 section 2.2 */
size_t xml_lex_name(const char *p, size_t n); /* length of the name that begins at p; 0: none does */
size_t xml_lex_high(const char *p, size_t n); /* length of the character above ASCII at p; 0: malformed, or none of XML's */
/* name is what stands between '&' and ';'. Length of the character in out (4 bytes); 0 when it is none. Never longer than the reference. */
size_t xml_lex_reference(struct str name, char *out);

#endif
