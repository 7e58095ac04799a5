/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_head: what a stream remembers of its header: namespace declarations, root name and language, in one small block. It is all the state that a
 * stream has between two elements. */
#ifndef COMMON_XML_XML_HEAD_H
#define COMMON_XML_XML_HEAD_H

#include "common/base/buf.h"
#include "common/base/str.h"
#include "common/xml/xml_stream.h"

#define XML_NS_XML     "http://www.w3.org/XML/1998/namespace"
#define XML_NS_XMLNS   "http://www.w3.org/2000/xmlns/"
#define XML_NS_STREAMS "http://etherx.jabber.org/streams"

struct xml_head;

/* An attribute of a start tag as it was written, with references resolved. */
struct xml_raw_attr {
	struct str name, value;
	bool clean;    /* nothing in the value needs escaping */
	bool declares; /* set with the next two by xml_ns_split_attr: a namespace declaration, of the prefix */
	struct str prefix, local;
};

/* Made from the root's start tag. NULL on an error, with the stream error's condition and text. out_header holds views into the attributes and the
 * head. */
struct xml_head *xml_head_new(struct str name, struct xml_raw_attr *attrs, size_t attrs_n, const struct xml_limits *limits,
                              struct xml_header *out_header, const char **out_condition, const char **out_text);
void xml_head_free(struct xml_head **h);
/* The namespace bound to a prefix ("" for the default one). p is NULL when there is none. */
struct str xml_head_lookup(const struct xml_head *h, struct str prefix);
struct str xml_head_content_ns(const struct xml_head *h);
struct str xml_head_root(const struct xml_head *h); /* its qualified name, as the end tag must repeat it */
struct str xml_head_lang(const struct xml_head *h);
size_t xml_head_bytes(const struct xml_head *h);

/* --- names, here and below the root --- */
/* NULL when the declaration is allowed (Namespaces in XML 1.0, sections 2.2 and 3), otherwise what is wrong. */
const char *xml_ns_check(struct str prefix, struct str uri);
/* "a:b" into prefix and local name; false when there is more than one colon or an empty part. */
bool xml_ns_split(struct str name, struct str *out_prefix, struct str *out_local);
/* The same for an attribute, into itself; "xmlns" and "xmlns:p" are declarations, of the prefixes "" and "p". */
bool xml_ns_split_attr(struct xml_raw_attr *a);

#endif
