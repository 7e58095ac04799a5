/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_canon: one first-level element, given as start tags, text and end tags with qualified names, becomes canonical bytes (ipc/proto/types.proto)
 * and a struct stanza. Resolves namespaces and enforces the limits. */
#ifndef COMMON_XML_XML_CANON_H
#define COMMON_XML_XML_CANON_H

#include "common/xml/xml_head.h"
#include "common/xml/xml_summary.h"

/* A prefix declared inside of the element. */
struct xml_binding {
	struct str prefix, uri;
	bool clean; /* uri needs no escaping */
};

/* An attribute of the element being written, with a prefix. */
struct xml_prefixed {
	struct str ns, local;
	size_t number;
};

struct xml_level {
	struct str ns;   /* of the element: the default namespace in force below it, in canonical form */
	size_t bindings; /* declared above this element */
	size_t name_at;  /* its name as it was written, in names */
};

struct xml_canon {
	struct buf out;
	struct buf names;    /* of the open elements, one behind the other */
	struct arena *arena; /* namespaces, and what the stanza's views point to */
	struct xml_binding *bindings;
	size_t bindings_n, bindings_cap;
	struct xml_level *levels;
	size_t depth, levels_cap;
	struct xml_prefixed *prefixed;
	size_t prefixed_n, prefixed_cap;
	size_t elements;
	bool tag_open; /* the last start tag still lacks its '>' */
	bool done;     /* the element has ended */
	bool is_stanza;
	bool dropping;     /* inside of a child that the stanza must not have; it began at dropped_at in out */
	bool dropped_open; /* tag_open as it was there */
	size_t dropped_at;
	const struct xml_limits *limits;
	const struct xml_head *head;
	struct xml_summary summary;
	const char *condition, *text; /* of the first error; nothing is done after it */
};

void xml_canon_init(struct xml_canon *c);
void xml_canon_fini(struct xml_canon *c);
/* Gives back what an unusually large element took. */
void xml_canon_trim(struct xml_canon *c);
/* Both outlive the element. */
void xml_canon_begin(struct xml_canon *c, const struct xml_head *head, const struct xml_limits *limits);
void xml_canon_start(struct xml_canon *c, struct str name, struct xml_raw_attr *attrs, size_t attrs_n);
struct str xml_canon_open_name(const struct xml_canon *c); /* of the innermost open element, as it was written */
void xml_canon_end(struct xml_canon *c, struct str name);
void xml_canon_text(struct xml_canon *c, struct str text);
void xml_canon_plain(struct xml_canon *c, struct str text); /* text that needs no escaping */
void xml_canon_fail(struct xml_canon *c, const char *condition, const char *text);
/* When done: the summary with the bytes, or NULL where the element is none of the three stanzas. */
const struct stanza *xml_canon_stanza(struct xml_canon *c);
/* The namespace that the element's root is written relative to. */
struct str xml_canon_outer_ns(const struct xml_head *head);

#endif
