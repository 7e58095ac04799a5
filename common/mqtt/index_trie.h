/* SPDX-License-Identifier: Apache-2.0
 *
 * index_trie: filters or topics as a tree with a level at each node, and a 32-bit value, the user's, at some. Beneath subscriptions (index_subs.h) and
 * retained messages (index_retained.h). The children of a node stand in a list, so that they can be walked over; those of one that has several also in
 * one table over all nodes, by parent and text: many nodes have one child, and then the list is the faster way. What matching costs among a million
 * filters is memory that is not in the processor's cache, so a node keeps its text within itself as a rule. It lives as long as it has a value or
 * children. There is no cache of topics in front: looking into one costs half of what walking down the tree does (tests/bench/mqtt_match_bench.c), and
 * every new filter would void it.
 * Share groups of a filter: nodes one level (INDEX_SHARE) and a name behind the filter's own, so that a group is found as fast as a filter. */
#ifndef COMMON_MQTT_INDEX_TRIE_H
#define COMMON_MQTT_INDEX_TRIE_H

#include "common/base/buf.h"
#include "common/mqtt/index_hash.h"
#include "common/mqtt/index_path.h"
#include "common/mqtt/index_pool.h"
#include "common/mqtt/index_table.h"

/* Between a filter and the names of its share groups: a text that no level has. */
#define INDEX_SHARE STR("/")

/* What most device names and all common words need. */
#define INDEX_NEAR_MAX 18u

struct index_node {
	uint32_t parent;     /* first: where the pool links what is free */
	uint32_t value : 31; /* not 0 when there is one */
	uint32_t shared : 1; /* has a child INDEX_SHARE: in the table, not in the list */
	uint32_t first;      /* of the children that are no wildcards; the youngest comes first */
	uint32_t prev, next; /* siblings */
	uint32_t plus, multi;
	uint16_t n;                /* bytes of the level */
	char near[INDEX_NEAR_MAX]; /* its text; if it is longer, a pointer to it behind the first two bytes */
};

#define INDEX_ROOT 1u

struct index_trie {
	struct index_key key;
	struct index_pool nodes;
	struct index_table table;
};

void index_trie_init(struct index_trie *t);
void index_trie_fini(struct index_trie *t);
uint32_t index_trie_size(const struct index_trie *t); /* nodes, without the root; some 55 bytes each */

static inline struct index_node *index_trie_node(const struct index_trie *t, uint32_t node)
{
	return index_pool_at(&t->nodes, node, sizeof(struct index_node));
}

static inline struct str index_trie_level(const struct index_node *node)
{
	const char *text = node->near;

	if (node->n > INDEX_NEAR_MAX)
		memcpy(&text, node->near + 2, sizeof(text));
	return str_make(text, node->n);
}

uint32_t index_trie_child(const struct index_trie *t, uint32_t node, struct str level); /* 0: none */
/* For those who have the hash of the parent's number and the level; the level is no wildcard, and no only child. */
uint32_t index_trie_in_table(const struct index_trie *t, uint32_t parent, struct str level, uint32_t hash);
uint32_t index_trie_find(const struct index_trie *t, const struct index_path *path); /* 0: none */
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
