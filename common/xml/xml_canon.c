/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_canon: see xml_canon.h. */
#include "common/xml/xml_canon.h"

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
	arena_reset(c->arena);
	c->out.max = GROWTH(limits->stanza_bytes);
	c->bindings_n = c->depth = c->elements = 0;
	c->tag_open = c->done = c->is_stanza = false;
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

static struct str lookup(const struct xml_canon *c, struct str prefix)
{
	for (size_t i = c->bindings_n; i-- > 0;) {
		if (str_eq(c->bindings[i].prefix, prefix))
			return c->bindings[i].uri;
	}
	return xml_head_lookup(c->head, prefix);
}

static void bind(struct xml_canon *c, struct str prefix, struct str uri)
{
	const char *wrong = xml_ns_check(prefix, uri);

	if (wrong) {
		xml_canon_fail(c, "not-well-formed", wrong);
		return;
	}
	if (c->bindings_n == c->bindings_cap) {
		c->bindings_cap = c->bindings_cap ? 2 * c->bindings_cap : FIRST_ENTRIES;
		c->bindings = mem_realloc(c->bindings, c->bindings_cap * sizeof(*c->bindings));
	}
	c->bindings[c->bindings_n++] = (struct xml_binding){ arena_str(c->arena, prefix), arena_str(c->arena, uri) };
}

/* First pass over the attributes: limits, names, and namespace declarations, which hold for the element's own name too. */
static void declare(struct xml_canon *c, const char *const *atts)
{
	for (size_t i = 0; atts[i] && !c->condition; i += 2) {
		struct str name = str_from(atts[i]), prefix, local;

		if (i / 2 >= c->limits->attributes)
			xml_canon_fail(c, "policy-violation", "too many attributes");
		if (name.n > c->limits->name_bytes)
			xml_canon_fail(c, "policy-violation", "a name is too long");
		if (!xml_ns_split(name, &prefix, &local))
			xml_canon_fail(c, "not-well-formed", "a name that is no qualified name");
		if (!xml_ns_declaration(name, &prefix))
			continue;
		struct str uri = str_from(atts[i + 1]);
		if (uri.n > c->limits->name_bytes)
			xml_canon_fail(c, "policy-violation", "a namespace is too long");
		bind(c, prefix, uri);
	}
}

static void push_level(struct xml_canon *c, size_t bindings)
{
	if (c->depth == c->levels_cap) {
		c->levels_cap = c->levels_cap ? 2 * c->levels_cap : FIRST_ENTRIES;
		c->levels = mem_realloc(c->levels, c->levels_cap * sizeof(*c->levels));
	}
	c->levels[c->depth++] = (struct xml_level){ .bindings = bindings };
}

static void write_attr(struct buf *out, struct str name, struct str value)
{
	buf_append_char(out, ' ');
	buf_append_str(out, name);
	buf_append(out, "='", 2);
	xml_escape_attr(out, value);
	buf_append_char(out, '\'');
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

static void write_prefixed(struct xml_canon *c, struct str prefix, struct str local, struct str value)
{
	struct str ns = lookup(c, prefix);
	bool new;

	if (!ns.p) {
		xml_canon_fail(c, "not-well-formed", "an attribute's prefix is not declared");
		return;
	}
	size_t number = number_prefix(c, ns, local, &new);
	if (new) {
		buf_printf(&c->out, " xmlns:ns%zu='", number);
		xml_escape_attr(&c->out, ns);
		buf_append_char(&c->out, '\'');
	}
	buf_printf(&c->out, " ns%zu:%.*s='", number, STR_ARG(local));
	xml_escape_attr(&c->out, value);
	buf_append_char(&c->out, '\'');
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
static void write_attributes(struct xml_canon *c, const char *const *atts, bool is_root)
{
	bool lang_seen = false;

	c->prefixed_n = 0;
	for (size_t i = 0; atts[i] && !c->condition; i += 2) {
		struct str name = str_from(atts[i]), value = str_from(atts[i + 1]), prefix, local;

		if (xml_ns_declaration(name, &prefix))
			continue;
		xml_ns_split(name, &prefix, &local);
		if (prefix.n == 0) {
			if (!c->is_stanza || tell_summary(c, name, value))
				write_attr(&c->out, name, value);
		} else if (str_is(prefix, "xml")) {
			lang_seen = lang_seen || str_is(local, "lang");
			write_attr(&c->out, name, value);
		} else {
			write_prefixed(c, prefix, local, value);
		}
	}
	/* RFC 6120 section 8.1.5: a stanza without a language has its stream's, and keeps it when it leaves the stream. */
	struct str lang = xml_head_lang(c->head);
	if (is_root && c->is_stanza && !lang_seen && lang.n)
		write_attr(&c->out, STR("xml:lang"), lang);
}

static void close_start_tag(struct xml_canon *c)
{
	if (c->tag_open)
		buf_append_char(&c->out, '>');
	c->tag_open = false;
}

/* Places the element in the stanza; depth counts it already. */
static void classify(struct xml_canon *c, struct str local, struct str ns)
{
	if (c->depth == 1)
		c->is_stanza = str_eq(ns, xml_canon_outer_ns(c->head)) && xml_summary_begin(&c->summary, local);
	else if (c->depth == 2 && c->is_stanza)
		xml_summary_child(&c->summary, c->arena, local, ns, str_eq(ns, c->levels[0].ns));
}

void xml_canon_start(struct xml_canon *c, const char *name, const char *const *atts)
{
	struct str qname = str_from(name), prefix, local;

	if (c->condition)
		return;
	if (c->done)
		xml_canon_fail(c, "not-well-formed", "a second element");
	if (++c->elements > c->limits->elements)
		xml_canon_fail(c, "policy-violation", "too many elements");
	if (c->depth + 2 > c->limits->depth)
		xml_canon_fail(c, "policy-violation", "nested too deep");
	if (qname.n > c->limits->name_bytes)
		xml_canon_fail(c, "policy-violation", "a name is too long");
	if (!xml_ns_split(qname, &prefix, &local))
		xml_canon_fail(c, "not-well-formed", "a name that is no qualified name");
	size_t bindings = c->bindings_n;
	declare(c, atts);
	if (c->condition)
		return;
	struct str ns = lookup(c, prefix);
	if (!ns.p && prefix.n > 0) {
		xml_canon_fail(c, "not-well-formed", "an element's prefix is not declared");
		return;
	}
	struct str outer = c->depth ? c->levels[c->depth - 1].ns : xml_canon_outer_ns(c->head);
	push_level(c, bindings);
	c->levels[c->depth - 1].ns = ns;
	classify(c, local, ns);
	close_start_tag(c);
	buf_append_char(&c->out, '<');
	buf_append_str(&c->out, local);
	if (!str_eq(ns, outer))
		write_attr(&c->out, STR("xmlns"), ns);
	write_attributes(c, atts, c->depth == 1);
	c->tag_open = true;
	if (c->out.overflow)
		xml_canon_fail(c, "policy-violation", "too large");
}

void xml_canon_end(struct xml_canon *c, const char *name)
{
	struct str prefix, local;

	if (c->condition)
		return;
	if (c->depth == 0) {
		xml_canon_fail(c, "not-well-formed", "an end tag without a start tag");
		return;
	}
	if (c->tag_open) {
		buf_append(&c->out, "/>", 2);
		c->tag_open = false;
	} else {
		xml_ns_split(str_from(name), &prefix, &local);
		buf_append(&c->out, "</", 2);
		buf_append_str(&c->out, local);
		buf_append_char(&c->out, '>');
	}
	c->bindings_n = c->levels[--c->depth].bindings;
	if (c->depth == 1 && c->is_stanza)
		xml_summary_child_end(&c->summary);
	c->done = c->depth == 0;
	if (c->out.overflow)
		xml_canon_fail(c, "policy-violation", "too large");
}

void xml_canon_text(struct xml_canon *c, struct str text)
{
	if (c->condition)
		return;
	if (c->depth == 0) {
		xml_canon_fail(c, "bad-format", "text outside of an element");
		return;
	}
	close_start_tag(c);
	if (!xml_escape_text(&c->out, text))
		xml_canon_fail(c, "policy-violation", "too large");
	if (c->depth == 2 && c->is_stanza)
		xml_summary_text(&c->summary, text);
}

const struct stanza *xml_canon_stanza(struct xml_canon *c)
{
	if (!c->done || !c->is_stanza)
		return NULL;
	xml_summary_finish(&c->summary, buf_str(&c->out));
	return &c->summary.stanza;
}
