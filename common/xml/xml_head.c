/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_head: see xml_head.h. The block is: lengths of root name and language and the number of bindings, then the bytes of root and language, then
 * per binding two lengths and the bytes of prefix and namespace. */
#include "common/xml/xml_head.h"

#include "common/base/mem.h"
#include "common/xml/xml_lex.h"

#define LENGTH_MAX 65535

struct xml_head {
	uint32_t bytes;
	uint16_t root_n, lang_n;
	uint16_t content_n; /* of the namespace, and where it begins in data */
	uint16_t bindings;
	uint32_t content_at;
	char data[];
};

/* A namespace's name is a URI (Namespaces in XML 1.0 section 2.1). The characters that RFC 3986 has no place for are more than a matter of
 * form: readers built on expat use one of them to part namespace from name, and end their stream over a namespace that holds it. */
static bool uri_characters(struct str uri)
{
	for (size_t i = 0; i < uri.n; i++) {
		if (!xml_lex_is(uri.p[i], XML_LEX_URI))
			return false;
	}
	return true;
}

const char *xml_ns_check(struct str prefix, struct str uri)
{
	bool is_xml = str_eq(uri, STR(XML_NS_XML));

	if (str_eq(prefix, STR("xml")))
		return is_xml ? NULL : "the prefix xml bound to another namespace";
	if (is_xml || str_eq(uri, STR(XML_NS_XMLNS)) || str_eq(prefix, STR("xmlns")))
		return "a reserved namespace or prefix declared";
	if (prefix.n > 0 && (uri.n == 0 || memchr(prefix.p, ':', prefix.n)))
		return "a prefix that cannot be declared";
	if (!uri_characters(uri))
		return "a namespace that is no URI";
	return NULL;
}

bool xml_ns_split(struct str name, struct str *out_prefix, struct str *out_local)
{
	const char *colon = memchr(name.p, ':', name.n);

	if (!colon) {
		*out_prefix = str_make(name.p, 0);
		*out_local = name;
		return name.n > 0;
	}
	*out_prefix = str_make(name.p, (size_t)(colon - name.p));
	*out_local = str_make(colon + 1, name.n - out_prefix->n - 1);
	/* Behind the colon a name begins anew: "a:1" is a name, but no qualified one. */
	return out_prefix->n > 0 && out_local->n > 0 && xml_lex_name(out_local->p, out_local->n) == out_local->n &&
	       !memchr(out_local->p, ':', out_local->n);
}

bool xml_ns_split_attr(struct xml_raw_attr *a)
{
	if (!xml_ns_split(a->name, &a->prefix, &a->local))
		return false;
	a->declares = str_eq(a->prefix.n ? a->prefix : a->name, STR("xmlns"));
	if (a->declares && a->prefix.n)
		a->prefix = a->local;
	return true;
}

static void append_u16(struct buf *b, size_t v)
{
	uint16_t u = (uint16_t)v;

	buf_append(b, &u, sizeof(u));
}

static size_t read_u16(const char *p)
{
	uint16_t u;

	memcpy(&u, p, sizeof(u));
	return u;
}

/* One namespace declaration of the root into the block. */
static const char *add_binding(struct buf *b, struct xml_head *fixed, struct str prefix, struct str uri)
{
	const char *wrong = xml_ns_check(prefix, uri);

	if (wrong)
		return wrong;
	append_u16(b, prefix.n);
	append_u16(b, uri.n);
	buf_append_str(b, prefix);
	if (prefix.n == 0) {
		fixed->content_at = (uint32_t)b->n;
		fixed->content_n = (uint16_t)uri.n;
	}
	buf_append_str(b, uri);
	fixed->bindings++;
	return NULL;
}

/* One attribute of the root that is no declaration. */
static void note_attribute(struct xml_header *h, struct str name, struct str value)
{
	if (str_is(name, "to")) {
		h->to = value;
		h->has_to = true;
	} else if (str_is(name, "from")) {
		h->from = value;
		h->has_from = true;
	} else if (str_is(name, "version")) {
		h->version = value;
		h->has_version = true;
	} else if (str_is(name, "id")) {
		h->id = value;
	} else if (str_is(name, "xml:lang")) {
		h->lang = value;
	}
}

struct problem {
	const char *condition, *text;
};

#define PROBLEM(condition, text) ((struct problem){ condition, text })

static struct problem read_attributes(struct buf *b, struct xml_head *fixed, struct xml_raw_attr *attrs, size_t attrs_n,
                                      const struct xml_limits *limits, struct xml_header *out)
{
	for (size_t i = 0; i < attrs_n; i++) {
		struct xml_raw_attr *a = &attrs[i];

		if (i == LENGTH_MAX)
			return PROBLEM("policy-violation", "too many attributes");
		if (a->name.n > limits->name_bytes || a->value.n > LENGTH_MAX)
			return PROBLEM("policy-violation", "a name or value is too long");
		if (!xml_ns_split_attr(a))
			return PROBLEM("not-well-formed", "a name that is no qualified name");
		if (!a->declares) {
			note_attribute(out, a->name, a->value);
			continue;
		}
		if (a->value.n > limits->name_bytes)
			return PROBLEM("policy-violation", "a namespace is too long");
		const char *wrong = add_binding(b, fixed, a->prefix, a->value);
		if (wrong)
			return PROBLEM("not-well-formed", wrong);
	}
	return PROBLEM(NULL, NULL);
}

/* RFC 6120 sections 4.8.1, 4.9.3.1, 4.9.3.10 and 4.9.3.13. */
static struct problem check_root(const struct xml_head *h, const struct xml_raw_attr *attrs, size_t attrs_n, struct xml_header *out)
{
	struct str prefix, local;

	if (!xml_ns_split(xml_head_root(h), &prefix, &local))
		return PROBLEM("not-well-formed", "a name that is no qualified name");
	out->name_ns = xml_head_lookup(h, prefix);
	if (!out->name_ns.p && prefix.n > 0)
		return PROBLEM("not-well-formed", "the root's prefix is not declared");
	for (size_t i = 0; i < attrs_n; i++) {
		if (!attrs[i].declares && attrs[i].prefix.n > 0 && !xml_head_lookup(h, attrs[i].prefix).p)
			return PROBLEM("not-well-formed", "an attribute's prefix is not declared");
	}
	if (!str_is(out->name_ns, XML_NS_STREAMS))
		return PROBLEM("invalid-namespace", "the root is not in the streams namespace");
	if (!str_is(local, "stream"))
		return PROBLEM("bad-format", "the root is not a stream");
	return PROBLEM(NULL, NULL);
}

/* Everything that must be remembered, in one block. */
static struct xml_head *pack(const struct xml_head *fixed, struct str root, struct str lang, struct str bindings)
{
	size_t before = root.n + lang.n;
	struct xml_head *h = mem_alloc(sizeof(*h) + before + bindings.n);

	*h = *fixed;
	h->bytes = (uint32_t)(sizeof(*h) + before + bindings.n);
	h->root_n = (uint16_t)root.n;
	h->lang_n = (uint16_t)lang.n;
	h->content_at += (uint32_t)before;
	memcpy(h->data, root.p, root.n);
	if (lang.n)
		memcpy(h->data + root.n, lang.p, lang.n);
	if (bindings.n)
		memcpy(h->data + before, bindings.p, bindings.n);
	return h;
}

struct xml_head *xml_head_new(struct str name, struct xml_raw_attr *attrs, size_t attrs_n, const struct xml_limits *limits,
                              struct xml_header *out_header, const char **out_condition, const char **out_text)
{
	struct xml_head fixed = { 0 }, *h = NULL;
	struct buf bindings = { 0 };

	*out_header = (struct xml_header){ 0 };
	struct problem problem = PROBLEM("policy-violation", "a name is too long");
	if (name.n <= limits->name_bytes && name.n <= LENGTH_MAX)
		problem = read_attributes(&bindings, &fixed, attrs, attrs_n, limits, out_header);
	if (!problem.condition) {
		h = pack(&fixed, name, out_header->lang, buf_str(&bindings));
		problem = check_root(h, attrs, attrs_n, out_header);
		out_header->content_ns = xml_head_content_ns(h);
	}
	buf_fini(&bindings);
	*out_condition = problem.condition;
	*out_text = problem.text;
	if (problem.condition)
		xml_head_free(&h);
	return h;
}

void xml_head_free(struct xml_head **h)
{
	mem_free(*h);
	*h = NULL;
}

struct str xml_head_lookup(const struct xml_head *h, struct str prefix)
{
	const char *p = h->data + h->root_n + h->lang_n;

	for (size_t i = 0; i < h->bindings; i++) {
		struct str bound = str_make(p + 4, read_u16(p)), uri = str_make(p + 4 + bound.n, read_u16(p + 2));

		if (str_eq(bound, prefix))
			return uri;
		p = uri.p + uri.n;
	}
	return str_eq(prefix, STR("xml")) ? STR(XML_NS_XML) : (struct str){ NULL, 0 };
}

struct str xml_head_content_ns(const struct xml_head *h)
{
	struct str ns = str_make(h->data + h->content_at, h->content_n);

	/* The streams namespace as the default: then stanzas must name theirs (RFC 6120 section 4.8.2). */
	return str_is(ns, XML_NS_STREAMS) ? str_make(ns.p, 0) : ns;
}

struct str xml_head_root(const struct xml_head *h)
{
	return str_make(h->data, h->root_n);
}

struct str xml_head_lang(const struct xml_head *h)
{
	return str_make(h->data + h->root_n, h->lang_n);
}

size_t xml_head_bytes(const struct xml_head *h)
{
	return h->bytes;
}
