/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of items. Changes are roster_store.c, pushes roster_push.c. */
#include "services/session-manager/roster.h"

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "services/session-manager/roster_impl.h"

static char *place(char **at, struct str s)
{
	char *p = *at;

	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	*at += s.n + 1;
	return p;
}

static struct roster_item *item_new(const struct roster_change *c, uint64_t version)
{
	size_t size = sizeof(struct roster_item) + c->group_count * sizeof(char *) + c->jid.n + c->name.n + c->pending.n + 3;
	struct roster_item *i;
	const char **groups;
	char *at;

	for (uint32_t g = 0; g < c->group_count; g++)
		size += c->groups[g].n + 1;
	i = mem_zalloc(size);
	groups = (const char **)(i + 1);
	at = (char *)(groups + c->group_count);
	i->jid = place(&at, c->jid);
	i->name = place(&at, c->name);
	for (uint32_t g = 0; g < c->group_count; g++)
		groups[g] = place(&at, c->groups[g]);
	i->groups = groups;
	i->group_count = c->group_count;
	i->pending = str_make(place(&at, c->pending), c->pending.n);
	i->state = c->state;
	i->approved = c->approved;
	i->hidden = c->hidden;
	i->version = version;
	return i;
}

void roster_forget(struct roster *r, struct roster_item *i)
{
	table_remove(&r->items, &i->by_jid);
	list_remove(&i->node);
	r->count--;
	mem_free(i);
}

struct roster_item *roster_set(struct roster *r, const struct roster_change *c, uint64_t version)
{
	struct roster_item *old = roster_find(r, c->jid), *i = item_new(c, version);

	/* The change may hold views of the old item. */
	if (old)
		roster_forget(r, old);
	table_insert(&r->items, &i->by_jid, hash_fnv1a64(str_from(i->jid)));
	list_push_back(&r->order, &i->node);
	r->count++;
	if (version > r->version)
		r->version = version;
	return i;
}

struct roster_item *roster_load_item(struct roster *r, const Starling__RosterItem *m)
{
	struct str *groups = mem_alloc((m->n_groups + 1) * sizeof(*groups));
	struct roster_change c = {
		.jid = str_from(m->jid),
		.name = str_from(m->name),
		.groups = groups,
		.group_count = (uint32_t)m->n_groups,
		.state = sub_pack((int)m->subscription, m->ask, m->pending_in),
		.approved = m->approved,
		.hidden = m->hidden,
		.pending = str_make(m->pending_stanza.data, m->pending_stanza.len),
	};
	struct roster_item *item;

	for (size_t i = 0; i < m->n_groups; i++)
		groups[i] = str_from(m->groups[i]);
	item = roster_set(r, &c, m->version);
	mem_free(groups);
	return item;
}

struct roster *roster_new(const Starling__RosterReply *reply)
{
	struct roster *r = mem_new(struct roster);

	list_init(&r->order);
	if (!reply)
		return r;
	for (size_t i = 0; i < reply->n_items; i++)
		roster_load_item(r, reply->items[i]);
	r->version = reply->version;
	return r;
}

void roster_free(struct roster **r)
{
	if (!*r)
		return;
	list_for_each_safe (n, &(*r)->order)
		mem_free(list_entry(n, struct roster_item, node));
	table_fini(&(*r)->items);
	mem_free(*r);
	*r = NULL;
}

struct roster_item *roster_find(const struct roster *r, struct str jid)
{
	for (struct table_node *n = table_first(&r->items, hash_fnv1a64(jid)); n; n = table_next(n)) {
		struct roster_item *i = table_entry(n, struct roster_item, by_jid);

		if (str_is(jid, i->jid))
			return i;
	}
	return NULL;
}

enum sub_state roster_state(const struct roster *r, struct str jid)
{
	const struct roster_item *i = r ? roster_find(r, jid) : NULL;

	return i ? i->state : SUB_NONE;
}

void roster_change_from(struct roster_change *out, const struct roster *r, struct str jid)
{
	const struct roster_item *i = roster_find(r, jid);
	struct str *groups;

	*out = (struct roster_change){ .jid = jid, .hidden = true };
	if (!i)
		return;
	groups = mem_alloc((i->group_count + 1) * sizeof(*groups));
	for (uint32_t g = 0; g < i->group_count; g++)
		groups[g] = str_from(i->groups[g]);
	*out = (struct roster_change){
		.jid = jid,
		.name = str_from(i->name),
		.groups = groups,
		.group_count = i->group_count,
		.state = i->state,
		.approved = i->approved,
		.hidden = i->hidden,
		.pending = i->pending,
	};
}

void roster_change_done(struct roster_change *c)
{
	mem_free((void *)c->groups);
	c->groups = NULL;
}
