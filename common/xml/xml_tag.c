/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_tag: start tags with their attributes, and the XML declaration with the root's start tag behind it. */
#include "common/base/mem.h"
#include "common/xml/xml_lex.h"
#include "common/xml/xml_reader.h"

struct cursor {
	struct xml_reader *r;
	const char *p, *end;
};

static bool malformed(struct cursor *c, const char *text)
{
	xml_canon_fail(&c->r->canon, "not-well-formed", text);
	return false;
}

static bool skip_space(struct cursor *c)
{
	const char *from = c->p;

	while (c->p < c->end && xml_lex_is(*c->p, XML_LEX_SPACE))
		c->p++;
	return c->p > from;
}

static bool take(struct cursor *c, char want)
{
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

static bool take_name(struct cursor *c, struct str *out)
{
	size_t n = xml_lex_name(c->p, (size_t)(c->end - c->p));

	*out = str_make(c->p, n);
	c->p += n;
	return n > 0;
}

/* '&' at c->p: appends what it stands for. */
static bool expand(struct cursor *c, const char *close, char *to, size_t *n)
{
	const char *semicolon = memchr(c->p, ';', (size_t)(close - c->p));
	struct str name = str_make(c->p + 1, semicolon ? (size_t)(semicolon - c->p) - 1 : 0);
	size_t length = xml_lex_reference(name, to + *n);

	if (length == 0) {
		if (name.n > 0 && xml_lex_name(name.p, name.n) == name.n)
			xml_canon_fail(&c->r->canon, "restricted-xml", "an entity other than the five of XML");
		return malformed(c, "not a reference");
	}
	*n += length;
	c->p = semicolon + 1;
	return true;
}

/* A value that cannot be used as it stands: references, and white space that becomes a space (XML 1.0 section 3.3.3). */
static bool rewrite(struct cursor *c, const char *close, struct str *out)
{
	char *to = arena_alloc(c->r->canon.arena, (size_t)(close - c->p) + 4);
	size_t n = 0;

	out->p = to;
	while (c->p < close) {
		if (*c->p == '&') {
			if (!expand(c, close, to, &n))
				return false;
		} else if (xml_lex_is(*c->p, XML_LEX_SPACE)) {
			c->p += *c->p == '\r' && c->p + 1 < close && c->p[1] == '\n' ? 2 : 1;
			to[n++] = ' ';
		} else {
			to[n++] = *c->p++;
		}
	}
	out->n = n;
	return true;
}

/* Behind the opening quote. */
static bool read_value(struct cursor *c, char quote, struct xml_raw_attr *a)
{
	const char *from = c->p, *p = from, *end = c->end;
	bool as_is = true;

	a->clean = true;
	for (;; p++) {
		while (p < end && xml_lex_is(*p, XML_LEX_VALUE))
			p++;
		if (p == end)
			return malformed(c, "an attribute without end");
		if (*p == quote)
			break;
		if (xml_lex_is(*p, XML_LEX_HIGH)) {
			size_t n = xml_lex_high(p, (size_t)(end - p));

			if (n == 0)
				return malformed(c, "malformed UTF-8 in an attribute");
			p += n - 1;
			continue;
		}
		a->clean = false;
		if (*p == '&' || xml_lex_is(*p, XML_LEX_SPACE))
			as_is = false;
		else if (*p != '\'' && *p != '"' && *p != '>')
			return malformed(c, "a character that an attribute cannot have");
	}
	a->value = str_make(from, (size_t)(p - from));
	if (!as_is && !rewrite(c, p, &a->value))
		return false;
	c->p = p + 1;
	return true;
}

static struct xml_raw_attr *add_attr(struct xml_reader *r)
{
	if (r->attrs_n == r->canon.limits->attributes) {
		xml_canon_fail(&r->canon, "policy-violation", "too many attributes");
		return NULL;
	}
	if (r->attrs_n == r->attrs_cap) {
		r->attrs_cap = r->attrs_cap ? 2 * r->attrs_cap : 16;
		r->attrs = mem_realloc(r->attrs, r->attrs_cap * sizeof(*r->attrs));
	}
	return &r->attrs[r->attrs_n++];
}

/* Name = 'value', behind white space. */
static bool read_attr(struct cursor *c)
{
	struct xml_raw_attr *a = add_attr(c->r);

	if (!a)
		return false;
	if (!take_name(c, &a->name))
		return malformed(c, "not an attribute name");
	for (size_t i = 0; i + 1 < c->r->attrs_n; i++) {
		if (str_eq(c->r->attrs[i].name, a->name))
			return malformed(c, "an attribute twice");
	}
	skip_space(c);
	if (!take(c, '='))
		return malformed(c, "an attribute without value");
	skip_space(c);
	char quote = c->p < c->end ? *c->p : 0;
	if (quote != '\'' && quote != '"')
		return malformed(c, "an attribute without quotes");
	c->p++;
	return read_value(c, quote, a);
}

bool xml_reader_tag(struct xml_reader *r, struct str tag, size_t *out_used, struct str *out_name, bool *out_empty)
{
	struct cursor c = { r, tag.p + 1, tag.p + tag.n };

	r->attrs_n = 0;
	if (!take_name(&c, out_name))
		return malformed(&c, "not an element name");
	for (;;) {
		bool space = skip_space(&c);

		*out_empty = take(&c, '/');
		if (take(&c, '>'))
			break;
		if (*out_empty || !space)
			return malformed(&c, "a malformed start tag");
		if (!read_attr(&c))
			return false;
	}
	*out_used = (size_t)(c.p - tag.p);
	return true;
}

/* One of the declaration's parts: like an attribute, with a value in ASCII. */
static bool read_pseudo(struct cursor *c, const char *want, struct str *out)
{
	const char *before = c->p;
	struct str name;

	if (!skip_space(c) || !take_name(c, &name) || !str_is(name, want)) {
		c->p = before;
		return false;
	}
	skip_space(c);
	if (!take(c, '='))
		return malformed(c, "a malformed XML declaration");
	skip_space(c);
	char quote = c->p < c->end ? *c->p : 0;
	const char *close = (quote == '\'' || quote == '"') ? memchr(c->p + 1, quote, (size_t)(c->end - c->p) - 1) : NULL;
	if (!close)
		return malformed(c, "a malformed XML declaration");
	*out = str_make(c->p + 1, (size_t)(close - c->p) - 1);
	c->p = close + 1;
	return true;
}

/* XML 1.0 section 2.8, behind "<?xml". */
static bool read_declaration(struct cursor *c)
{
	struct str version, encoding, standalone;
	struct xml_canon *canon = &c->r->canon;

	if (!read_pseudo(c, "version", &version) || !str_is(version, "1.0"))
		return malformed(c, "not XML 1.0");
	/* RFC 6120 section 11.6. */
	if (read_pseudo(c, "encoding", &encoding) && !(encoding.n == 5 && strncasecmp(encoding.p, "UTF-8", 5) == 0))
		xml_canon_fail(canon, "unsupported-encoding", "the encoding must be UTF-8");
	if (!canon->condition && read_pseudo(c, "standalone", &standalone) && !str_is(standalone, "yes") && !str_is(standalone, "no"))
		return malformed(c, "a malformed XML declaration");
	skip_space(c);
	if (!take(c, '?') || !take(c, '>'))
		return malformed(c, "a malformed XML declaration");
	skip_space(c);
	return !canon->condition;
}

struct xml_head *xml_reader_header(struct xml_reader *r, struct str bytes, struct xml_header *out_header)
{
	struct cursor c = { r, bytes.p, bytes.p + bytes.n };
	const char *condition, *text;
	struct str name;
	size_t used;
	bool empty;

	*out_header = (struct xml_header){ 0 };
	if (bytes.n > 6 && memcmp(bytes.p, "<?xml", 5) == 0) {
		c.p += 5;
		if (!read_declaration(&c))
			return NULL;
	}
	if (c.p == c.end || *c.p != '<') {
		malformed(&c, "no stream header");
		return NULL;
	}
	if (!xml_reader_tag(r, str_make(c.p, (size_t)(c.end - c.p)), &used, &name, &empty))
		return NULL;
	struct xml_head *head = xml_head_new(name, r->attrs, r->attrs_n, r->canon.limits, out_header, &condition, &text);
	if (!head)
		xml_canon_fail(&r->canon, condition, text);
	else if (empty)
		xml_canon_fail(&r->canon, "bad-format", "a stream header that is closed at once");
	if (r->canon.condition)
		xml_head_free(&head);
	return head;
}
