/* SPDX-License-Identifier: Apache-2.0
 *
 * index_pool: see index_pool.h. */
#include "common/mqtt/index_pool.h"

#include "common/base/mem.h"

void index_pool_init(struct index_pool *p, size_t size)
{
	*p = (struct index_pool){ .size = (uint32_t)size };
}

void index_pool_fini(struct index_pool *p)
{
	for (uint32_t i = 0; i < p->chunk_count; i++)
		mem_free(p->chunks[i]);
	mem_free(p->chunks);
	*p = (struct index_pool){ .size = p->size };
}

static uint32_t never_used(struct index_pool *p)
{
	uint32_t id = ++p->given;

	if (id >> INDEX_POOL_CHUNK_BITS >= p->chunk_count) {
		/* The table of chunks doubles: its size is a power of two whenever it is full. */
		if ((p->chunk_count & (p->chunk_count - 1)) == 0)
			p->chunks = mem_realloc(p->chunks, (size_t)(p->chunk_count ? 2 * p->chunk_count : 1) * sizeof(*p->chunks));
		p->chunks[p->chunk_count++] = mem_zalloc((size_t)INDEX_POOL_CHUNK * p->size);
	}
	return id;
}

uint32_t index_pool_take(struct index_pool *p)
{
	uint32_t id = p->free;

	p->live++;
	if (!id)
		return never_used(p);
	void *object = index_pool_at(p, id, p->size);
	memcpy(&p->free, object, sizeof(p->free));
	memset(object, 0, sizeof(p->free));
	return id;
}

void index_pool_give(struct index_pool *p, uint32_t id)
{
	void *object = index_pool_at(p, id, p->size);

	memset(object, 0, p->size);
	memcpy(object, &p->free, sizeof(p->free));
	p->free = id;
	p->live--;
}
