/* SPDX-License-Identifier: Apache-2.0
 *
 * index_trie: filters or topics as a tree with a level at each edge, and a 32-bit value, the user's, at each node. Beneath subscriptions
 * (index_subs.h) and retained messages (index_retained.h). A child is found by its parent and level in one table over all nodes; the children of a
 * node also stand in a list, so that they can be walked over. A node lives as long as it has a value or children.
 * Share groups of a filter: nodes one level (INDEX_SHARE) and a name behind the filter's own, so that a group is found as fast as a filter. */
#ifndef COMMON_MQTT_INDEX_TRIE_H
#define COMMON_MQTT_INDEX_TRIE_H

#include "common/base/buf.h"
#include "common/mqtt/index_path.h"

struct index_node {
	uint32_t parent; /* first: where the pool links what is free */
	uint32_t level : 31;
	uint32_t shared : 1; /* has a child INDEX_SHARE */
	uint32_t value;      /* not 0 when there is one */
	uint32_t first;      /* of the children with a text; the youngest comes first */
	uint32_t prev, next; /* siblings */
	uint32_t plus, multi;
};

#define INDEX_ROOT 1u

struct index_trie {
	struct index_levels levels;
	struct index_pool nodes;
	struct index_table table;
};

void index_trie_init(struct index_trie *t);
void index_trie_fini(struct index_trie *t);
struct index_size index_trie_size(const struct index_trie *t);

static inline struct index_node *index_trie_node(const struct index_trie *t, uint32_t node)
{
	return index_pool_at(&t->nodes, node, sizeof(struct index_node));
}

uint32_t index_trie_child(const struct index_trie *t, uint32_t node, uint32_t level); /* 0: none */
uint32_t index_trie_find(const struct index_trie *t, const struct index_path *path);  /* 0: none */
/* The path's node, made when it was not there. Give it a value, or prune it. */
uint32_t index_trie_add(struct index_trie *t, const struct index_path *path);
/* Removes the node, and those above it, as far as they have neither value nor children. */
void index_trie_prune(struct index_trie *t, uint32_t node);
/* Appends the topic or filter that the node stands for. */
void index_trie_text(const struct index_trie *t, uint32_t node, struct buf *out);

typedef void (*index_value_fn)(void *ctx, uint32_t value);
/* Calls back with the value of each filter that the topic name matches (MQTT 5.0 section 4.7), and with those of its share groups, in no order.
 * The cost is that of the nodes that match so far, whatever else there is. From the callback nodes may be added; none may be pruned.
 * False when the topic is empty or has too many levels. */
bool index_trie_match(const struct index_trie *t, struct str topic, index_value_fn on_value, void *ctx);

#endif
