/* SPDX-License-Identifier: Apache-2.0
 *
 * xml: looking into a tree, and writing one back in canonical form; see xml.h. */
#include "common/xml/xml.h"

#include "common/xml/xml_escape.h"
#include "common/xml/xml_head.h"

static bool is_text(const struct xml_node *n)
{
	return n->name.n == 0;
}

static struct xml_node *element_from(struct xml_node *n)
{
	while (n && is_text(n))
		n = n->next;
	return n;
}

struct xml_node *xml_first_element(const struct xml_node *n)
{
	return element_from(n->children);
}

struct xml_node *xml_next_element(const struct xml_node *n)
{
	return element_from(n->next);
}

struct xml_node *xml_child(const struct xml_node *n, const char *name, const char *ns)
{
	for (struct xml_node *c = xml_first_element(n); c; c = xml_next_element(c)) {
		if (str_is(c->name, name) && (!ns || str_is(c->ns, ns)))
			return c;
	}
	return NULL;
}

struct str xml_get(const struct xml_node *n, const char *attr)
{
	for (const struct xml_attr *a = n->attrs; a; a = a->next) {
		if (a->ns.n == 0 && str_is(a->name, attr))
			return a->value;
	}
	return (struct str){ NULL, 0 };
}

struct str xml_text(struct arena *a, const struct xml_node *n)
{
	size_t total = 0, at = 0, parts = 0;
	struct str only = { "", 0 };

	for (const struct xml_node *c = n->children; c; c = c->next) {
		if (!is_text(c))
			continue;
		total += c->text.n;
		only = c->text;
		parts++;
	}
	if (parts < 2)
		return only;
	char *joined = arena_alloc(a, total + 1);
	for (const struct xml_node *c = n->children; c; c = c->next) {
		if (!is_text(c) || c->text.n == 0)
			continue;
		memcpy(joined + at, c->text.p, c->text.n);
		at += c->text.n;
	}
	joined[total] = 0;
	return str_make(joined, total);
}

/* --- writing --- */

static void write_value(struct buf *out, struct str value)
{
	buf_append(out, "='", 2);
	xml_escape_attr(out, value);
	buf_append_char(out, '\'');
}

/* As common/xml/xml_canon.c numbers them: by the order in which namespaces first come on this element. */
static size_t prefix_number(const struct xml_node *n, const struct xml_attr *of, bool *out_new)
{
	size_t highest = 0;

	*out_new = true;
	for (const struct xml_attr *a = n->attrs; a; a = a->next) {
		bool first = a->ns.n > 0 && !str_is(a->ns, XML_NS_XML);

		for (const struct xml_attr *b = n->attrs; first && b != a; b = b->next)
			first = !str_eq(a->ns, b->ns);
		highest += first;
		if (str_eq(a->ns, of->ns)) {
			*out_new = a == of;
			break;
		}
	}
	return highest;
}

static void write_attr(struct buf *out, const struct xml_node *n, const struct xml_attr *a)
{
	if (a->ns.n > 0 && !str_is(a->ns, XML_NS_XML)) {
		bool new;
		size_t number = prefix_number(n, a, &new);

		if (new) {
			buf_printf(out, " xmlns:ns%zu", number);
			write_value(out, a->ns);
		}
		buf_printf(out, " ns%zu:", number);
	} else {
		buf_append_cstr(out, a->ns.n ? " xml:" : " ");
	}
	buf_append_str(out, a->name);
	write_value(out, a->value);
}

/* Start tag, or the whole of an empty element. */
static void write_start(struct buf *out, const struct xml_node *n, struct str inherited_ns)
{
	buf_append_char(out, '<');
	buf_append_str(out, n->name);
	if (!str_eq(n->ns, inherited_ns)) {
		buf_append_cstr(out, " xmlns");
		write_value(out, n->ns);
	}
	for (const struct xml_attr *a = n->attrs; a; a = a->next)
		write_attr(out, n, a);
	buf_append_cstr(out, n->children ? ">" : "/>");
}

static void write_end(struct buf *out, const struct xml_node *n)
{
	buf_append(out, "</", 2);
	buf_append_str(out, n->name);
	buf_append_char(out, '>');
}

/* Walks without recursion: a tree that was put together by hand may be of any depth. */
void xml_write(struct buf *out, const struct xml_node *n, struct str inherited_ns)
{
	const struct xml_node *at = n;

	for (;;) {
		if (is_text(at))
			xml_escape_text(out, at->text);
		else
			write_start(out, at, at == n ? inherited_ns : at->parent->ns);
		if (!is_text(at) && at->children) {
			at = at->children;
			continue;
		}
		while (at != n && !at->next) {
			at = at->parent;
			write_end(out, at);
		}
		if (at == n)
			return;
		at = at->next;
	}
}
