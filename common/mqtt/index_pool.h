/* SPDX-License-Identifier: Apache-2.0
 *
 * index_pool: objects of one size, named by 32-bit numbers from 1: half of what pointers take, and no header of malloc's. An object never moves.
 * Memory grows by chunks, what is given back is used again, and it goes back to the system with the pool: sized by the most that there ever was. */
#ifndef COMMON_MQTT_INDEX_POOL_H
#define COMMON_MQTT_INDEX_POOL_H

#include <stddef.h>
#include <stdint.h>

#define INDEX_POOL_CHUNK_BITS 9u
#define INDEX_POOL_CHUNK      (1u << INDEX_POOL_CHUNK_BITS)

struct index_pool {
	char **chunks;
	uint32_t chunk_count;
	uint32_t size;  /* of one object, in bytes: at least 4 */
	uint32_t given; /* numbers ever given out */
	uint32_t free;  /* first of those given back, 0 for none; its first four bytes name the next */
	uint32_t live;  /* objects in use */
};

void index_pool_init(struct index_pool *p, size_t size);
void index_pool_fini(struct index_pool *p);
uint32_t index_pool_take(struct index_pool *p); /* the number of a zeroed object */
/* Only the link in its first four bytes is left in it; the rest is zero, so that one who walks over all numbers can tell. */
void index_pool_give(struct index_pool *p, uint32_t id);

/* size: as in init; given again here, as a constant, it saves a multiplication. */
static inline void *index_pool_at(const struct index_pool *p, uint32_t id, size_t size)
{
	return p->chunks[id >> INDEX_POOL_CHUNK_BITS] + (size_t)(id & (INDEX_POOL_CHUNK - 1)) * size;
}

#endif
