/* SPDX-License-Identifier: Apache-2.0
 *
 * index_level: see index_level.h. */
#include "common/mqtt/index_level.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

/* What most device names and all common words need. */
#define NEAR_MAX 16u

struct level {
	uint32_t refs; /* first: where the pool links what is free */
	uint32_t n;    /* bytes */
	union {
		char near[NEAR_MAX];
		char *far; /* when n > NEAR_MAX */
	};
};

static struct level *level_at(const struct index_levels *l, uint32_t id)
{
	return index_pool_at(&l->pool, id, sizeof(struct level));
}

/* In the order of enum index_special. The reference stays. */
static const struct level special[] = { { .refs = 1, .n = 1, .near = "+" }, { .refs = 1, .n = 1, .near = "#" }, { .refs = 1 } };

void index_levels_init(struct index_levels *l)
{
	*l = (struct index_levels){ 0 };
	random_bytes(&l->key, sizeof(l->key));
	index_pool_init(&l->pool, sizeof(struct level));
	/* In the pool but not in the table: "+" as a text is another level. */
	for (uint32_t i = 0; i < sizeof(special) / sizeof(*special); i++)
		*level_at(l, index_pool_take(&l->pool)) = special[i];
}

void index_levels_fini(struct index_levels *l)
{
	for (uint32_t id = 1; id <= l->pool.given; id++)
		if (level_at(l, id)->n > NEAR_MAX)
			mem_free(level_at(l, id)->far);
	index_table_fini(&l->table);
	index_pool_fini(&l->pool);
}

struct str index_level_text(const struct index_levels *l, uint32_t id)
{
	const struct level *level = level_at(l, id);

	return str_make(level->n > NEAR_MAX ? level->far : level->near, level->n);
}

static uint32_t find(const struct index_levels *l, struct str text, uint32_t hash)
{
	uint32_t probe = 0, id;

	while ((id = index_table_next(&l->table, hash, &probe)) != 0)
		if (str_eq(index_level_text(l, id), text))
			return id;
	return INDEX_NONE;
}

uint32_t index_level_find(const struct index_levels *l, struct str text)
{
	return find(l, text, index_hash_text(&l->key, text));
}

uint32_t index_level_ref(struct index_levels *l, struct str text)
{
	uint32_t hash = index_hash_text(&l->key, text);
	uint32_t id = find(l, text, hash);

	if (!id) {
		id = index_pool_take(&l->pool);
		struct level *level = level_at(l, id);
		level->n = (uint32_t)text.n;
		if (text.n > NEAR_MAX)
			level->far = mem_memdup(text.p, text.n);
		else if (text.n)
			memcpy(level->near, text.p, text.n);
		index_table_put(&l->table, hash, id);
	}
	level_at(l, id)->refs++;
	return id;
}

void index_level_again(struct index_levels *l, uint32_t id)
{
	level_at(l, id)->refs++;
}

void index_level_unref(struct index_levels *l, uint32_t id)
{
	struct level *level = level_at(l, id);

	if (--level->refs > 0)
		return;
	index_table_remove(&l->table, index_hash_text(&l->key, index_level_text(l, id)), id);
	if (level->n > NEAR_MAX)
		mem_free(level->far);
	index_pool_give(&l->pool, id);
}
