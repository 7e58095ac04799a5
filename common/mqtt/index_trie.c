/* SPDX-License-Identifier: Apache-2.0
 *
 * index_trie: see index_trie.h. */
#include "common/mqtt/index_trie.h"

void index_trie_init(struct index_trie *t)
{
	*t = (struct index_trie){ 0 };
	index_levels_init(&t->levels);
	index_pool_init(&t->nodes, sizeof(struct index_node));
	index_pool_take(&t->nodes);
}

void index_trie_fini(struct index_trie *t)
{
	index_table_fini(&t->table);
	index_pool_fini(&t->nodes);
	index_levels_fini(&t->levels);
}

struct index_size index_trie_size(const struct index_trie *t)
{
	return (struct index_size){ t->nodes.live - 1, t->levels.pool.live - INDEX_SHARE };
}

static uint32_t child_hash(const struct index_trie *t, uint32_t parent, uint32_t level)
{
	return index_hash_pair(&t->levels.key, parent, level);
}

uint32_t index_trie_child(const struct index_trie *t, uint32_t parent, uint32_t level)
{
	uint32_t probe = 0, id;

	if (level == INDEX_PLUS)
		return index_trie_node(t, parent)->plus;
	if (level == INDEX_MULTI)
		return index_trie_node(t, parent)->multi;
	uint32_t hash = child_hash(t, parent, level);
	while ((id = index_table_next(&t->table, hash, &probe)) != 0) {
		const struct index_node *node = index_trie_node(t, id);

		if (node->parent == parent && node->level == level)
			return id;
	}
	return 0;
}

uint32_t index_trie_find(const struct index_trie *t, const struct index_path *path)
{
	uint32_t node = INDEX_ROOT;

	for (uint32_t i = 0; node && i < path->count; i++)
		node = index_trie_child(t, node, path->levels[i]);
	return node;
}

/* Puts a node where its parent finds it. */
static void link_child(struct index_trie *t, struct index_node *parent, struct index_node *node, uint32_t id)
{
	if (node->level == INDEX_PLUS) {
		parent->plus = id;
		return;
	}
	if (node->level == INDEX_MULTI) {
		parent->multi = id;
		return;
	}
	index_table_put(&t->table, child_hash(t, node->parent, node->level), id);
	if (node->level == INDEX_SHARE) {
		parent->shared = 1;
		return;
	}
	node->next = parent->first;
	if (node->next)
		index_trie_node(t, node->next)->prev = id;
	parent->first = id;
}

static void unlink_child(struct index_trie *t, struct index_node *parent, const struct index_node *node, uint32_t id)
{
	if (node->level == INDEX_PLUS) {
		parent->plus = 0;
		return;
	}
	if (node->level == INDEX_MULTI) {
		parent->multi = 0;
		return;
	}
	index_table_remove(&t->table, child_hash(t, node->parent, node->level), id);
	if (node->level == INDEX_SHARE) {
		parent->shared = 0;
		return;
	}
	if (node->prev)
		index_trie_node(t, node->prev)->next = node->next;
	else
		parent->first = node->next;
	if (node->next)
		index_trie_node(t, node->next)->prev = node->prev;
}

uint32_t index_trie_add(struct index_trie *t, const struct index_path *path)
{
	uint32_t parent = INDEX_ROOT;

	for (uint32_t i = 0; i < path->count; i++) {
		uint32_t id = index_trie_child(t, parent, path->levels[i]);

		if (!id) {
			id = index_pool_take(&t->nodes);
			struct index_node *node = index_trie_node(t, id);
			node->parent = parent;
			node->level = path->levels[i];
			index_level_again(&t->levels, path->levels[i]);
			link_child(t, index_trie_node(t, parent), node, id);
		}
		parent = id;
	}
	return parent;
}

void index_trie_prune(struct index_trie *t, uint32_t id)
{
	while (id != INDEX_ROOT) {
		struct index_node *node = index_trie_node(t, id);
		uint32_t parent = node->parent, level = node->level;

		if (node->value || node->first || node->plus || node->multi || node->shared)
			return;
		unlink_child(t, index_trie_node(t, parent), node, id);
		index_pool_give(&t->nodes, id);
		index_level_unref(&t->levels, level);
		id = parent;
	}
}

void index_trie_text(const struct index_trie *t, uint32_t id, struct buf *out)
{
	uint32_t levels[INDEX_LEVELS_MAX], n = 0;

	for (; id != INDEX_ROOT && n < INDEX_LEVELS_MAX; id = index_trie_node(t, id)->parent)
		levels[n++] = index_trie_node(t, id)->level;
	while (n > 0) {
		buf_append_str(out, index_level_text(&t->levels, levels[--n]));
		if (n > 0)
			buf_append_char(out, '/');
	}
}

/* --- matching ---------------------------------------------------------------------------------------------------------- */

#define UNKNOWN UINT32_MAX

/* A topic name, cut up. What number a level has is looked up when it is first asked for: often the tree ends before the topic does. */
struct cut {
	uint32_t count;
	struct str texts[INDEX_LEVELS_MAX];
	uint32_t levels[INDEX_LEVELS_MAX];
};

/* A node, and how many levels of the topic are used up there. */
struct step {
	uint32_t node;
	uint32_t depth;
};

static bool cut(struct str topic, struct cut *c)
{
	bool more = topic.n > 0;

	for (c->count = 0; more; c->count++) {
		if (c->count == INDEX_LEVELS_MAX)
			return false;
		more = index_level_cut(&topic, &c->texts[c->count]);
		c->levels[c->count] = UNKNOWN;
	}
	return c->count > 0;
}

static uint32_t level_at(const struct index_trie *t, struct cut *c, uint32_t depth)
{
	if (c->levels[depth] == UNKNOWN)
		c->levels[depth] = index_level_find(&t->levels, c->texts[depth]);
	return c->levels[depth];
}

/* The node's filter matches: its value, and its share groups'. */
static void report(const struct index_trie *t, const struct index_node *node, uint32_t id, index_value_fn on_value, void *ctx)
{
	if (node->value)
		on_value(ctx, node->value);
	if (!node->shared)
		return;
	for (uint32_t group = index_trie_node(t, index_trie_child(t, id, INDEX_SHARE))->first; group;
	     group = index_trie_node(t, group)->next)
		if (index_trie_node(t, group)->value)
			on_value(ctx, index_trie_node(t, group)->value);
}

bool index_trie_match(const struct index_trie *t, struct str topic, index_value_fn on_value, void *ctx)
{
	/* Each step is replaced by two at most, a level further on: never more than the levels and one. */
	struct step stack[INDEX_LEVELS_MAX + 2] = { { INDEX_ROOT, 0 } };
	uint32_t n = 1;
	struct cut c;

	if (!cut(topic, &c))
		return false;
	while (n > 0) {
		struct step s = stack[--n];
		const struct index_node *node = index_trie_node(t, s.node);
		/* No wildcard at the beginning for what begins with a $ [MQTT-4.7.2-1]. */
		bool wild = s.depth > 0 || topic.p[0] != '$';

		/* # includes the parent level (section 4.7.1.2). */
		if (node->multi && wild)
			report(t, index_trie_node(t, node->multi), node->multi, on_value, ctx);
		if (s.depth == c.count) {
			report(t, node, s.node, on_value, ctx);
			continue;
		}
		if (node->plus && wild)
			stack[n++] = (struct step){ node->plus, s.depth + 1 };
		uint32_t level = node->first ? level_at(t, &c, s.depth) : INDEX_NONE;
		uint32_t child = level ? index_trie_child(t, s.node, level) : 0;
		if (child)
			stack[n++] = (struct step){ child, s.depth + 1 };
	}
	return true;
}
