/* SPDX-License-Identifier: Apache-2.0 */
#include "common/dns/dns_cache.h"

#include "common/base/hash.h"
#include "common/base/list.h"
#include "common/base/mem.h"

#define BUCKETS 1024u

struct entry {
	struct list_node in_bucket;
	struct list_node by_use; /* latest first */
	struct dns_result *result;
	uint64_t until_ms;
	size_t bytes;
	char name[];
};

struct dns_cache {
	struct list_node buckets[BUCKETS];
	struct list_node by_use;
	size_t count, bytes, max_entries, max_bytes;
	uint32_t max_age_s;
};

struct dns_cache *dns_cache_new(size_t max_entries, size_t max_bytes, uint32_t max_age_s)
{
	struct dns_cache *c = mem_new(struct dns_cache);

	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&c->buckets[i]);
	list_init(&c->by_use);
	c->max_entries = max_entries;
	c->max_bytes = max_bytes;
	c->max_age_s = max_age_s;
	return c;
}

static void drop(struct dns_cache *c, struct entry *e)
{
	list_remove(&e->in_bucket);
	list_remove(&e->by_use);
	c->count--;
	c->bytes -= e->bytes;
	dns_result_unref(&e->result);
	mem_free(e);
}

static void shrink_to(struct dns_cache *c, size_t entries, size_t bytes)
{
	while (c->count > entries || c->bytes > bytes)
		drop(c, list_entry(c->by_use.prev, struct entry, by_use));
}

void dns_cache_clear(struct dns_cache *c)
{
	shrink_to(c, 0, 0);
}

void dns_cache_free(struct dns_cache **c)
{
	if (!*c)
		return;
	dns_cache_clear(*c);
	mem_free(*c);
	*c = NULL;
}

static struct list_node *bucket(struct dns_cache *c, const char *name)
{
	return &c->buckets[hash_fnv1a64(str_from(name)) % BUCKETS];
}

static struct entry *find(struct dns_cache *c, const char *name, enum dns_type type)
{
	struct list_node *head = bucket(c, name);

	list_for_each (it, head) {
		struct entry *e = list_entry(it, struct entry, in_bucket);

		if (e->result->type == type && strcmp(e->name, name) == 0)
			return e;
	}
	return NULL;
}

struct dns_result *dns_cache_get(struct dns_cache *c, const char *name, enum dns_type type, uint64_t now_ms)
{
	struct entry *e = find(c, name, type);

	if (!e)
		return NULL;
	if (now_ms >= e->until_ms) {
		drop(c, e);
		return NULL;
	}
	list_remove(&e->by_use);
	list_push_front(&c->by_use, &e->by_use);
	return e->result;
}

void dns_cache_put(struct dns_cache *c, const char *name, struct dns_result *r, uint64_t now_ms)
{
	struct entry *e = find(c, name, r->type);
	uint32_t ttl_s = r->ttl_s < c->max_age_s ? r->ttl_s : c->max_age_s;
	size_t name_size = strlen(name) + 1;

	/* The reference first: what is dropped may be the same result. */
	dns_result_ref(r);
	if (e)
		drop(c, e);
	if (ttl_s == 0) {
		dns_result_unref(&r);
		return;
	}
	e = mem_alloc(sizeof(*e) + name_size);
	e->result = r;
	e->until_ms = now_ms + 1000u * (uint64_t)ttl_s;
	e->bytes = sizeof(*e) + name_size + r->bytes;
	memcpy(e->name, name, name_size);
	list_push_back(bucket(c, name), &e->in_bucket);
	list_push_front(&c->by_use, &e->by_use);
	c->count++;
	c->bytes += e->bytes;
	shrink_to(c, c->max_entries, c->max_bytes);
}

size_t dns_cache_count(const struct dns_cache *c)
{
	return c->count;
}

size_t dns_cache_bytes(const struct dns_cache *c)
{
	return c->bytes;
}
