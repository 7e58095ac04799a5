/* SPDX-License-Identifier: Apache-2.0
 *
 * table: an intrusive hash table. The caller brings the hash and compares keys; the table owns only its buckets. Grows, never shrinks. */
#ifndef SESSION_MANAGER_TABLE_H
#define SESSION_MANAGER_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_node {
	struct table_node *next;
	uint64_t hash;
};

struct table {
	struct table_node **buckets;
	size_t size; /* power of two, 0 before the first insert */
	size_t count;
};

void table_fini(struct table *t);
void table_insert(struct table *t, struct table_node *n, uint64_t hash);
void table_remove(struct table *t, struct table_node *n);
/* Nodes of this hash in turn; NULL at the end. */
struct table_node *table_first(const struct table *t, uint64_t hash);
struct table_node *table_next(const struct table_node *n);
/* Every node; fn may remove and free the node that it is given, but insert nothing. */
void table_each(struct table *t, void (*fn)(struct table_node *n, void *ctx), void *ctx);
/* Spreads a number that may be regular. */
static inline uint64_t table_hash_u64(uint64_t v)
{
	v ^= v >> 33;
	v *= 0xff51afd7ed558ccdULL;
	return v ^ v >> 33;
}

#define table_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

#endif
