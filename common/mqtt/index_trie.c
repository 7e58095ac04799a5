/* SPDX-License-Identifier: Apache-2.0
 *
 * index_trie: see index_trie.h. Matching is in index_match.c. */
#include "common/mqtt/index_trie.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

void index_trie_init(struct index_trie *t)
{
	*t = (struct index_trie){ 0 };
	random_bytes(&t->key, sizeof(t->key));
	index_pool_init(&t->nodes, sizeof(struct index_node));
	index_pool_take(&t->nodes);
}

static void free_text(struct index_node *node)
{
	char *far;

	if (node->n <= INDEX_NEAR_MAX)
		return;
	memcpy(&far, node->near + 2, sizeof(far));
	mem_free(far);
}

void index_trie_fini(struct index_trie *t)
{
	for (uint32_t id = 1; id <= t->nodes.given; id++)
		free_text(index_trie_node(t, id));
	index_table_fini(&t->table);
	index_pool_fini(&t->nodes);
}

uint32_t index_trie_size(const struct index_trie *t)
{
	return t->nodes.live - 1;
}

/* --- children ----------------------------------------------------------------------------------------------------------- */

enum kind { LITERAL, PLUS, MULTI, SHARE };

static enum kind kind_of(struct str level)
{
	if (level.n != 1)
		return LITERAL;
	return level.p[0] == '+' ? PLUS : level.p[0] == '#' ? MULTI : level.p[0] == '/' ? SHARE : LITERAL;
}

static uint32_t hash_of(const struct index_trie *t, uint32_t parent, struct str level)
{
	return index_hash_pair(&t->key, parent, index_hash_text(&t->key, level));
}

uint32_t index_trie_in_table(const struct index_trie *t, uint32_t parent, struct str level, uint32_t hash)
{
	uint32_t probe = 0, id;

	while ((id = index_table_next(&t->table, hash, &probe)) != 0) {
		const struct index_node *node = index_trie_node(t, id);

		if (node->parent == parent && str_eq(index_trie_level(node), level))
			return id;
	}
	return 0;
}

uint32_t index_trie_child(const struct index_trie *t, uint32_t id, struct str level)
{
	const struct index_node *node = index_trie_node(t, id);

	switch (kind_of(level)) {
	case PLUS:
		return node->plus;
	case MULTI:
		return node->multi;
	case SHARE:
		return node->shared ? index_trie_in_table(t, id, level, hash_of(t, id, level)) : 0;
	case LITERAL:
		break;
	}
	if (!node->first)
		return 0;
	const struct index_node *first = index_trie_node(t, node->first);
	if (str_eq(index_trie_level(first), level))
		return node->first;
	return first->next ? index_trie_in_table(t, id, level, hash_of(t, id, level)) : 0;
}

uint32_t index_trie_find(const struct index_trie *t, const struct index_path *path)
{
	uint32_t node = INDEX_ROOT;

	for (uint32_t i = 0; node && i < path->count; i++)
		node = index_trie_child(t, node, path->levels[i]);
	return node;
}

static void enter(struct index_trie *t, uint32_t id)
{
	const struct index_node *node = index_trie_node(t, id);

	index_table_put(&t->table, hash_of(t, node->parent, index_trie_level(node)), id);
}

static void leave(struct index_trie *t, uint32_t id)
{
	const struct index_node *node = index_trie_node(t, id);

	index_table_remove(&t->table, hash_of(t, node->parent, index_trie_level(node)), id);
}

static void link_literal(struct index_trie *t, struct index_node *parent, struct index_node *node, uint32_t id)
{
	uint32_t second = parent->first;

	parent->first = id;
	if (!second)
		return;
	/* The first was alone until now. */
	if (!index_trie_node(t, second)->next)
		enter(t, second);
	enter(t, id);
	index_trie_node(t, second)->prev = id;
	node->next = second;
}

static void unlink_literal(struct index_trie *t, struct index_node *parent, const struct index_node *node, uint32_t id)
{
	uint32_t other = node->prev ? node->prev : node->next;

	if (other)
		leave(t, id);
	if (node->prev)
		index_trie_node(t, node->prev)->next = node->next;
	else
		parent->first = node->next;
	if (node->next)
		index_trie_node(t, node->next)->prev = node->prev;
	/* It is alone now. */
	if (other && !index_trie_node(t, other)->prev && !index_trie_node(t, other)->next)
		leave(t, other);
}

static uint32_t make_child(struct index_trie *t, uint32_t parent_id, struct str level)
{
	uint32_t id = index_pool_take(&t->nodes);
	struct index_node *node = index_trie_node(t, id), *parent = index_trie_node(t, parent_id);

	node->parent = parent_id;
	node->n = (uint16_t)level.n;
	if (level.n > INDEX_NEAR_MAX) {
		char *far = mem_memdup(level.p, level.n);
		memcpy(node->near + 2, &far, sizeof(far));
	} else if (level.n) {
		memcpy(node->near, level.p, level.n);
	}
	switch (kind_of(level)) {
	case PLUS:
		parent->plus = id;
		break;
	case MULTI:
		parent->multi = id;
		break;
	case SHARE:
		parent->shared = 1;
		enter(t, id);
		break;
	case LITERAL:
		link_literal(t, parent, node, id);
		break;
	}
	return id;
}

static void remove_child(struct index_trie *t, uint32_t id)
{
	struct index_node *node = index_trie_node(t, id), *parent = index_trie_node(t, node->parent);

	switch (kind_of(index_trie_level(node))) {
	case PLUS:
		parent->plus = 0;
		break;
	case MULTI:
		parent->multi = 0;
		break;
	case SHARE:
		parent->shared = 0;
		leave(t, id);
		break;
	case LITERAL:
		unlink_literal(t, parent, node, id);
		break;
	}
	free_text(node);
	index_pool_give(&t->nodes, id);
}

/* --- paths -------------------------------------------------------------------------------------------------------------- */

uint32_t index_trie_add(struct index_trie *t, const struct index_path *path)
{
	uint32_t node = INDEX_ROOT;

	for (uint32_t i = 0; i < path->count; i++) {
		uint32_t child = index_trie_child(t, node, path->levels[i]);

		node = child ? child : make_child(t, node, path->levels[i]);
	}
	return node;
}

void index_trie_prune(struct index_trie *t, uint32_t id)
{
	while (id != INDEX_ROOT) {
		const struct index_node *node = index_trie_node(t, id);
		uint32_t parent = node->parent;

		if (node->value || node->first || node->plus || node->multi || node->shared)
			return;
		remove_child(t, id);
		id = parent;
	}
}

void index_trie_text(const struct index_trie *t, uint32_t id, struct buf *out)
{
	uint32_t path[INDEX_LEVELS_MAX], n = 0;

	for (; id != INDEX_ROOT && n < INDEX_LEVELS_MAX; id = index_trie_node(t, id)->parent)
		path[n++] = id;
	while (n > 0) {
		buf_append_str(out, index_trie_level(index_trie_node(t, path[--n])));
		if (n > 0)
			buf_append_char(out, '/');
	}
}
