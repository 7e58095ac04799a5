/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_tree: xml_parse, a small strict reader of one element that is canonical already. Comments, CDATA, processing instructions and DTDs are not
 * canonical and are refused. It must stand any input, since what sends it may be an operator's own program. The input is copied once into the
 * arena and unescaped in place. */
#include "common/xml/xml.h"
#include "common/xml/xml_head.h"
#include "common/xml/xml_lex.h"

#define DEPTH_MAX 64
#define NODES_MAX 10000
#define ATTRS_MAX 1000

/* A namespace declaration in force; a new one goes in front of the list, and its element's end takes it off. */
struct binding {
	struct str prefix, uri;
	const struct binding *outer;
};

struct reader {
	struct arena *arena;
	char *p, *end;
	struct xml_node *root, *current; /* current: the element being read */
	struct xml_node **next_child[DEPTH_MAX];
	const struct binding *bindings[DEPTH_MAX];
	size_t depth, nodes;
};

static bool skip_space(struct reader *r)
{
	char *from = r->p;

	while (r->p < r->end && xml_lex_is(*r->p, XML_LEX_SPACE))
		r->p++;
	return r->p > from;
}

static bool take(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static bool take_name(struct reader *r, struct str *out)
{
	*out = str_make(r->p, xml_lex_name(r->p, (size_t)(r->end - r->p)));
	r->p += out->n;
	return out->n > 0;
}

/* In place; false on a reference that is not one, malformed UTF-8, or a character that XML does not have. */
static bool unescape(char *from, char *end, struct str *out)
{
	char *to = from;

	out->p = from;
	while (from < end) {
		if (*from != '&') {
			size_t n = xml_lex_is(*from, XML_LEX_HIGH) ? xml_lex_high(from, (size_t)(end - from)) : 1;

			if (n == 0 || ((uint8_t)*from < 0x20 && !xml_lex_is(*from, XML_LEX_SPACE)))
				return false;
			memmove(to, from, n);
			to += n;
			from += n;
			continue;
		}
		char *semicolon = memchr(from, ';', (size_t)(end - from));
		char bytes[4];
		size_t n = semicolon ? xml_lex_reference(str_make(from + 1, (size_t)(semicolon - from) - 1), bytes) : 0;
		if (n == 0)
			return false;
		memcpy(to, bytes, n);
		to += n;
		from = semicolon + 1;
	}
	out->n = (size_t)(to - out->p);
	return true;
}

static struct xml_node *add_node(struct reader *r)
{
	if (r->nodes++ == NODES_MAX)
		return NULL;
	struct xml_node *n = arena_zalloc(r->arena, sizeof(*n));
	n->parent = r->current;
	if (r->current) {
		*r->next_child[r->depth - 1] = n;
		r->next_child[r->depth - 1] = &n->next;
	}
	return n;
}

static bool read_text(struct reader *r)
{
	char *end = memchr(r->p, '<', (size_t)(r->end - r->p));
	struct xml_node *n = end && !memmem(r->p, (size_t)(end - r->p), "]]>", 3) ? add_node(r) : NULL;

	if (!n || !unescape(r->p, end, &n->text))
		return false;
	r->p = end;
	return true;
}

/* name = 'value', into a. */
static bool read_attribute(struct reader *r, struct xml_attr *a)
{
	if (!take_name(r, &a->name))
		return false;
	skip_space(r);
	if (!take(r, '='))
		return false;
	skip_space(r);
	char quote = r->p < r->end ? *r->p : 0;
	if ((quote != '\'' && quote != '"') || !take(r, quote))
		return false;
	char *end = memchr(r->p, quote, (size_t)(r->end - r->p));
	if (!end || memchr(r->p, '<', (size_t)(end - r->p)) || !unescape(r->p, end, &a->value))
		return false;
	r->p = end + 1;
	return true;
}

/* Raw attributes in the order of writing; the namespace of a prefixed one is found when all declarations are known. */
static bool read_attributes(struct reader *r, struct xml_attr **out)
{
	struct xml_attr **at = out;
	size_t count = 0;

	*out = NULL;
	while (skip_space(r) && r->p < r->end && *r->p != '>' && *r->p != '/') {
		struct xml_attr *a = arena_zalloc(r->arena, sizeof(*a));

		if (++count > ATTRS_MAX || !read_attribute(r, a))
			return false;
		for (struct xml_attr *other = *out; other; other = other->next) {
			if (str_eq(other->name, a->name))
				return false;
		}
		*at = a;
		at = &a->next;
	}
	return true;
}

static struct str lookup(const struct binding *b, struct str prefix)
{
	for (; b; b = b->outer) {
		if (str_eq(b->prefix, prefix))
			return b->uri;
	}
	return str_eq(prefix, STR("xml")) ? STR(XML_NS_XML) : (struct str){ NULL, 0 };
}

/* Takes the declarations out of the list and puts them in force. */
static bool declare(struct reader *r, struct xml_attr **list, const struct binding **scope)
{
	while (*list) {
		struct xml_attr *a = *list;
		struct xml_raw_attr raw = { .name = a->name };

		if (!xml_ns_split_attr(&raw))
			return false;
		if (!raw.declares) {
			list = &a->next;
			continue;
		}
		if (xml_ns_check(raw.prefix, a->value))
			return false;
		struct binding *b = arena_alloc(r->arena, sizeof(*b));
		*b = (struct binding){ raw.prefix, a->value, *scope };
		*scope = b;
		*list = a->next;
	}
	return true;
}

static bool resolve_attributes(struct xml_attr *list, const struct binding *scope)
{
	for (struct xml_attr *a = list; a; a = a->next) {
		struct str prefix, local;

		xml_ns_split(a->name, &prefix, &local);
		a->name = local;
		if (prefix.n > 0) {
			a->ns = lookup(scope, prefix);
			if (!a->ns.p)
				return false;
		}
		for (struct xml_attr *other = list; other != a; other = other->next) {
			if (str_eq(other->name, a->name) && str_eq(other->ns, a->ns))
				return false;
		}
	}
	return true;
}

/* Behind '<' and a name-start character. */
static bool read_start(struct reader *r)
{
	const struct binding *scope = r->bindings[r->depth ? r->depth - 1 : 0];
	struct str name, prefix;
	struct xml_node *n = add_node(r);

	if (!n || r->depth == DEPTH_MAX || !take_name(r, &name) || !read_attributes(r, &n->attrs) || !declare(r, &n->attrs, &scope) ||
	    !resolve_attributes(n->attrs, scope) || !xml_ns_split(name, &prefix, &n->name))
		return false;
	n->ns = lookup(scope, prefix);
	if ((!n->ns.p && prefix.n > 0) || str_eq(n->ns, STR(XML_NS_XML)))
		return false;
	if (!r->root)
		r->root = n;
	bool empty = take(r, '/');
	if (!take(r, '>'))
		return false;
	if (!empty) {
		r->current = n;
		r->bindings[r->depth] = scope;
		r->next_child[r->depth++] = &n->children;
		/* The end tag must repeat the name as it was written; text is not read yet, so the field is free for that. */
		n->text = name;
	}
	return true;
}

/* Behind "</". */
static bool read_end(struct reader *r)
{
	struct str name;

	if (r->depth == 0 || !take_name(r, &name) || !str_eq(name, r->current->text))
		return false;
	skip_space(r);
	if (!take(r, '>'))
		return false;
	r->current->text = (struct str){ NULL, 0 };
	r->current = r->current->parent;
	r->depth--;
	return true;
}

static bool read_all(struct reader *r)
{
	do {
		if (r->p == r->end)
			return false;
		if (*r->p != '<') {
			if (r->depth == 0 || !read_text(r))
				return false;
			continue;
		}
		r->p++;
		if (!(take(r, '/') ? read_end(r) : read_start(r)))
			return false;
	} while (r->depth > 0);
	return r->p == r->end;
}

struct xml_node *xml_parse(struct arena *a, struct str bytes, struct str default_ns)
{
	if (bytes.n == 0)
		return NULL;
	char *copy = arena_strndup(a, bytes.p, bytes.n);
	struct binding outer = { str_make("", 0), arena_str(a, default_ns), NULL };
	struct reader r = { .arena = a, .p = copy, .end = copy + bytes.n };

	r.bindings[0] = &outer;
	return read_all(&r) ? r.root : NULL;
}
