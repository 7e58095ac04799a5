/* SPDX-License-Identifier: Apache-2.0
 *
 * Chained buckets; doubled when full. */
#include "services/session-manager/table.h"

#include "common/base/mem.h"

void table_fini(struct table *t)
{
	mem_free(t->buckets);
	*t = (struct table){ 0 };
}

static void grow(struct table *t)
{
	size_t size = t->size ? t->size * 2 : 64;
	struct table_node **buckets = mem_zalloc(size * sizeof(*buckets));

	for (size_t i = 0; i < t->size; i++) {
		for (struct table_node *n = t->buckets[i], *next; n; n = next) {
			next = n->next;
			n->next = buckets[n->hash & (size - 1)];
			buckets[n->hash & (size - 1)] = n;
		}
	}
	mem_free(t->buckets);
	t->buckets = buckets;
	t->size = size;
}

void table_insert(struct table *t, struct table_node *n, uint64_t hash)
{
	if (t->count >= t->size)
		grow(t);
	n->hash = hash;
	n->next = t->buckets[hash & (t->size - 1)];
	t->buckets[hash & (t->size - 1)] = n;
	t->count++;
}

void table_remove(struct table *t, struct table_node *n)
{
	for (struct table_node **at = &t->buckets[n->hash & (t->size - 1)]; *at; at = &(*at)->next) {
		if (*at != n)
			continue;
		*at = n->next;
		n->next = NULL;
		t->count--;
		return;
	}
}

static struct table_node *same(struct table_node *n, uint64_t hash)
{
	while (n && n->hash != hash)
		n = n->next;
	return n;
}

struct table_node *table_first(const struct table *t, uint64_t hash)
{
	return t->size ? same(t->buckets[hash & (t->size - 1)], hash) : NULL;
}

struct table_node *table_next(const struct table_node *n)
{
	return same(n->next, n->hash);
}

void table_each(struct table *t, void (*fn)(struct table_node *n, void *ctx), void *ctx)
{
	for (size_t i = 0; i < t->size; i++) {
		for (struct table_node *n = t->buckets[i], *next; n; n = next) {
			next = n->next;
			fn(n, ctx);
		}
	}
}
