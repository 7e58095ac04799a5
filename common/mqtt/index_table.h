/* SPDX-License-Identifier: Apache-2.0
 *
 * index_table: from a 32-bit hash to the numbers that have it. Open addressing, linear probing; what a number stands for is compared by the caller.
 * The table is cut in segments that grow one at a time: with a million entries none takes a millisecond, so that the loop never waits for it. */
#ifndef COMMON_MQTT_INDEX_TABLE_H
#define COMMON_MQTT_INDEX_TABLE_H

#include <stdint.h>

#define INDEX_SEGMENT_BITS 8u

struct index_slot {
	uint32_t hash;
	uint32_t id; /* 0: empty */
};

struct index_segment {
	struct index_slot *slots; /* NULL as long as nothing was put in */
	uint32_t mask;            /* slots, less one */
	uint32_t used;
};

/* A zeroed table is an empty one. The upper bits of a hash choose the segment, the lower ones the place in it. */
struct index_table {
	struct index_segment segments[1u << INDEX_SEGMENT_BITS];
};

void index_table_fini(struct index_table *t);
/* id: not 0, and not in it under this hash. */
void index_table_put(struct index_table *t, uint32_t hash, uint32_t id);
/* It must be in it. */
void index_table_remove(struct index_table *t, uint32_t hash, uint32_t id);

/* The numbers with this hash, one at each call, 0 at the end. *probe is 0 before the first. */
static inline uint32_t index_table_next(const struct index_table *t, uint32_t hash, uint32_t *probe)
{
	const struct index_segment *s = &t->segments[hash >> (32 - INDEX_SEGMENT_BITS)];

	if (!s->slots)
		return 0;
	for (;;) {
		const struct index_slot *slot = &s->slots[(hash + (*probe)++) & s->mask];

		if (!slot->id || slot->hash == hash)
			return slot->id;
	}
}

#endif
