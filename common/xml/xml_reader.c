/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_reader: elements and text; see xml_reader.h. Start tags are xml_tag.c's. */
#include "common/xml/xml_reader.h"

#include "common/base/mem.h"
#include "common/text/utf8.h"
#include "common/xml/xml_lex.h"

#define KEEP_ATTRS 64
#define CDATA      "<![CDATA["

void xml_reader_init(struct xml_reader *r)
{
	*r = (struct xml_reader){ 0 };
	xml_canon_init(&r->canon);
}

void xml_reader_fini(struct xml_reader *r)
{
	xml_canon_fini(&r->canon);
	mem_free(r->attrs);
	*r = (struct xml_reader){ 0 };
}

void xml_reader_trim(struct xml_reader *r)
{
	xml_canon_trim(&r->canon);
	if (r->attrs_cap <= KEEP_ATTRS)
		return;
	mem_free(r->attrs);
	r->attrs = NULL;
	r->attrs_cap = 0;
}

void xml_reader_begin(struct xml_reader *r, const struct xml_head *head, const struct xml_limits *limits)
{
	xml_canon_begin(&r->canon, head, limits);
	r->in_cdata = false;
}

size_t xml_reader_tail(struct str text)
{
	size_t n = text.n;

	if (n == 0)
		return 0;
	if (text.p[n - 1] == '\r')
		return 1;
	if (text.p[n - 1] == ']')
		return n > 1 && text.p[n - 2] == ']' ? 2 : 1;
	/* Back to the lead byte of the last character: is it all there? */
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		uint8_t c = (uint8_t)text.p[n - back];

		if (c < 0x80)
			return 0;
		if (c >= 0xC0)
			return back < (c < 0xE0 ? 2u : c < 0xF0 ? 3u : 4u) ? back : 0;
	}
	return 0;
}

/* '&' at p: how many bytes the reference takes; 0 on an error. */
static size_t read_reference(struct xml_reader *r, const char *p, const char *end)
{
	const char *semicolon = memchr(p, ';', (size_t)(end - p));
	struct str name = str_make(p + 1, semicolon ? (size_t)(semicolon - p) - 1 : 0);
	char bytes[4];
	size_t n = xml_lex_reference(name, bytes);

	if (n > 0) {
		xml_canon_text(&r->canon, str_make(bytes, n));
		return name.n + 2;
	}
	if (name.n > 0 && xml_lex_name(name.p, name.n) == name.n)
		xml_canon_fail(&r->canon, "restricted-xml", "an entity other than the five of XML");
	else
		xml_canon_fail(&r->canon, "not-well-formed", "not a reference");
	return 0;
}

/* One byte that is not copied as it is: how many bytes it and what belongs to it take; 0 on an error. */
static size_t read_special(struct xml_reader *r, const char *p, const char *end, bool cdata)
{
	size_t rest = (size_t)(end - p);

	switch (*p) {
	case '&':
		if (!cdata)
			return read_reference(r, p, end);
		break;
	case '\r':
		xml_canon_plain(&r->canon, STR("\n"));
		return rest > 1 && p[1] == '\n' ? 2 : 1;
	case ']':
		if (!cdata && rest > 2 && p[1] == ']' && p[2] == '>') {
			xml_canon_fail(&r->canon, "not-well-formed", "]]> in text");
			return 0;
		}
		break;
	case '>':
	case '<':
		break;
	default:
		xml_canon_fail(&r->canon, "not-well-formed", "a character that XML does not have");
		return 0;
	}
	xml_canon_text(&r->canon, str_make(p, 1));
	return 1;
}

/* Character data without a tag in it. */
static void read_text(struct xml_reader *r, const char *p, const char *end, bool cdata)
{
	while (p < end && !r->canon.condition) {
		const char *from = p;

		while (p < end) {
			if (xml_lex_is(*p, XML_LEX_TEXT)) {
				p++;
				continue;
			}
			size_t n = xml_lex_is(*p, XML_LEX_HIGH) ? xml_lex_high(p, (size_t)(end - p)) : 0;
			if (n == 0)
				break;
			p += n;
		}
		if (p > from)
			xml_canon_plain(&r->canon, str_make(from, (size_t)(p - from)));
		if (p < end)
			p += read_special(r, p, end, cdata);
	}
}

static const char *read_cdata(struct xml_reader *r, const char *p, const char *end)
{
	const char *close = memmem(p, (size_t)(end - p), "]]>", 3);

	read_text(r, p, close ? close : end, true);
	if (!close)
		return end;
	r->in_cdata = false;
	return close + 3;
}

static const char *read_end(struct xml_reader *r, const char *p, const char *end)
{
	struct str open = xml_canon_open_name(&r->canon);
	size_t rest = (size_t)(end - p) - 2;

	/* As it nearly always is. */
	if (open.n > 0 && rest > open.n && memcmp(p + 2, open.p, open.n) == 0 && p[2 + open.n] == '>') {
		xml_canon_end(&r->canon, str_make(p + 2, open.n));
		return p + 3 + open.n;
	}
	size_t n = xml_lex_name(p + 2, rest);
	struct str name = str_make(p + 2, n);

	p += 2 + n;
	while (p < end && xml_lex_is(*p, XML_LEX_SPACE))
		p++;
	if (n == 0 || p == end || *p != '>')
		xml_canon_fail(&r->canon, "not-well-formed", "a malformed end tag");
	else
		xml_canon_end(&r->canon, name);
	return p + 1;
}

static const char *read_start(struct xml_reader *r, const char *p, const char *end)
{
	struct str name;
	size_t used;
	bool empty;

	if (!xml_reader_tag(r, str_make(p, (size_t)(end - p)), &used, &name, &empty))
		return end;
	xml_canon_start(&r->canon, name, r->attrs, r->attrs_n);
	if (empty)
		xml_canon_end(&r->canon, name);
	return p + used;
}

static const char *read_markup(struct xml_reader *r, const char *p, const char *end)
{
	size_t rest = (size_t)(end - p);

	if (rest > 1 && p[1] == '/')
		return read_end(r, p, end);
	if (rest > 1 && p[1] != '!')
		return read_start(r, p, end);
	if (rest < sizeof(CDATA) - 1 || memcmp(p, CDATA, sizeof(CDATA) - 1) != 0 || r->canon.depth == 0) {
		xml_canon_fail(&r->canon, "not-well-formed", "malformed markup");
		return end;
	}
	r->in_cdata = true;
	return p + sizeof(CDATA) - 1;
}

bool xml_reader_feed(struct xml_reader *r, struct str bytes)
{
	const char *p = bytes.p, *end = bytes.p + bytes.n;

	while (p < end && !r->canon.condition) {
		if (r->in_cdata) {
			p = read_cdata(r, p, end);
		} else if (*p == '<') {
			p = read_markup(r, p, end);
		} else {
			const char *tag = memchr(p, '<', (size_t)(end - p));

			read_text(r, p, tag ? tag : end, false);
			p = tag ? tag : end;
		}
	}
	return !r->canon.condition;
}
