/* SPDX-License-Identifier: Apache-2.0
 *
 * xml: canonical XML out, and a small read-only tree for the few stanzas that must be looked into (IQs to the server, forms).
 * Parsing what comes from outside is common/xml/xml_stream.h. */
#ifndef COMMON_XML_XML_H
#define COMMON_XML_XML_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/str.h"

/* --- writing: text and attribute values escaped, attributes in single quotes --- */
/* & < > ' " and CR, which a reader would turn into LF; in attributes TAB and LF, too. Control characters that XML cannot hold become U+FFFD. */
void xml_escape(struct buf *out, struct str text);
void xml_escape_attr(struct buf *out, struct str text);
void xml_attr(struct buf *out, const char *name, struct str value); /*  name='value' with a leading space */

/* --- reading --- */
struct xml_attr {
	struct str name, ns, value; /* ns empty for unprefixed attributes; xml:lang has the XML namespace */
	struct xml_attr *next;
};
struct xml_node {
	struct str name, ns; /* both empty: this node is text */
	struct str text;     /* of a text node, unescaped */
	struct xml_attr *attrs;
	struct xml_node *children, *next, *parent;
};
/* Parses one canonical element. default_ns is what an element without xmlns is in ("jabber:client"). NULL when it is not well-formed, deeper than
 * 64, has more than 10,000 nodes or 1,000 attributes on one element. Everything lives in the arena. */
struct xml_node *xml_parse(struct arena *a, struct str bytes, struct str default_ns);
struct xml_node *xml_child(const struct xml_node *n, const char *name, const char *ns); /* first match; ns NULL: any */
struct xml_node *xml_first_element(const struct xml_node *n);
struct xml_node *xml_next_element(const struct xml_node *n);
struct str xml_get(const struct xml_node *n, const char *attr); /* unprefixed attribute; p is NULL when absent */
struct str xml_text(struct arena *a, const struct xml_node *n); /* all text directly below, joined */
/* Writes the element again, canonical, relative to the namespace in force at the place of writing. */
void xml_write(struct buf *out, const struct xml_node *n, struct str inherited_ns);

#endif
