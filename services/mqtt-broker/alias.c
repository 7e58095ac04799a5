/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/alias.h"

#include "common/base/hash.h"
#include "common/base/mem.h"

#define SHORTEST  6u    /* bytes of a topic that is worth the three of an alias */
#define SCORE_MAX 1000u /* so that what was popular once gives way */

void mq_aliases_fini(struct mq_aliases *a)
{
	for (uint32_t i = 0; a->slots && i < a->slots->max; i++)
		mem_free(a->slots->at[i].topic);
	mem_free(a->slots);
	a->slots = NULL;
}

static bool is(const struct mq_alias *s, struct str topic)
{
	return s->topic && str_eq(str_make(s->topic, s->n), topic);
}

void mq_aliases_set(struct mq_aliases *a, uint16_t max, uint16_t alias, struct str topic)
{
	struct mq_alias *s;

	if (!a->slots) {
		a->slots = mem_zalloc(sizeof(*a->slots) + max * sizeof(a->slots->at[0]));
		a->slots->max = max;
	}
	s = &a->slots->at[alias - 1];
	if (is(s, topic))
		return;
	mem_free(s->topic);
	s->topic = mem_strndup(topic.p, topic.n);
	s->n = (uint32_t)topic.n;
	s->score = 1;
}

struct str mq_aliases_get(const struct mq_aliases *a, uint16_t alias)
{
	const struct mq_alias *s = a->slots && alias >= 1 && alias <= a->slots->max ? &a->slots->at[alias - 1] : NULL;

	return s && s->topic ? str_make(s->topic, s->n) : (struct str){ 0 };
}

void mq_aliases_choose(struct mq_aliases *a, uint16_t max, struct str topic, struct mqtt_delivery *d)
{
	struct mq_alias *s;
	uint16_t slot;

	if (max == 0 || topic.n < SHORTEST)
		return;
	slot = (uint16_t)(hash_fnv1a64(topic) % max);
	s = a->slots ? &a->slots->at[slot] : NULL;
	if (s && is(s, topic)) {
		s->score += s->score < SCORE_MAX;
		d->alias_known = true;
	} else if (s && s->score > 0) {
		s->score--;
		return;
	}
	d->topic_alias = (uint16_t)(slot + 1);
}

void mq_aliases_sent(struct mq_aliases *a, uint16_t max, struct str topic, const struct mqtt_delivery *d)
{
	if (d->topic_alias && !d->alias_known)
		mq_aliases_set(a, max, d->topic_alias, topic);
}
