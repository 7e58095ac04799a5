/* SPDX-License-Identifier: Apache-2.0 */
#include "common/xmpp/rsm.h"

#include <inttypes.h>

/* xs:int, and not negative: nothing here can be. */
static bool read_number(struct arena *a, const struct xml_node *n, uint64_t *out)
{
	struct str text = xml_text(a, n);

	*out = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		*out = 10 * *out + (uint64_t)(text.p[i] - '0');
		if (*out > INT32_MAX)
			return false;
	}
	return text.n > 0;
}

bool rsm_read(struct arena *a, const struct xml_node *parent, struct rsm *out)
{
	const struct xml_node *set = xml_child(parent, "set", NS_RSM);
	const struct xml_node *max = set ? xml_child(set, "max", NS_RSM) : NULL;
	const struct xml_node *index = set ? xml_child(set, "index", NS_RSM) : NULL;
	const struct xml_node *after = set ? xml_child(set, "after", NS_RSM) : NULL;
	const struct xml_node *before = set ? xml_child(set, "before", NS_RSM) : NULL;

	*out = (struct rsm){ .has_max = max, .has_index = index, .backward = before };
	if (after)
		out->after = xml_text(a, after);
	if (before)
		out->before = xml_text(a, before);
	return (!max || read_number(a, max, &out->max)) && (!index || read_number(a, index, &out->index));
}

void rsm_write(struct buf *out, const struct rsm_page *page)
{
	buf_append_cstr(out, "<set xmlns='" NS_RSM "'>");
	if (page->first.n) {
		buf_printf(out, "<first index='%" PRIu64 "'>", page->index);
		xml_escape(out, page->first);
		buf_append_cstr(out, "</first><last>");
		xml_escape(out, page->last);
		buf_append_cstr(out, "</last>");
	}
	buf_printf(out, "<count>%" PRIu64 "</count></set>", page->count);
}
