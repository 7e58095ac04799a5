/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/kept.h"

#include "common/base/mem.h"

struct kept *kept_new(const struct packet *p)
{
	size_t size = sizeof(struct kept) + packet_text_size(p);
	struct kept *k = mem_alloc(size);

	*k = (struct kept){ .refs = 1, .size = (uint32_t)size, .packet = *p };
	packet_copy(p, (char *)(k + 1), &k->meta, &k->packet.bytes, &k->packet.extra);
	k->packet.meta = &k->meta;
	k->packet.receipt = NULL;
	return k;
}

struct kept *kept_ref(struct kept *k)
{
	k->refs++;
	return k;
}

void kept_unref(struct kept *k)
{
	if (k && --k->refs == 0)
		mem_free(k);
}
