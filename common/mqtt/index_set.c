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

void index_set_add(struct index_set *s, uint32_t set_id, struct index_subscriber *who, const struct index_subscription *options)
{
	if (s->n > 0 && s->n >= s->cap)
		resize(s, s->cap ? 2 * s->cap : MANY_MIN);
	if (who->count == who->cap) {
		who->cap = who->cap ? who->cap + (who->cap + 1) / 2 : 1;
		who->refs = mem_realloc(who->refs, (size_t)who->cap * sizeof(*who->refs));
	}
	struct index_subscription *item = &index_set_items(s)[s->n];
	*item = *options;
	item->who = who;
	item->ref = who->count;
	who->refs[who->count++] = (struct index_subs_ref){ set_id, s->n++ };
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
		items[at].who->refs[items[at].ref].at = at;
	}
	shrink(s);
}

void index_set_fini(struct index_set *s)
{
	if (s->cap)
		mem_free(s->many);
	mem_free(s->share);
}
