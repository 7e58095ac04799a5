/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/received.h"

#include "common/base/mem.h"

void mq_received_fini(struct mq_received *r)
{
	mem_free(r->list);
	r->list = NULL;
}

/* Its place; the count: it is not in it. */
static uint32_t find(const struct mq_received *r, uint16_t id)
{
	uint32_t at = 0, n = mq_received_count(r);

	while (at < n && r->list->ids[at] != id)
		at++;
	return at;
}

bool mq_received_has(const struct mq_received *r, uint16_t id)
{
	return find(r, id) < mq_received_count(r);
}

void mq_received_add(struct mq_received *r, uint16_t id)
{
	uint32_t n = mq_received_count(r);

	if (!r->list || n == r->list->cap) {
		uint32_t cap = n ? n * 2 : 8;

		r->list = mem_realloc(r->list, sizeof(*r->list) + cap * sizeof(r->list->ids[0]));
		r->list->n = n;
		r->list->cap = cap;
	}
	r->list->ids[r->list->n++] = id;
}

bool mq_received_remove(struct mq_received *r, uint16_t id)
{
	uint32_t at = find(r, id), n = mq_received_count(r);

	if (at == n)
		return false;
	r->list->n = n - 1;
	memmove(&r->list->ids[at], &r->list->ids[at + 1], (n - 1 - at) * sizeof(r->list->ids[0]));
	return true;
}
