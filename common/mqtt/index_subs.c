/* SPDX-License-Identifier: Apache-2.0
 *
 * index_subs: see index_subs.h. The trie's value at a filter is the number of a set of subscriptions (index_set.h).
 * While a match runs, sets stay where they are: what is removed is blanked, and what became empty goes when the outermost match has ended. */
#include "common/mqtt/index_subs.h"

#include "common/base/mem.h"
#include "common/mqtt/index_set.h"
#include "common/mqtt/index_trie.h"

struct index_subs {
	struct index_trie trie;
	struct index_pool sets;
	uint32_t count;
	uint32_t filters;   /* sets in which is anyone */
	uint32_t running;   /* matches, one within the other */
	struct buf blanked; /* struct index_subs_ref each: what was removed while a match ran */
};

static struct index_set *set_at(const struct index_subs *subs, uint32_t id)
{
	return index_pool_at(&subs->sets, id, sizeof(struct index_set));
}

struct index_subs *index_subs_new(void)
{
	struct index_subs *subs = mem_new(struct index_subs);

	index_trie_init(&subs->trie);
	index_pool_init(&subs->sets, sizeof(struct index_set));
	return subs;
}

static void forget(struct index_subscriber *who)
{
	if (who->cap)
		mem_free(who->many);
	*who = (struct index_subscriber){ 0 };
}

void index_subs_free(struct index_subs **at)
{
	struct index_subs *subs = *at;

	if (!subs)
		return;
	for (uint32_t id = 1; id <= subs->sets.given; id++) {
		struct index_set *set = set_at(subs, id);

		for (uint32_t i = 0; i < set->n; i++)
			if (index_set_items(set)[i].who)
				forget(index_set_items(set)[i].who);
		index_set_fini(set);
	}
	index_pool_fini(&subs->sets);
	index_trie_fini(&subs->trie);
	buf_fini(&subs->blanked);
	mem_free(subs);
	*at = NULL;
}

/* --- finding ------------------------------------------------------------------------------------------------------------ */

/* Where the subscriptions to a filter stand, in the tree. False when the filter is not valid, or the share name has wildcards or slashes
 * [MQTT-4.8.2-1], [MQTT-4.8.2-2]. */
static bool path_of(struct str share, struct str filter, struct index_path *out)
{
	if (!index_path_cut(filter, INDEX_FILTER, out))
		return false;
	if (share.n == 0)
		return true;
	if (share.n > UINT16_MAX || memchr(share.p, '/', share.n) || memchr(share.p, '+', share.n) || memchr(share.p, '#', share.n))
		return false;
	out->levels[out->count++] = INDEX_SHARE;
	out->levels[out->count++] = share;
	return true;
}

/* The number of the set at the path; made when there is none. */
static uint32_t set_of(struct index_subs *subs, const struct index_path *path, struct str share)
{
	uint32_t node = index_trie_add(&subs->trie, path);
	uint32_t id = index_trie_node(&subs->trie, node)->value;

	if (id)
		return id;
	id = index_pool_take(&subs->sets);
	index_trie_node(&subs->trie, node)->value = id;
	struct index_set *set = set_at(subs, id);
	set->node = node;
	if (share.n > 0) {
		set->share = mem_zalloc(sizeof(*set->share) + share.n);
		set->share->name = str_make(memcpy(set->share + 1, share.p, share.n), share.n);
	}
	return id;
}

/* The subscriber's own reference to a set, looked for where fewer are; NULL when it has none. */
static const struct index_subs_ref *find_ref(const struct index_subs *subs, struct index_subscriber *who, uint32_t set_id)
{
	const struct index_subs_ref *refs = index_subscriber_refs(who);
	struct index_set *set = set_at(subs, set_id);

	if (set->n > who->count) {
		for (uint32_t i = 0; i < who->count; i++)
			if (refs[i].set == set_id)
				return &refs[i];
		return NULL;
	}
	const struct index_subscription *items = index_set_items(set);
	for (uint32_t i = 0; i < set->n; i++)
		if (items[i].who == who)
			return &refs[items[i].ref];
	return NULL;
}

/* --- changing ----------------------------------------------------------------------------------------------------------- */

static void free_set(struct index_subs *subs, uint32_t id)
{
	struct index_set *set = set_at(subs, id);
	uint32_t node = set->node;

	index_set_fini(set);
	index_pool_give(&subs->sets, id);
	index_trie_node(&subs->trie, node)->value = 0;
	index_trie_prune(&subs->trie, node);
}

enum index_subs_change index_subs_add(struct index_subs *subs, struct index_subscriber *who, struct str share, struct str filter,
                                      const struct index_subscription *options)
{
	struct index_path path;

	if (!path_of(share, filter, &path))
		return INDEX_SUBS_REFUSED;
	uint32_t id = set_of(subs, &path, share);
	struct index_set *set = set_at(subs, id);
	const struct index_subs_ref *ref = find_ref(subs, who, id);
	if (ref) {
		struct index_subscription *item = &index_set_items(set)[ref->at];
		uint32_t back = item->ref;

		*item = *options;
		item->who = who;
		item->ref = back;
		return INDEX_SUBS_REPLACED;
	}
	bool first = set->n == set->blanks;
	index_set_add(set, id, who, options);
	subs->count++;
	subs->filters += first;
	return first ? INDEX_SUBS_FIRST : INDEX_SUBS_ADDED;
}

/* Takes a reference out of its subscriber; the last moves to its place. */
static void remove_ref(struct index_subs *subs, struct index_subscriber *who, uint32_t at)
{
	struct index_subs_ref *refs = index_subscriber_refs(who);

	if (at != --who->count) {
		refs[at] = refs[who->count];
		index_set_items(set_at(subs, refs[at].set))[refs[at].at].ref = at;
	}
	if (who->count == 0)
		forget(who);
}

static bool remove_at(struct index_subs *subs, struct index_subscriber *who, struct index_subs_ref ref)
{
	struct index_set *set = set_at(subs, ref.set);
	struct index_subscription *item = &index_set_items(set)[ref.at];

	remove_ref(subs, who, item->ref);
	subs->count--;
	if (subs->running) {
		item->who = NULL;
		set->blanks++;
		buf_append(&subs->blanked, &ref, sizeof(ref));
	} else {
		index_set_remove(set, ref.at);
	}
	bool last = set->n == set->blanks;
	subs->filters -= last;
	if (last && !subs->running)
		free_set(subs, ref.set);
	return last;
}

enum index_subs_change index_subs_remove(struct index_subs *subs, struct index_subscriber *who, struct str share, struct str filter)
{
	struct index_path path;

	if (!path_of(share, filter, &path))
		return INDEX_SUBS_REFUSED;
	uint32_t node = index_trie_find(&subs->trie, &path);
	uint32_t id = node ? index_trie_node(&subs->trie, node)->value : 0;
	const struct index_subs_ref *ref = id ? find_ref(subs, who, id) : NULL;
	if (!ref)
		return INDEX_SUBS_NONE;
	return remove_at(subs, who, *ref) ? INDEX_SUBS_LAST : INDEX_SUBS_REMOVED;
}

static void tell(const struct index_subs *subs, struct index_subs_ref ref, struct buf *text, index_subs_filter_fn on_filter, void *ctx)
{
	struct index_set *set = set_at(subs, ref.set);
	uint32_t node = set->node;

	/* The node of a group is two behind that of its filter. */
	if (set->share)
		node = index_trie_node(&subs->trie, index_trie_node(&subs->trie, node)->parent)->parent;
	buf_clear(text);
	index_trie_text(&subs->trie, node, text);
	on_filter(ctx, set->share ? set->share->name : STR(""), buf_str(text), &index_set_items(set)[ref.at]);
}

void index_subs_remove_all(struct index_subs *subs, struct index_subscriber *who, index_subs_filter_fn on_last, void *ctx)
{
	struct buf text = { 0 };

	while (who->count > 0) {
		struct index_subs_ref ref = index_subscriber_refs(who)[who->count - 1];
		const struct index_set *set = set_at(subs, ref.set);

		if (on_last && set->n - set->blanks == 1)
			tell(subs, ref, &text, on_last, ctx);
		remove_at(subs, who, ref);
	}
	buf_fini(&text);
}

void index_subs_each(const struct index_subs *subs, const struct index_subscriber *who, index_subs_filter_fn on_filter, void *ctx)
{
	const struct index_subs_ref *refs = who->cap ? who->many : &who->one;
	struct buf text = { 0 };

	for (uint32_t i = 0; i < who->count; i++)
		tell(subs, refs[i], &text, on_filter, ctx);
	buf_fini(&text);
}

/* --- matching ----------------------------------------------------------------------------------------------------------- */

struct match {
	struct index_subs *subs;
	const struct index_subs_visitor *visitor;
	void *ctx;
};

static void on_set(void *ctx, uint32_t id)
{
	const struct match *m = ctx;
	struct index_set *set = set_at(m->subs, id);
	/* What a callback adds stands behind the end, and may move the array: its place is asked for anew each time. */
	uint32_t n = set->n;

	if (n == set->blanks)
		return;
	if (set->share) {
		set->share->members = index_set_items(set);
		set->share->count = n;
		if (m->visitor->on_share)
			m->visitor->on_share(m->ctx, set->share);
		return;
	}
	for (uint32_t i = 0; m->visitor->on_subscription && i < n; i++) {
		struct index_subscription item = index_set_items(set)[i];

		if (item.who)
			m->visitor->on_subscription(m->ctx, &item);
	}
}

/* The last match has ended: what it held back. */
static void clean(struct index_subs *subs)
{
	struct index_subs_ref ref;

	for (; buf_str(&subs->blanked).n > 0; buf_consume(&subs->blanked, sizeof(ref))) {
		memcpy(&ref, buf_str(&subs->blanked).p, sizeof(ref));
		struct index_set *set = set_at(subs, ref.set);
		index_set_remove(set, ref.at);
		if (--set->blanks == 0 && set->n == 0)
			free_set(subs, ref.set);
	}
	buf_release(&subs->blanked);
}

bool index_subs_match(struct index_subs *subs, struct str topic, const struct index_subs_visitor *visitor, void *ctx)
{
	struct match m = { subs, visitor, ctx };

	subs->running++;
	bool matched = index_trie_match(&subs->trie, topic, on_set, &m);
	if (--subs->running == 0 && buf_str(&subs->blanked).n > 0)
		clean(subs);
	return matched;
}

struct index_share *index_subs_share(struct index_subs *subs, struct str share, struct str filter)
{
	struct index_path path;

	if (share.n == 0 || !path_of(share, filter, &path))
		return NULL;
	uint32_t node = index_trie_find(&subs->trie, &path);
	uint32_t id = node ? index_trie_node(&subs->trie, node)->value : 0;
	struct index_set *set = id ? set_at(subs, id) : NULL;
	if (!set || set->n == set->blanks)
		return NULL;
	set->share->members = index_set_items(set);
	set->share->count = set->n;
	return set->share;
}

uint32_t index_subs_nodes(const struct index_subs *subs)
{
	return index_trie_size(&subs->trie);
}

uint32_t index_subs_count(const struct index_subs *subs)
{
	return subs->count;
}

uint32_t index_subs_filters(const struct index_subs *subs)
{
	return subs->filters;
}
