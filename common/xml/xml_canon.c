/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_canon: see xml_canon.h. */
#include "common/xml/xml_canon.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/xml/xml_escape.h"

/* Canonical bytes may outgrow what was received (a prefix becomes a whole xmlns), but not without bound. */
#define GROWTH(received) (2 * (received) + 4096)
/* What a pooled canonicaliser may keep between elements. */
#define KEEP_BYTES    ((size_t)64 << 10)
#define KEEP_ENTRIES  256
#define FIRST_ENTRIES 16

void xml_canon_init(struct xml_canon *c)
{
	*c = (struct xml_canon){ .arena = arena_new(0) };
}

void xml_canon_fini(struct xml_canon *c)
{
	buf_fini(&c->out);
	buf_fini(&c->names);
	arena_free(&c->arena);
	mem_free(c->bindings);
	mem_free(c->levels);
	mem_free(c->prefixed);
	*c = (struct xml_canon){ 0 };
}

struct str xml_canon_outer_ns(const struct xml_head *head)
{
	struct str ns = xml_head_content_ns(head);

	return ns.n ? ns : STR("jabber:client");
}

void xml_canon_trim(struct xml_canon *c)
{
	if (c->out.cap > KEEP_BYTES)
		buf_fini(&c->out);
	if (c->names.cap > KEEP_BYTES)
		buf_fini(&c->names);
	arena_reset(c->arena);
	if (c->bindings_cap <= KEEP_ENTRIES && c->levels_cap <= KEEP_ENTRIES && c->prefixed_cap <= KEEP_ENTRIES)
		return;
	mem_free(c->bindings);
	mem_free(c->levels);
	mem_free(c->prefixed);
	c->bindings = NULL;
	c->levels = NULL;
	c->prefixed = NULL;
	c->bindings_cap = c->levels_cap = c->prefixed_cap = 0;
}

void xml_canon_begin(struct xml_canon *c, const struct xml_head *head, const struct xml_limits *limits)
{
	buf_clear(&c->out);
	buf_clear(&c->names);
	arena_reset(c->arena);
	c->out.max = GROWTH(limits->stanza_bytes);
	c->bindings_n = c->depth = c->elements = 0;
	c->tag_open = c->done = c->is_stanza = c->dropping = false;
	c->limits = limits;
	c->head = head;
	c->condition = c->text = NULL;
}

void xml_canon_fail(struct xml_canon *c, const char *condition, const char *text)
{
	if (c->condition)
		return;
	c->condition = condition;
	c->text = text;
}

static struct str lookup(const struct xml_canon *c, struct str prefix, bool *out_clean)
{
	for (size_t i = c->bindings_n; i-- > 0;) {
		if (str_eq(c->bindings[i].prefix, prefix)) {
			*out_clean = c->bindings[i].clean;
			return c->bindings[i].uri;
		}
	}
	*out_clean = false;
	return xml_head_lookup(c->head, prefix);
}

static void bind(struct xml_canon *c, const struct xml_raw_attr *a)
{
	const char *wrong = xml_ns_check(a->prefix, a->value);

	if (wrong) {
		xml_canon_fail(c, "not-well-formed", wrong);
		return;
	}
	if (c->bindings_n == c->bindings_cap) {
		c->bindings_cap = c->bindings_cap ? 2 * c->bindings_cap : FIRST_ENTRIES;
		c->bindings = mem_realloc(c->bindings, c->bindings_cap * sizeof(*c->bindings));
	}
	c->bindings[c->bindings_n++] = (struct xml_binding){ arena_str(c->arena, a->prefix), arena_str(c->arena, a->value), a->clean };
}

/* First pass over the attributes: limits, names, and namespace declarations, which hold for the element's own name too. */
static void declare(struct xml_canon *c, struct xml_raw_attr *attrs, size_t attrs_n)
{
	for (size_t i = 0; i < attrs_n && !c->condition; i++) {
		struct xml_raw_attr *a = &attrs[i];

		if (a->name.n > c->limits->name_bytes)
			xml_canon_fail(c, "policy-violation", "a name is too long");
		if (!xml_ns_split_attr(a))
			xml_canon_fail(c, "not-well-formed", "a name that is no qualified name");
		if (!a->declares)
			continue;
		if (a->value.n > c->limits->name_bytes)
			xml_canon_fail(c, "policy-violation", "a namespace is too long");
		bind(c, a);
	}
}

static void push_level(struct xml_canon *c, struct str name, struct str ns, size_t bindings)
{
	if (c->depth == c->levels_cap) {
		c->levels_cap = c->levels_cap ? 2 * c->levels_cap : FIRST_ENTRIES;
		c->levels = mem_realloc(c->levels, c->levels_cap * sizeof(*c->levels));
	}
	c->levels[c->depth++] = (struct xml_level){ ns, bindings, c->names.n };
	buf_append(&c->names, name.p, name.n);
}

/* The ordinary case without a call. */
static inline void put(struct xml_canon *c, const char *p, size_t n)
{
	struct buf *out = &c->out;

	if (out->cap - out->n < n || out->max - out->n < n) {
		buf_append(out, p, n);
		return;
	}
	memcpy(out->p + out->n, p, n);
	out->n += n;
}

static void put_str(struct xml_canon *c, struct str s)
{
	put(c, s.p, s.n);
}

#define PUT(c, lit) put(c, "" lit, sizeof(lit) - 1)

static void write_attr(struct xml_canon *c, struct str name, struct str value, bool clean)
{
	PUT(c, " ");
	put_str(c, name);
	PUT(c, "='");
	if (clean)
		put_str(c, value);
	else
		xml_escape_attr(&c->out, value);
	PUT(c, "'");
}

/* The number of the prefix that stands for a namespace on this element: ns1, ns2 ... in the order of first use. Two prefixes of one namespace are
 * one, and so may be two attributes that are written differently, which is not allowed (Namespaces in XML 1.0 section 6.3). */
static size_t number_prefix(struct xml_canon *c, struct str ns, struct str local, bool *out_new)
{
	size_t number = 0, highest = 0;

	for (size_t i = 0; i < c->prefixed_n; i++) {
		const struct xml_prefixed *other = &c->prefixed[i];

		highest = other->number > highest ? other->number : highest;
		if (!str_eq(other->ns, ns))
			continue;
		number = other->number;
		if (str_eq(other->local, local))
			xml_canon_fail(c, "not-well-formed", "an attribute twice");
	}
	*out_new = number == 0;
	number = number ? number : highest + 1;
	if (c->prefixed_n == c->prefixed_cap) {
		c->prefixed_cap = c->prefixed_cap ? 2 * c->prefixed_cap : FIRST_ENTRIES;
		c->prefixed = mem_realloc(c->prefixed, c->prefixed_cap * sizeof(*c->prefixed));
	}
	c->prefixed[c->prefixed_n++] = (struct xml_prefixed){ ns, local, number };
	return number;
}

static void write_prefixed(struct xml_canon *c, const struct xml_raw_attr *a)
{
	bool clean, new;
	struct str ns = lookup(c, a->prefix, &clean);
	char name[32];

	if (!ns.p) {
		xml_canon_fail(c, "not-well-formed", "an attribute's prefix is not declared");
		return;
	}
	size_t number = number_prefix(c, ns, a->local, &new);
	int n = snprintf(name, sizeof(name), "xmlns:ns%zu", number);
	if (new)
		write_attr(c, str_make(name, (size_t)n), ns, clean);
	PUT(c, " ");
	put(c, name + 6, (size_t)n - 6);
	put(c, ":", 1);
	put_str(c, a->local);
	PUT(c, "='");
	xml_escape_attr(&c->out, a->value);
	PUT(c, "'");
}

/* False: the attribute does not go into the bytes. */
static bool tell_summary(struct xml_canon *c, struct str name, struct str value)
{
	if (c->depth == 1)
		return xml_summary_attr(&c->summary, c->arena, name, value);
	if (c->depth == 2)
		xml_summary_child_attr(&c->summary, c->arena, name, value);
	return true;
}

/* Second pass. On a stanza's root the summary takes what it wants, and keeps the addresses to itself. */
static void write_attributes(struct xml_canon *c, const struct xml_raw_attr *attrs, size_t attrs_n)
{
	bool is_root = c->depth == 1, lang_seen = false;

	c->prefixed_n = 0;
	for (size_t i = 0; i < attrs_n && !c->condition; i++) {
		const struct xml_raw_attr *a = &attrs[i];

		if (a->declares)
			continue;
		if (a->prefix.n == 0) {
			if (!c->is_stanza || tell_summary(c, a->name, a->value))
				write_attr(c, a->name, a->value, a->clean);
		} else if (str_eq(a->prefix, STR("xml"))) {
			lang_seen = lang_seen || str_eq(a->local, STR("lang"));
			write_attr(c, a->name, a->value, a->clean);
		} else {
			write_prefixed(c, a);
		}
	}
	/* RFC 6120 section 8.1.5: a stanza without a language has its stream's, and keeps it when it leaves the stream. */
	struct str lang = xml_head_lang(c->head);
	if (is_root && c->is_stanza && !lang_seen && lang.n)
		write_attr(c, STR("xml:lang"), lang, false);
}

static void close_start_tag(struct xml_canon *c)
{
	if (c->tag_open)
		PUT(c, ">");
	c->tag_open = false;
}

/* A stanza-id is a server's word. One that a client wrote is forged, whosever name it bears (XEP-0359 section 3.1). */
static bool is_forged_id(const struct xml_canon *c, struct str local, struct str ns)
{
	return c->depth == 2 && c->is_stanza && str_eq(local, STR("stanza-id")) && str_eq(ns, STR("urn:xmpp:sid:0")) &&
	       str_eq(xml_canon_outer_ns(c->head), STR("jabber:client"));
}

/* Places the element in the stanza; depth counts it already. */
static void classify(struct xml_canon *c, struct str local, struct str ns)
{
	if (c->dropping)
		return;
	if (c->depth == 1)
		c->is_stanza = str_eq(ns, xml_canon_outer_ns(c->head)) && xml_summary_begin(&c->summary, local);
	else if (c->depth == 2 && c->is_stanza)
		xml_summary_child(&c->summary, c->arena, local, ns, str_eq(ns, c->levels[0].ns));
}

static void check_limits(struct xml_canon *c, struct str name)
{
	if (c->done)
		xml_canon_fail(c, "not-well-formed", "a second element");
	if (++c->elements > c->limits->elements)
		xml_canon_fail(c, "policy-violation", "too many elements");
	if (c->depth + 2 > c->limits->depth)
		xml_canon_fail(c, "policy-violation", "nested too deep");
	if (name.n > c->limits->name_bytes)
		xml_canon_fail(c, "policy-violation", "a name is too long");
}

static void check_size(struct xml_canon *c)
{
	if (c->out.overflow)
		xml_canon_fail(c, "policy-violation", "too large");
}

void xml_canon_start(struct xml_canon *c, struct str name, struct xml_raw_attr *attrs, size_t attrs_n)
{
	struct str prefix, local, outer;
	size_t bindings = c->bindings_n;
	bool clean;

	if (c->condition)
		return;
	check_limits(c, name);
	if (!xml_ns_split(name, &prefix, &local))
		xml_canon_fail(c, "not-well-formed", "a name that is no qualified name");
	declare(c, attrs, attrs_n);
	if (c->condition)
		return;
	struct str ns = lookup(c, prefix, &clean);
	if (!ns.p && prefix.n > 0) {
		xml_canon_fail(c, "not-well-formed", "an element's prefix is not declared");
		return;
	}
	/* Legal and unheard of; it could not be written without its prefix. */
	if (str_eq(ns, STR(XML_NS_XML))) {
		xml_canon_fail(c, "bad-namespace-prefix", "an element in the namespace of xml:lang");
		return;
	}
	outer = c->depth ? c->levels[c->depth - 1].ns : xml_canon_outer_ns(c->head);
	push_level(c, name, ns, bindings);
	/* Cut off again at its end, with the '>' before it where nothing else stood there: an empty root is written as one. */
	if (is_forged_id(c, local, ns)) {
		c->dropping = true;
		c->dropped_at = c->out.n;
		c->dropped_open = c->tag_open;
	}
	close_start_tag(c);
	classify(c, local, ns);
	PUT(c, "<");
	put_str(c, local);
	if (!str_eq(ns, outer))
		write_attr(c, STR("xmlns"), ns, clean);
	write_attributes(c, attrs, attrs_n);
	c->tag_open = true;
	check_size(c);
}

static void write_end(struct xml_canon *c, struct str name)
{
	struct str prefix, local;

	if (c->tag_open) {
		PUT(c, "/>");
		c->tag_open = false;
		return;
	}
	xml_ns_split(name, &prefix, &local);
	PUT(c, "</");
	put_str(c, local);
	PUT(c, ">");
}

struct str xml_canon_open_name(const struct xml_canon *c)
{
	size_t at = c->depth ? c->levels[c->depth - 1].name_at : 0;

	return c->depth ? str_make(c->names.p + at, c->names.n - at) : (struct str){ NULL, 0 };
}

void xml_canon_end(struct xml_canon *c, struct str name)
{
	if (c->condition)
		return;
	const struct xml_level *level = c->depth ? &c->levels[c->depth - 1] : NULL;
	if (!level || !str_eq(name, xml_canon_open_name(c))) {
		xml_canon_fail(c, "not-well-formed", "mismatched tag");
		return;
	}
	write_end(c, name);
	c->names.n = level->name_at;
	c->bindings_n = level->bindings;
	c->depth--;
	if (c->depth == 1 && c->dropping) {
		c->out.n = c->dropped_at;
		c->tag_open = c->dropped_open;
		c->dropping = false;
	} else if (c->depth == 1 && c->is_stanza) {
		xml_summary_child_end(&c->summary);
	}
	c->done = c->depth == 0;
	check_size(c);
}

/* What every piece of text must go through before it is written; false: do not write. */
static bool begin_text(struct xml_canon *c, struct str text)
{
	if (c->condition)
		return false;
	if (c->depth == 0) {
		xml_canon_fail(c, "bad-format", "text outside of an element");
		return false;
	}
	close_start_tag(c);
	if (c->depth == 2 && c->is_stanza)
		xml_summary_text(&c->summary, text);
	return true;
}

void xml_canon_text(struct xml_canon *c, struct str text)
{
	if (begin_text(c, text) && !xml_escape_text(&c->out, text))
		check_size(c);
}

void xml_canon_plain(struct xml_canon *c, struct str text)
{
	if (!begin_text(c, text))
		return;
	put_str(c, text);
	check_size(c);
}

const struct stanza *xml_canon_stanza(struct xml_canon *c)
{
	if (!c->done || !c->is_stanza)
		return NULL;
	xml_summary_finish(&c->summary, buf_str(&c->out));
	return &c->summary.stanza;
}
