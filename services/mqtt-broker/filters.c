/* SPDX-License-Identifier: Apache-2.0
 *
 * filters: what the sessions of this broker subscribed to, counted, so that other brokers hear of the first and the last alone, and of a group's members. All
 * stand in one list in the order of their last change: what a peer has not heard is what stands behind its mark. */
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/several.h"

struct str mq_filter_key(const struct mq_tenant *t, struct str group, struct str filter)
{
	size_t n = t->name.n + 1 + filter.n + 1 + group.n + 1;
	char *out = mem_alloc(n), *at = out;

	memcpy(at, t->name.p, t->name.n);
	at += t->name.n;
	*at++ = '/';
	memcpy(at, filter.p, filter.n);
	at += filter.n;
	*at++ = '\0';
	if (group.n)
		memcpy(at, group.p, group.n);
	at[group.n] = '\0';
	return str_make(out, n);
}

static void filter_free(struct mq_several *s, struct mq_filter *f)
{
	list_remove(&f->node);
	list_remove(&f->gone);
	mq_names_remove(&s->filters, f->key);
	mem_free(f);
}

/* There are as many as subscriptions: in one block. */
static struct mq_filter *filter_new(struct mq_tenant *t, struct str key, struct str group)
{
	struct mq_filter *f = mem_zalloc(sizeof(*f) + key.n);

	f->tenant = t;
	f->key = str_make(memcpy(f + 1, key.p, key.n), key.n);
	f->group_n = (uint32_t)group.n;
	list_init(&f->node);
	list_init(&f->gone);
	mq_names_put(&t->broker->several->filters, f);
	return f;
}

/* To the end of the log: nobody knows it. */
static void changed(struct mq_broker *b, struct mq_filter *f)
{
	struct mq_several *s = b->several;

	f->version = ++s->version;
	list_remove(&f->node);
	list_push_back(&s->log, &f->node);
	list_remove(&f->gone);
	if (s->peer_n == 0 && f->members == 0)
		filter_free(s, f);
	else if (f->members == 0)
		list_push_back(&s->gone, &f->gone);
	if (s->peer_n > 0)
		net_defer(b->net, &s->tell_task);
}

/* anew: all are to hear of it, whatever they know. */
static void count(struct mq_tenant *t, struct str group, struct str filter, int by, int here, bool anew)
{
	struct mq_several *s = t->broker->several;
	struct str key = mq_filter_key(t, group, filter);
	struct mq_filter *f = mq_names_get(&s->filters, key);
	uint32_t before;

	if (!f)
		f = filter_new(t, key, group);
	mem_free((char *)(uintptr_t)key.p);
	before = f->members;
	f->members = (uint32_t)((int64_t)before + by);
	f->here = (uint32_t)((int64_t)f->here + here);
	if (group.n)
		mq_peer_set(s->self, t, group, filter, f->members, f->here);
	if (group.n || before == 0 || f->members == 0 || anew)
		changed(t->broker, f);
}

enum index_subs_change mq_subs_add(struct mq_session *s, struct str group, struct str filter, const struct index_subscription *options)
{
	enum index_subs_change change = index_subs_add(s->tenant->subs, &s->subscriber, group, filter, options);

	if (change == INDEX_SUBS_ADDED || change == INDEX_SUBS_FIRST)
		count(s->tenant, group, filter, 1, s->here, s->lasting && s->lasting->arrival);
	return change;
}

enum index_subs_change mq_subs_remove(struct mq_session *s, struct str group, struct str filter)
{
	enum index_subs_change change = index_subs_remove(s->tenant->subs, &s->subscriber, group, filter);

	if (change == INDEX_SUBS_REMOVED || change == INDEX_SUBS_LAST)
		count(s->tenant, group, filter, -1, -s->here, false);
	return change;
}

static void on_removed(void *ctx, struct str group, struct str filter, const struct index_subscription *subscription)
{
	struct mq_session *s = ctx;

	(void)subscription;
	count(s->tenant, group, filter, -1, -s->here, false);
}

void mq_subs_remove_all(struct mq_session *s)
{
	index_subs_each(s->tenant->subs, &s->subscriber, on_removed, s);
	index_subs_remove_all(s->tenant->subs, &s->subscriber, NULL, NULL);
}

static void on_here(void *ctx, struct str group, struct str filter, const struct index_subscription *subscription)
{
	struct mq_session *s = ctx;

	(void)subscription;
	if (group.n)
		count(s->tenant, group, filter, 0, s->here ? 1 : -1, false);
}

void mq_subs_here(struct mq_session *s, bool here)
{
	if (s->here == here)
		return;
	s->here = here;
	index_subs_each(s->tenant->subs, &s->subscriber, on_here, s);
}

void mq_filters_forget(struct mq_broker *b, uint64_t told)
{
	struct mq_several *s = b->several;

	while (!list_empty(&s->gone)) {
		struct mq_filter *f = list_entry(s->gone.next, struct mq_filter, gone);

		if (f->version > told)
			return;
		filter_free(s, f);
	}
}

void mq_filters_free(struct mq_broker *b)
{
	struct mq_several *s = b->several;

	list_for_each_safe (n, &s->log) {
		struct mq_filter *f = list_entry(n, struct mq_filter, node);

		if (f->tenant)
			filter_free(s, f);
	}
	mq_names_fini(&s->filters);
}
