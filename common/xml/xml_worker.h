/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_worker: an expat parser with a canonicaliser, lent to a stream for as long as one first-level element (or header) is being read. Since expat
 * knows nothing of the stream's namespaces (xml_canon resolves them), any worker serves any stream, and a stream between elements holds none. */
#ifndef COMMON_XML_XML_WORKER_H
#define COMMON_XML_XML_WORKER_H

#include "common/xml/xml_canon.h"

struct xml_worker;

struct xml_worker *xml_worker_take(void);
/* clean: the element ended well, the parser may read the next one. */
void xml_worker_give(struct xml_worker **w, bool clean);
struct xml_canon *xml_worker_canon(struct xml_worker *w);
size_t xml_worker_bytes(const struct xml_worker *w);
/* Feeds part of an element that was begun with xml_canon_begin(xml_worker_canon()). False on an error, found in the canon. */
bool xml_worker_feed(struct xml_worker *w, struct str bytes);
/* Reads an XML declaration and the root's start tag, complete. NULL on an error, found in the canon. The views of out_header live as long as the worker is lent. */
struct xml_head *xml_worker_header(struct xml_worker *w, struct str bytes, const struct xml_limits *limits, struct xml_header *out_header);

#endif
