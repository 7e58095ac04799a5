/* SPDX-License-Identifier: Apache-2.0
 *
 * index_retained: see index_retained.h. The trie's value at a topic is the number of an item. A cursor pins the node that it stands on by an item,
 * with or without a value: so the node stays in its place among its siblings, and the cursor needs no order to find its way on. */
#include "common/mqtt/index_retained.h"

#include "common/base/mem.h"
#include "common/mqtt/index_trie.h"

struct item {
	uint32_t node; /* first: where the pool links what is free */
	uint32_t pins; /* cursors that stand here */
	void *value;   /* NULL: only pinned */
};

struct index_retained {
	struct index_trie trie;
	struct index_pool items;
	uint32_t count; /* of values */
};

struct index_retained_cursor {
	struct index_retained *in;
	uint32_t node; /* pinned unless done: visited, its children not yet */
	uint32_t depth;
	bool done;
	bool multi;          /* # was the filter's last level */
	uint32_t count;      /* of its other levels */
	struct str levels[]; /* those; their texts stand behind the last */
};

static struct item *item_at(const struct index_retained *r, uint32_t id)
{
	return index_pool_at(&r->items, id, sizeof(struct item));
}

struct index_retained *index_retained_new(void)
{
	struct index_retained *r = mem_new(struct index_retained);

	index_trie_init(&r->trie);
	index_pool_init(&r->items, sizeof(struct item));
	return r;
}

void index_retained_free(struct index_retained **at, void (*on_value)(void *value))
{
	struct index_retained *r = *at;

	if (!r)
		return;
	for (uint32_t id = 1; on_value && id <= r->items.given; id++)
		if (item_at(r, id)->value)
			on_value(item_at(r, id)->value);
	index_pool_fini(&r->items);
	index_trie_fini(&r->trie);
	mem_free(r);
	*at = NULL;
}

/* --- items -------------------------------------------------------------------------------------------------------------- */

static struct item *make_item(struct index_retained *r, uint32_t node)
{
	struct index_node *n = index_trie_node(&r->trie, node);

	if (!n->value) {
		n->value = index_pool_take(&r->items);
		item_at(r, n->value)->node = node;
	}
	return item_at(r, n->value);
}

static void drop_item(struct index_retained *r, uint32_t id)
{
	const struct item *item = item_at(r, id);
	uint32_t node = item->node;

	if (item->pins || item->value)
		return;
	index_pool_give(&r->items, id);
	index_trie_node(&r->trie, node)->value = 0;
	index_trie_prune(&r->trie, node);
}

/* Number of the topic's item, 0 for none. */
static uint32_t find_item(const struct index_retained *r, struct str topic)
{
	struct index_path path;

	if (!index_path_cut(topic, INDEX_NAME, &path))
		return 0;
	uint32_t node = index_trie_find(&r->trie, &path);
	return node ? index_trie_node(&r->trie, node)->value : 0;
}

bool index_retained_set(struct index_retained *r, struct str topic, void *value, void **old)
{
	struct index_path path;

	*old = NULL;
	if (!index_path_cut(topic, INDEX_NAME, &path))
		return false;
	struct item *item = make_item(r, index_trie_add(&r->trie, &path));
	*old = item->value;
	item->value = value;
	r->count += !*old;
	return true;
}

void *index_retained_remove(struct index_retained *r, struct str topic)
{
	uint32_t id = find_item(r, topic);
	void *value = id ? item_at(r, id)->value : NULL;

	if (!value)
		return NULL;
	item_at(r, id)->value = NULL;
	r->count--;
	drop_item(r, id);
	return value;
}

void *index_retained_get(const struct index_retained *r, struct str topic)
{
	uint32_t id = find_item(r, topic);

	return id ? item_at(r, id)->value : NULL;
}

uint32_t index_retained_count(const struct index_retained *r)
{
	return r->count;
}

uint32_t index_retained_nodes(const struct index_retained *r)
{
	return index_trie_size(&r->trie);
}

/* --- cursors ------------------------------------------------------------------------------------------------------------ */

static void pin(struct index_retained *r, uint32_t node)
{
	make_item(r, node)->pins++;
}

static void unpin(struct index_retained *r, uint32_t node)
{
	uint32_t id = index_trie_node(&r->trie, node)->value;

	item_at(r, id)->pins--;
	drop_item(r, id);
}

struct index_retained_cursor *index_retained_open(struct index_retained *r, struct str filter)
{
	struct index_retained_cursor *c;
	struct index_path path;

	if (!index_path_cut(filter, INDEX_FILTER, &path))
		return NULL;
	bool multi = str_eq(path.levels[path.count - 1], STR("#"));
	uint32_t count = path.count - multi;
	c = mem_zalloc(sizeof(*c) + count * sizeof(*c->levels) + filter.n);
	*c = (struct index_retained_cursor){ .in = r, .node = INDEX_ROOT, .multi = multi, .count = count };
	char *texts = memcpy(&c->levels[count], filter.p, filter.n);
	for (uint32_t i = 0; i < count; i++)
		c->levels[i] = str_make(texts + (path.levels[i].p - filter.p), path.levels[i].n);
	pin(r, c->node);
	return c;
}

void index_retained_close(struct index_retained_cursor **at)
{
	struct index_retained_cursor *c = *at;

	if (!c)
		return;
	if (!c->done)
		unpin(c->in, c->node);
	mem_free(c);
	*at = NULL;
}

bool index_retained_done(const struct index_retained_cursor *c)
{
	return c->done;
}

/* Do all children of the nodes at this depth match so far? */
static bool all_children(const struct index_retained_cursor *c, uint32_t depth)
{
	return depth < c->count ? str_eq(c->levels[depth], STR("+")) : c->multi;
}

/* A wildcard at the beginning does not match a topic that begins with a $ [MQTT-4.7.2-1]. */
static bool hidden(const struct index_retained_cursor *c, const struct index_node *node, uint32_t depth)
{
	return depth == 1 && all_children(c, 0) && node->n > 0 && index_trie_level(node).p[0] == '$';
}

/* First child that may match; 0 for none. */
static uint32_t descend(const struct index_retained_cursor *c, const struct index_node *node)
{
	if (hidden(c, node, c->depth))
		return 0;
	if (all_children(c, c->depth))
		return node->first;
	return c->depth < c->count ? index_trie_child(&c->in->trie, c->node, c->levels[c->depth]) : 0;
}

/* To the next node that may match, parents before children. False at the end. */
static bool advance(struct index_retained_cursor *c)
{
	const struct index_trie *t = &c->in->trie;
	uint32_t child = descend(c, index_trie_node(t, c->node));

	if (child) {
		c->node = child;
		c->depth++;
		return true;
	}
	for (; c->depth > 0; c->depth--) {
		const struct index_node *node = index_trie_node(t, c->node);

		if (all_children(c, c->depth - 1) && node->next) {
			c->node = node->next;
			return true;
		}
		c->node = node->parent;
	}
	return false;
}

/* The value where the cursor stands, if the filter matches there; # includes the parent level (section 4.7.1.2). */
static void *value_here(const struct index_retained_cursor *c)
{
	const struct index_node *node = index_trie_node(&c->in->trie, c->node);
	bool matches = c->depth == c->count || (c->multi && c->depth > c->count);

	return node->value && matches && !hidden(c, node, c->depth) ? item_at(c->in, node->value)->value : NULL;
}

size_t index_retained_read(struct index_retained_cursor *c, void **out, size_t max, size_t steps)
{
	uint32_t from = c->node;
	size_t n = 0;

	if (c->done)
		return 0;
	for (; n < max && steps > 0 && !c->done; steps--) {
		c->done = !advance(c);
		void *value = c->done ? NULL : value_here(c);
		if (value)
			out[n++] = value;
	}
	/* In this order: the one may be all that keeps the other. */
	if (!c->done)
		pin(c->in, c->node);
	unpin(c->in, from);
	return n;
}
