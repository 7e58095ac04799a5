/* SPDX-License-Identifier: Apache-2.0
 *
 * index_set: see index_set.h. */
#include "common/mqtt/index_set.h"

#include "common/base/mem.h"

#define MANY_MIN 4u

static void resize(struct index_set *s, uint32_t cap)
{
	struct index_subscription one = s->one;
	struct index_subscription *many = mem_realloc(s->cap ? s->many : NULL, (size_t)cap * sizeof(*many));

	if (!s->cap)
		many[0] = one;
	s->many = many;
	s->cap = cap;
}

static void shrink(struct index_set *s)
{
	if (s->cap > MANY_MIN && s->n < s->cap / 4)
		resize(s, s->cap / 2);
}

static void add_ref(struct index_subscriber *who, struct index_subs_ref ref)
{
	if (who->count > 0 && who->count >= who->cap) {
		struct index_subs_ref one = who->one;
		uint32_t cap = who->cap ? who->cap + (who->cap + 1) / 2 : 3;
		struct index_subs_ref *many = mem_realloc(who->cap ? who->many : NULL, (size_t)cap * sizeof(*many));

		if (!who->cap)
			many[0] = one;
		who->many = many;
		who->cap = cap;
	}
	index_subscriber_refs(who)[who->count++] = ref;
}

void index_set_add(struct index_set *s, uint32_t set_id, struct index_subscriber *who, const struct index_subscription *options)
{
	if (s->n > 0 && s->n >= s->cap)
		resize(s, s->cap ? 2 * s->cap : MANY_MIN);
	struct index_subscription *item = &index_set_items(s)[s->n];
	*item = *options;
	item->who = who;
	item->ref = who->count;
	add_ref(who, (struct index_subs_ref){ set_id, s->n++ });
}

void index_set_remove(struct index_set *s, uint32_t at)
{
	struct index_subscription *items = index_set_items(s);

	if (at < s->n)
		items[at].who = NULL;
	while (s->n > 0 && !items[s->n - 1].who)
		s->n--;
	if (at < s->n) {
		items[at] = items[--s->n];
		index_subscriber_refs(items[at].who)[items[at].ref].at = at;
	}
	shrink(s);
}

void index_set_fini(struct index_set *s)
{
	if (s->cap)
		mem_free(s->many);
	mem_free(s->share);
}
