/* SPDX-License-Identifier: Apache-2.0
 *
 * The table is a chained hash that never holds more than its configured number of addresses. An entry that says nothing any more (nobody inside, bucket full
 * again) is dropped when its chain is walked or when room is needed. Where every entry still says something, newcomers share one
 * entry of `concurrent` and `rate`: a flood from everywhere then slows strangers, not those who are known. */
#include "common/net/ratelimit.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"

#define SWEEP_CHAINS 64u /* looked through for room at each newcomer, so that the work is bounded */

struct entry {
	struct entry *next;
	uint8_t key[16];
	struct bucket bucket;
	uint32_t inside;
};

struct ratelimit {
	struct ratelimit_config config;
	struct entry **chains;
	uint32_t mask;
	uint32_t count;
	uint32_t sweep;
	uint64_t seed;
	struct entry shared;
};

void bucket_fill(struct bucket *b, double burst, uint64_t now_ms)
{
	b->tokens = burst;
	b->at_ms = now_ms;
}

double bucket_level(struct bucket *b, double rate, double burst, uint64_t now_ms)
{
	if (now_ms > b->at_ms) {
		b->tokens += rate * (double)(now_ms - b->at_ms) / 1000.0;
		b->at_ms = now_ms;
	}
	if (b->tokens > burst)
		b->tokens = burst;
	return b->tokens;
}

bool bucket_take(struct bucket *b, double rate, double burst, double n, uint64_t now_ms)
{
	if (bucket_level(b, rate, burst, now_ms) < n)
		return false;
	b->tokens -= n;
	return true;
}

struct ratelimit *ratelimit_new(const struct ratelimit_config *config)
{
	struct ratelimit *r = mem_new(struct ratelimit);
	uint32_t size = 64;

	ratelimit_configure(r, config);
	while (size < r->config.addresses && size < 65536)
		size *= 2;
	r->chains = mem_zalloc(size * sizeof(struct entry *));
	r->mask = size - 1;
	r->seed = random_u64();
	bucket_fill(&r->shared.bucket, r->config.burst, 0);
	return r;
}

void ratelimit_configure(struct ratelimit *r, const struct ratelimit_config *config)
{
	r->config = *config;
	if (r->config.addresses == 0)
		r->config.addresses = 65536;
	if (r->config.burst < 1)
		r->config.burst = 1;
}

void ratelimit_free(struct ratelimit **r)
{
	if (!*r)
		return;
	for (uint32_t i = 0; i <= (*r)->mask; i++) {
		for (struct entry *e = (*r)->chains[i], *next; e; e = next) {
			next = e->next;
			mem_free(e);
		}
	}
	mem_free((*r)->chains);
	mem_free(*r);
	*r = NULL;
}

/* Drops the entries of a chain that limit nobody any more. */
static void tidy(struct ratelimit *r, uint32_t chain, uint64_t now_ms)
{
	for (struct entry **at = &r->chains[chain]; *at;) {
		struct entry *e = *at;
		bool full = r->config.rate <= 0 || bucket_level(&e->bucket, r->config.rate, r->config.burst, now_ms) >= r->config.burst;

		if (e->inside > 0 || !full) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		mem_free(e);
		r->count--;
	}
}

/* Seeded, so that nobody can aim at one chain. */
static uint32_t chain_of(const struct ratelimit *r, const uint8_t key[16])
{
	uint8_t seeded[24];
	uint64_t h;

	memcpy(seeded, &r->seed, 8);
	memcpy(seeded + 8, key, 16);
	h = hash_fnv1a64(str_make(seeded, sizeof(seeded)));
	return (uint32_t)(h ^ h >> 32) & r->mask;
}

static struct entry *find(struct ratelimit *r, const uint8_t key[16], uint32_t chain)
{
	for (struct entry *e = r->chains[chain]; e; e = e->next) {
		if (memcmp(e->key, key, 16) == 0)
			return e;
	}
	return NULL;
}

static struct entry *find_or_add(struct ratelimit *r, const struct net_addr *a, uint64_t now_ms)
{
	uint8_t key[16];
	uint32_t chain;
	struct entry *e;

	net_addr_key(a, key);
	chain = chain_of(r, key);
	e = find(r, key, chain);
	if (e)
		return e;
	tidy(r, chain, now_ms);
	for (uint32_t i = 0; i < SWEEP_CHAINS && r->count >= r->config.addresses; i++)
		tidy(r, r->sweep++ & r->mask, now_ms);
	if (r->count >= r->config.addresses)
		return &r->shared;
	e = mem_new(struct entry);
	memcpy(e->key, key, 16);
	bucket_fill(&e->bucket, r->config.burst, now_ms);
	e->next = r->chains[chain];
	r->chains[chain] = e;
	r->count++;
	return e;
}

enum ratelimit_verdict ratelimit_take(struct ratelimit *r, const struct net_addr *a, uint64_t now_ms)
{
	struct entry *e;

	if (r->config.rate <= 0)
		return RATELIMIT_OK;
	e = find_or_add(r, a, now_ms);
	return bucket_take(&e->bucket, r->config.rate, r->config.burst, 1, now_ms) ? RATELIMIT_OK : RATELIMIT_RATE;
}

void ratelimit_give_back(struct ratelimit *r, const struct net_addr *a, uint64_t now_ms)
{
	uint8_t key[16];
	struct entry *e;

	net_addr_key(a, key);
	e = find(r, key, chain_of(r, key));
	if (!e)
		e = &r->shared;
	e->bucket.tokens += 1;
	bucket_level(&e->bucket, r->config.rate, r->config.burst, now_ms);
}

enum ratelimit_verdict ratelimit_enter(struct ratelimit *r, const struct net_addr *a, uint64_t now_ms, bool *out_shared)
{
	struct entry *e = find_or_add(r, a, now_ms);

	*out_shared = e == &r->shared;
	if (r->config.concurrent && e->inside >= r->config.concurrent)
		return RATELIMIT_CONCURRENT;
	if (r->config.rate > 0 && !bucket_take(&e->bucket, r->config.rate, r->config.burst, 1, now_ms))
		return RATELIMIT_RATE;
	e->inside++;
	return RATELIMIT_OK;
}

void ratelimit_leave(struct ratelimit *r, const struct net_addr *a, bool shared)
{
	uint8_t key[16];
	struct entry *e = &r->shared;

	if (!shared) {
		net_addr_key(a, key);
		e = find(r, key, chain_of(r, key));
	}
	if (e && e->inside > 0)
		e->inside--;
}

uint32_t ratelimit_size(const struct ratelimit *r)
{
	return r->count;
}
