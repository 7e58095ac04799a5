/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/received.h"

#include "common/base/mem.h"

void mq_received_fini(struct mq_received *r)
{
	mem_free(r->ids);
	*r = (struct mq_received){ 0 };
}

static uint32_t find(const struct mq_received *r, uint16_t id)
{
	uint32_t at = 0;

	while (at < r->n && r->ids[at] != id)
		at++;
	return at;
}

bool mq_received_has(const struct mq_received *r, uint16_t id)
{
	return find(r, id) < r->n;
}

void mq_received_add(struct mq_received *r, uint16_t id)
{
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 8;
		r->ids = mem_realloc(r->ids, r->cap * sizeof(*r->ids));
	}
	r->ids[r->n++] = id;
}

bool mq_received_remove(struct mq_received *r, uint16_t id)
{
	uint32_t at = find(r, id);

	if (at == r->n)
		return false;
	memmove(&r->ids[at], &r->ids[at + 1], (--r->n - at) * sizeof(*r->ids));
	return true;
}
