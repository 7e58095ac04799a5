/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_worker: readers lent to streams for as long as one first-level element (or header) is being read. A stream between elements holds none: what
 * it must remember is its xml_head. */
#ifndef COMMON_XML_XML_WORKER_H
#define COMMON_XML_XML_WORKER_H

#include "common/xml/xml_reader.h"

struct xml_reader *xml_worker_take(void);
void xml_worker_give(struct xml_reader **r);
size_t xml_worker_bytes(const struct xml_reader *r);

#endif
