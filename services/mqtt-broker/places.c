/* SPDX-License-Identifier: Apache-2.0
 *
 * places: a broker's filters in the index of filters that the others have (mq_tenant.others): its own place there for each tenant. Groups are there with all
 * brokers that have members, this one included, so that one matching shows among whom to choose. */
#include "common/base/mem.h"
#include "services/mqtt-broker/several.h"

struct mq_peer *mq_peer_new(struct mq_broker *b, uint64_t instance)
{
	struct mq_peer *p = mem_new(struct mq_peer);

	p->broker = b;
	p->instance = instance;
	p->places = mem_zalloc((b->tenant_count + 1) * sizeof(*p->places));
	for (uint32_t i = 0; i < b->tenant_count; i++)
		p->places[i].peer = p;
	list_init(&p->node);
	list_init(&p->mark.node);
	list_init(&p->mark.gone);
	list_init(&p->passes);
	mq_names_init(&p->group_names);
	wheel_timer_init(&p->retry, NULL);
	wheel_timer_init(&p->pass_retry, mq_passes_on_retry);
	return p;
}

static void group_free(struct mq_peer *p, struct mq_group *g)
{
	p->groups[g->id] = NULL;
	mq_names_remove(&p->group_names, g->key);
	mem_free((char *)(uintptr_t)g->key.p);
	mem_free(g);
}

void mq_peer_clear(struct mq_peer *p)
{
	for (uint32_t i = 0; i < p->broker->tenant_count; i++)
		index_subs_remove_all(p->broker->tenants[i].others, &p->places[i].subscriber, NULL, NULL);
	for (uint32_t i = 0; i < p->group_n; i++) {
		if (p->groups[i])
			group_free(p, p->groups[i]);
	}
	mem_free(p->groups);
	p->groups = NULL;
	p->group_n = 0;
}

void mq_peer_free(struct mq_peer *p)
{
	mq_peer_clear(p);
	mq_names_fini(&p->group_names);
	net_timer_cancel(p->broker->net, &p->retry);
	net_timer_cancel(p->broker->net, &p->pass_retry);
	list_remove(&p->node);
	list_remove(&p->mark.node);
	mem_free(p->places);
	mem_free(p);
}

static uint32_t free_id(struct mq_peer *p)
{
	uint32_t n = p->group_n;

	for (uint32_t i = 0; i < n; i++) {
		if (!p->groups[i])
			return i;
	}
	p->group_n = n ? n * 2 : 8;
	p->groups = mem_realloc(p->groups, p->group_n * sizeof(*p->groups));
	memset(p->groups + n, 0, (p->group_n - n) * sizeof(*p->groups));
	return n;
}

static struct mq_group *group_new(struct mq_peer *p, struct str key, struct str group)
{
	struct mq_group *g = mem_new(struct mq_group);

	g->key = key;
	g->filter = key.p;
	g->group = key.p + key.n - 1 - group.n;
	g->id = free_id(p);
	p->groups[g->id] = g;
	mq_names_put(&p->group_names, g);
	return g;
}

static bool set_group(struct mq_peer *p, struct mq_tenant *t, struct mq_place *place, struct str group, struct str filter, uint32_t members,
                      uint32_t here)
{
	struct str key = mq_filter_key(t, group, filter);
	struct mq_group *g = mq_names_get(&p->group_names, key);
	struct index_subscription options = { 0 };

	if (g || members == 0)
		mem_free((char *)(uintptr_t)key.p);
	if (members == 0) {
		index_subs_remove(t->others, &place->subscriber, group, filter);
		if (g)
			group_free(p, g);
		return true;
	}
	if (!g) {
		g = group_new(p, key, group);
		options.identifier = g->id & 0xfffffffu;
		if (index_subs_add(t->others, &place->subscriber, group, filter, &options) == INDEX_SUBS_REFUSED) {
			group_free(p, g);
			return false;
		}
	}
	g->members = members;
	g->here = here;
	return true;
}

bool mq_peer_set(struct mq_peer *p, struct mq_tenant *t, struct str group, struct str filter, uint32_t members, uint32_t here)
{
	static const struct index_subscription options;
	struct mq_place *place = &p->places[t - p->broker->tenants];

	if (group.n)
		return set_group(p, t, place, group, filter, members, here);
	if (members)
		return index_subs_add(t->others, &place->subscriber, group, filter, &options) != INDEX_SUBS_REFUSED;
	return index_subs_remove(t->others, &place->subscriber, group, filter) != INDEX_SUBS_REFUSED;
}
