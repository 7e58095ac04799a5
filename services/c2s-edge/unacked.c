/* SPDX-License-Identifier: Apache-2.0 */
#include "services/c2s-edge/unacked.h"

#include <stddef.h>

#include "common/base/mem.h"

#define FIRST_CAP 4u
#define FORM_BITS 8

struct entry {
	uint64_t log_id;
	uint64_t end; /* above the form */
};

struct c2s_unacked {
	uint32_t cap; /* power of two */
	uint32_t head, count;
	struct entry entries[];
};

static const struct entry *at(const struct c2s_unacked *u, uint32_t i)
{
	return &u->entries[(u->head + i) & (u->cap - 1)];
}

static struct c2s_unacked *resized(struct c2s_unacked *old, uint32_t cap)
{
	struct c2s_unacked *u = mem_alloc(sizeof(*u) + cap * sizeof(*u->entries));

	u->cap = cap;
	u->head = 0;
	u->count = c2s_unacked_count(old);
	for (uint32_t i = 0; i < u->count; i++)
		u->entries[i] = *at(old, i);
	mem_free(old);
	return u;
}

void c2s_unacked_push(struct c2s_unacked **out, uint64_t log_id, uint32_t form, uint64_t end)
{
	struct c2s_unacked *u = *out;

	if (!u || u->count == u->cap)
		u = *out = resized(u, u ? u->cap * 2 : FIRST_CAP);
	u->entries[(u->head + u->count++) & (u->cap - 1)] = (struct entry){ log_id, end << FORM_BITS | (form & ((1u << FORM_BITS) - 1)) };
}

void c2s_unacked_drop(struct c2s_unacked **out, uint64_t n)
{
	struct c2s_unacked *u = *out;

	if (!u)
		return;
	if (n < u->count) {
		u->head = (u->head + (uint32_t)n) & (u->cap - 1);
		u->count -= (uint32_t)n;
		return;
	}
	mem_free(u);
	*out = NULL;
}

uint32_t c2s_unacked_count(const struct c2s_unacked *u)
{
	return u ? u->count : 0;
}

uint64_t c2s_unacked_log(const struct c2s_unacked *u, uint32_t i)
{
	return at(u, i)->log_id;
}

uint32_t c2s_unacked_form(const struct c2s_unacked *u, uint32_t i)
{
	return at(u, i)->end & ((1u << FORM_BITS) - 1);
}

uint32_t c2s_unacked_written(const struct c2s_unacked *u, uint64_t written, uint32_t max)
{
	uint32_t n = 0;

	while (n < max && n < c2s_unacked_count(u) && at(u, n)->end >> FORM_BITS <= written)
		n++;
	return n;
}
