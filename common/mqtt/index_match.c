/* SPDX-License-Identifier: Apache-2.0
 *
 * index_match: which filters of a trie a topic name matches; see index_trie.h. */
#include "common/mqtt/index_trie.h"

/* A topic name, cut up. A level's hash is made when it is first asked for: most nodes have one child, and need none. */
struct topic {
	uint32_t count;
	struct {
		struct str text;
		uint32_t hash;
		bool hashed;
	} levels[INDEX_LEVELS_MAX];
};

/* A node, and how many levels of the topic are used up there. */
struct step {
	uint32_t node;
	uint32_t depth;
};

static bool cut(struct str name, struct topic *out)
{
	bool more = name.n > 0;

	for (out->count = 0; more; out->count++) {
		if (out->count == INDEX_LEVELS_MAX)
			return false;
		more = index_level_cut(&name, &out->levels[out->count].text);
		out->levels[out->count].hashed = false;
	}
	return out->count > 0;
}

/* As index_trie_child, but nothing in a topic name is a wildcard. */
static uint32_t literal_child(const struct index_trie *t, const struct index_node *node, struct topic *topic, struct step s)
{
	struct str text = topic->levels[s.depth].text;

	if (!node->first)
		return 0;
	const struct index_node *first = index_trie_node(t, node->first);
	if (str_eq(index_trie_level(first), text))
		return node->first;
	if (!first->next)
		return 0;
	if (!topic->levels[s.depth].hashed) {
		topic->levels[s.depth].hash = index_hash_text(&t->key, text);
		topic->levels[s.depth].hashed = true;
	}
	return index_trie_in_table(t, s.node, text, index_hash_pair(&t->key, s.node, topic->levels[s.depth].hash));
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

bool index_trie_match(const struct index_trie *t, struct str name, index_value_fn on_value, void *ctx)
{
	/* Each step is replaced by two at most, a level further on: never more than the levels and one. */
	struct step stack[INDEX_LEVELS_MAX + 2];
	uint32_t n = 0;
	struct topic topic;

	if (!cut(name, &topic))
		return false;
	stack[n++] = (struct step){ INDEX_ROOT, 0 };
	while (n > 0) {
		struct step s = stack[--n];
		const struct index_node *node = index_trie_node(t, s.node);
		/* No wildcard at the beginning for what begins with a $ [MQTT-4.7.2-1]. */
		bool wild = s.depth > 0 || name.p[0] != '$';

		/* # includes the parent level (section 4.7.1.2). */
		if (node->multi && wild)
			report(t, index_trie_node(t, node->multi), node->multi, on_value, ctx);
		if (s.depth == topic.count) {
			report(t, node, s.node, on_value, ctx);
			continue;
		}
		if (node->plus && wild)
			stack[n++] = (struct step){ node->plus, s.depth + 1 };
		uint32_t child = literal_child(t, node, &topic, s);
		if (child)
			stack[n++] = (struct step){ child, s.depth + 1 };
	}
	return true;
}
