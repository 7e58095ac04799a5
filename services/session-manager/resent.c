/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/resent.h"

#include "common/base/hash.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "services/session-manager/table.h"

struct name {
	struct list_node node; /* the oldest first */
	struct table_node by_key;
	struct packet_key key;
	uint64_t since_ms;
};

struct resent {
	struct table names;
	struct list_node all;
	struct {
		uint64_t epoch, since_ms;
	} slots[SLOT_COUNT];
};

struct resent *resent_new(void)
{
	struct resent *r = mem_new(struct resent);

	list_init(&r->all);
	return r;
}

static void forget(struct resent *r, struct name *n)
{
	table_remove(&r->names, &n->by_key);
	list_remove(&n->node);
	mem_free(n);
}

void resent_free(struct resent **r)
{
	if (!*r)
		return;
	list_for_each_safe (n, &(*r)->all)
		forget(*r, list_entry(n, struct name, node));
	table_fini(&(*r)->names);
	mem_free(*r);
	*r = NULL;
}

uint32_t resent_count(const struct resent *r)
{
	return (uint32_t)r->names.count;
}

static uint64_t hash_of(struct packet_key key)
{
	return table_hash_u64(key.stream ^ key.number * 0x9e3779b97f4a7c15u);
}

static struct name *find(const struct resent *r, struct packet_key key)
{
	for (struct table_node *n = table_first(&r->names, hash_of(key)); n; n = table_next(n)) {
		struct name *found = table_entry(n, struct name, by_key);

		if (found->key.stream == key.stream && found->key.number == key.number)
			return found;
	}
	return NULL;
}

/* The time of the first that was marked counts: from then on it may be in the log. */
static void keep(struct resent *r, struct packet_key key, uint64_t now_ms)
{
	struct name *n;

	if (find(r, key))
		return;
	if (r->names.count >= RESENT_MAX)
		forget(r, list_entry(r->all.next, struct name, node));
	n = mem_new(struct name);
	n->key = key;
	n->since_ms = now_ms;
	list_push_back(&r->all, &n->node);
	table_insert(&r->names, &n->by_key, hash_of(key));
}

static void expire(struct resent *r, uint64_t now_ms)
{
	while (!list_empty(&r->all)) {
		struct name *oldest = list_entry(r->all.next, struct name, node);

		if (now_ms - oldest->since_ms < RESENT_KEEP_MS)
			return;
		forget(r, oldest);
	}
}

static bool is_new(struct resent *r, uint32_t slot, uint64_t epoch, uint64_t now_ms)
{
	if (r->slots[slot].epoch != epoch) {
		r->slots[slot].epoch = epoch;
		r->slots[slot].since_ms = now_ms;
	}
	return now_ms - r->slots[slot].since_ms < RESENT_NEW_MS;
}

bool resent_seen(struct resent *r, struct packet_key key, bool again, uint64_t now_ms, uint64_t *out_age_ms)
{
	const struct name *n;

	expire(r, now_ms);
	if (again) {
		keep(r, key, now_ms);
		return true;
	}
	n = find(r, key);
	if (n)
		*out_age_ms = now_ms - n->since_ms + 1;
	return n != NULL;
}

bool resent_look(struct resent *r, uint32_t slot, uint64_t epoch, struct packet_key key, bool again, uint64_t now_ms, uint64_t *out_age_ms)
{
	bool fresh = is_new(r, slot, epoch, now_ms);

	if (resent_seen(r, key, again, now_ms, out_age_ms))
		return true;
	if (fresh)
		*out_age_ms = RESENT_NEW_MS;
	return fresh;
}
