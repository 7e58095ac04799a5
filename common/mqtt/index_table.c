/* SPDX-License-Identifier: Apache-2.0
 *
 * index_table: see index_table.h. Entries are removed by moving back those behind, so there are no tombstones that lookups would have to pass. */
#include "common/mqtt/index_table.h"

#include "common/base/mem.h"

#define SLOTS_MIN 8u

static struct index_segment *segment_of(struct index_table *t, uint32_t hash)
{
	return &t->segments[hash >> (32 - INDEX_SEGMENT_BITS)];
}

static void put(struct index_segment *s, struct index_slot entry)
{
	uint32_t at = entry.hash & s->mask;

	while (s->slots[at].id)
		at = (at + 1) & s->mask;
	s->slots[at] = entry;
}

static void resize(struct index_segment *s, uint32_t slots)
{
	struct index_segment old = *s;

	s->slots = mem_zalloc((size_t)slots * sizeof(*s->slots));
	s->mask = slots - 1;
	if (!old.slots)
		return;
	for (uint32_t i = 0; i <= old.mask; i++)
		if (old.slots[i].id)
			put(s, old.slots[i]);
	mem_free(old.slots);
}

void index_table_put(struct index_table *t, uint32_t hash, uint32_t id)
{
	struct index_segment *s = segment_of(t, hash);

	if (!s->slots)
		resize(s, SLOTS_MIN);
	else if (s->used + 1 > (s->mask + 1) / 4 * 3)
		resize(s, 2 * (s->mask + 1));
	put(s, (struct index_slot){ hash, id });
	s->used++;
}

void index_table_remove(struct index_table *t, uint32_t hash, uint32_t id)
{
	struct index_segment *s = segment_of(t, hash);
	uint32_t hole = hash & s->mask;

	while (s->slots[hole].id != id)
		hole = (hole + 1) & s->mask;
	/* Whoever stands behind the hole, and may stand in it, moves there. */
	for (uint32_t at = (hole + 1) & s->mask; s->slots[at].id; at = (at + 1) & s->mask) {
		uint32_t wanted = s->slots[at].hash & s->mask;

		if (((at - wanted) & s->mask) >= ((at - hole) & s->mask)) {
			s->slots[hole] = s->slots[at];
			hole = at;
		}
	}
	s->slots[hole].id = 0;
	s->used--;
	if (s->mask + 1 > SLOTS_MIN && s->used < (s->mask + 1) / 8)
		resize(s, (s->mask + 1) / 2);
}

void index_table_fini(struct index_table *t)
{
	for (uint32_t i = 0; i < 1u << INDEX_SEGMENT_BITS; i++)
		mem_free(t->segments[i].slots);
	*t = (struct index_table){ 0 };
}
