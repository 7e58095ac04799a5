/* SPDX-License-Identifier: Apache-2.0
 *
 * rsm: XEP-0059 1.0, pages of a result. Reads what a request wants and writes what a page is; which items are on it is the caller's matter. */
#ifndef COMMON_XMPP_RSM_H
#define COMMON_XMPP_RSM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/xml/xml.h"

#define NS_RSM "http://jabber.org/protocol/rsm"

struct rsm {
	bool has_max, has_index;
	bool backward; /* <before/>, with or without an id: the page ends there */
	uint64_t max, index;
	struct str after, before; /* ids; empty: none */
};
/* From the <set/> below `parent`; without one *out is zeroed. False: a number that is none. Strings live in the arena. */
bool rsm_read(struct arena *a, const struct xml_node *parent, struct rsm *out);

struct rsm_page {
	struct str first, last; /* ids; empty: nothing is on the page */
	uint64_t index;         /* of the first, in the whole result */
	uint64_t count;         /* of the whole result */
};
void rsm_write(struct buf *out, const struct rsm_page *page);

#endif
