/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/names.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

void mq_names_init(struct mq_names *n)
{
	*n = (struct mq_names){ 0 };
	random_bytes(&n->key, sizeof(n->key));
}

void mq_names_fini(struct mq_names *n)
{
	mem_free(n->entries);
	n->entries = NULL;
	n->cap = n->count = 0;
}

static struct str name_of(const void *value)
{
	return *(const struct str *)value;
}

/* Its place, or the free one where it would be. */
static uint32_t find(const struct mq_names *n, struct str name, uint32_t hash)
{
	uint32_t at = hash & (n->cap - 1);

	while (n->entries[at].value && !(n->entries[at].hash == hash && str_eq(name_of(n->entries[at].value), name)))
		at = (at + 1) & (n->cap - 1);
	return at;
}

void *mq_names_get(const struct mq_names *n, struct str name)
{
	return n->cap ? n->entries[find(n, name, index_hash_text(&n->key, name))].value : NULL;
}

static void grow(struct mq_names *n)
{
	struct mq_names_entry *old = n->entries;
	uint32_t cap = n->cap;

	n->cap = cap ? cap * 2 : 16;
	n->entries = mem_zalloc(n->cap * sizeof(*n->entries));
	for (uint32_t i = 0; i < cap; i++) {
		if (old[i].value)
			n->entries[find(n, name_of(old[i].value), old[i].hash)] = old[i];
	}
	mem_free(old);
}

void mq_names_put(struct mq_names *n, void *value)
{
	struct str name = name_of(value);
	uint32_t hash = index_hash_text(&n->key, name);

	if ((n->count + 1) * 4ull > n->cap * 3ull)
		grow(n);
	n->entries[find(n, name, hash)] = (struct mq_names_entry){ value, hash };
	n->count++;
}

/* What stands behind it moves up, as far as it may: so there are no marks of what was removed. */
void mq_names_remove(struct mq_names *n, struct str name)
{
	uint32_t mask = n->cap - 1, hole, at;

	if (n->cap == 0)
		return;
	hole = find(n, name, index_hash_text(&n->key, name));
	if (!n->entries[hole].value)
		return;
	for (at = (hole + 1) & mask; n->entries[at].value; at = (at + 1) & mask) {
		if (((at - n->entries[at].hash) & mask) >= ((at - hole) & mask)) {
			n->entries[hole] = n->entries[at];
			hole = at;
		}
	}
	n->entries[hole] = (struct mq_names_entry){ 0 };
	n->count--;
}
