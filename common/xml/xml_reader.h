/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_reader: reads whole tags and text, strictly, and tells xml_canon. It implements what XMPP leaves of XML 1.0 (RFC 6120 section 11): no DTD,
 * comments or processing instructions, UTF-8 only. Written instead of using expat because it takes a third of the time and no memory of its own;
 * the tests and a fuzz target compare the two. */
#ifndef COMMON_XML_XML_READER_H
#define COMMON_XML_XML_READER_H

#include "common/xml/xml_canon.h"

struct xml_reader {
	struct xml_canon canon;
	struct xml_raw_attr *attrs; /* of the start tag being read */
	size_t attrs_n, attrs_cap;
	bool in_cdata;
};

void xml_reader_init(struct xml_reader *r);
void xml_reader_fini(struct xml_reader *r);
void xml_reader_trim(struct xml_reader *r); /* gives back what an unusually large element took */
/* The head is NULL and unused where only a header is read. */
void xml_reader_begin(struct xml_reader *r, const struct xml_head *head, const struct xml_limits *limits);
/* The next bytes of the element: no tag, reference or character is cut at their end (xml_frame sees to that). False on an error, found in canon. */
bool xml_reader_feed(struct xml_reader *r, struct str bytes);
/* How many bytes at the end of a piece of text must wait for what follows: a cut character, a CR, or what may become "]]>". */
size_t xml_reader_tail(struct str text);
/* Reads an XML declaration, if there is one, and the root's start tag, complete. NULL on an error, found in canon. The views in out_header live as long
 * as bytes and the reader are left alone. */
struct xml_head *xml_reader_header(struct xml_reader *r, struct str bytes, struct xml_header *out_header);

/* A start tag from '<' to '>', into canon.arena and attrs: true with its name and whether it is an empty element. */
bool xml_reader_tag(struct xml_reader *r, struct str tag, size_t *out_used, struct str *out_name, bool *out_empty);

#endif
