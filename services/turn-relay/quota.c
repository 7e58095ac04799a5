/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/quota.h"

#include <pthread.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/net/ratelimit.h"
#include "services/turn-relay/mix.h"

#define BUCKETS 4096u

/* An account or an address with something to remember. */
struct entry {
	struct entry *next;
	uint32_t count, limit; /* limit: with `own` */
	bool own;
	uint64_t blocked_until_ms;
	size_t n;
	char key[];
};

struct quota {
	pthread_mutex_t lock;
	struct quota_limits limits;
	uint64_t key;
	uint32_t total, blocked, own;
	struct entry *users[BUCKETS], *addresses[BUCKETS];
	struct ratelimit *failures; /* a bucket that wrong attempts empty */
};

struct quota *quota_new(const struct quota_limits *limits)
{
	struct ratelimit_config failures = { .rate = limits->failures_a_minute / 60.0, .burst = limits->failures_a_minute };
	struct quota *q = mem_new(struct quota);

	pthread_mutex_init(&q->lock, NULL);
	q->limits = *limits;
	q->key = random_u64();
	q->failures = limits->failures_a_minute ? ratelimit_new(&failures) : NULL;
	return q;
}

static void free_all(struct entry **table)
{
	for (uint32_t i = 0; i < BUCKETS; i++) {
		while (table[i]) {
			struct entry *e = table[i];

			table[i] = e->next;
			mem_free(e);
		}
	}
}

void quota_free(struct quota **q)
{
	struct quota *it = *q;

	*q = NULL;
	if (!it)
		return;
	free_all(it->users);
	free_all(it->addresses);
	ratelimit_free(&it->failures);
	pthread_mutex_destroy(&it->lock);
	mem_free(it);
}

static struct entry **place(struct quota *q, struct entry **table, struct str key)
{
	struct entry **at = &table[mix(hash_fnv1a64(key) ^ q->key, 0x9e3779b97f4a7c15u) % BUCKETS];

	while (*at && !str_eq(str_make((*at)->key, (*at)->n), key))
		at = &(*at)->next;
	return at;
}

static struct entry *make(struct quota *q, struct entry **table, struct str key)
{
	struct entry **at = place(q, table, key);

	if (!*at) {
		*at = mem_zalloc(sizeof(**at) + key.n);
		(*at)->n = key.n;
		memcpy((*at)->key, key.p, key.n);
	}
	return *at;
}

static bool is_empty(const struct entry *e)
{
	return e->count == 0 && e->blocked_until_ms == 0 && !e->own;
}

static void drop_if_empty(struct quota *q, struct entry **table, struct str key)
{
	struct entry **at = place(q, table, key), *e = *at;

	if (e && is_empty(e)) {
		*at = e->next;
		mem_free(e);
	}
}

static void unblock_if_over(struct quota *q, struct entry *user, uint64_t now_ms)
{
	if (user->blocked_until_ms && user->blocked_until_ms <= now_ms) {
		user->blocked_until_ms = 0;
		q->blocked--;
	}
}

static uint32_t limit_of(const struct quota *q, const struct entry *user)
{
	return user && user->own ? user->limit : q->limits.per_user;
}

static enum quota_verdict judge(const struct quota *q, const struct entry *user, const struct entry *address)
{
	if (user->blocked_until_ms)
		return QUOTA_BLOCKED;
	if (q->total >= q->limits.total)
		return QUOTA_TOTAL;
	if (user->count >= limit_of(q, user))
		return QUOTA_USER;
	return address->count >= q->limits.per_address ? QUOTA_ADDRESS : QUOTA_OK;
}

enum quota_verdict quota_enter(struct quota *q, struct str account, const struct net_addr *client, uint64_t now_ms)
{
	uint8_t network[16];
	struct str from = str_make(network, sizeof(network));
	struct entry *user, *address;
	enum quota_verdict v;

	net_addr_key(client, network);
	pthread_mutex_lock(&q->lock);
	user = make(q, q->users, account);
	address = make(q, q->addresses, from);
	unblock_if_over(q, user, now_ms);
	v = judge(q, user, address);
	if (v == QUOTA_OK) {
		q->total++;
		user->count++;
		address->count++;
	} else {
		drop_if_empty(q, q->users, account);
		drop_if_empty(q, q->addresses, from);
	}
	pthread_mutex_unlock(&q->lock);
	return v;
}

void quota_leave(struct quota *q, struct str account, const struct net_addr *client)
{
	uint8_t network[16];
	struct str from = str_make(network, sizeof(network));

	net_addr_key(client, network);
	pthread_mutex_lock(&q->lock);
	q->total--;
	make(q, q->users, account)->count--;
	make(q, q->addresses, from)->count--;
	drop_if_empty(q, q->users, account);
	drop_if_empty(q, q->addresses, from);
	pthread_mutex_unlock(&q->lock);
}

bool quota_hold_address(struct quota *q, const struct net_addr *from, const struct net_addr *to)
{
	uint8_t here[16], there[16];
	struct str key = str_make(there, sizeof(there));
	struct entry *e;
	bool done;

	net_addr_key(from, here);
	net_addr_key(to, there);
	pthread_mutex_lock(&q->lock);
	e = make(q, q->addresses, key);
	/* Another port only is nothing more. */
	done = e->count < q->limits.per_address || memcmp(here, there, sizeof(here)) == 0;
	if (done)
		e->count++;
	else
		drop_if_empty(q, q->addresses, key);
	pthread_mutex_unlock(&q->lock);
	return done;
}

void quota_leave_address(struct quota *q, const struct net_addr *client)
{
	uint8_t network[16];
	struct str from = str_make(network, sizeof(network));

	net_addr_key(client, network);
	pthread_mutex_lock(&q->lock);
	make(q, q->addresses, from)->count--;
	drop_if_empty(q, q->addresses, from);
	pthread_mutex_unlock(&q->lock);
}

/* Those whose time is over leave when their place is wanted. */
static void sweep(struct quota *q, uint64_t now_ms)
{
	for (uint32_t i = 0; i < BUCKETS; i++) {
		struct entry **at = &q->users[i];

		while (*at) {
			struct entry *e = *at;

			unblock_if_over(q, e, now_ms);
			if (is_empty(e)) {
				*at = e->next;
				mem_free(e);
			} else {
				at = &e->next;
			}
		}
	}
}

bool quota_block(struct quota *q, struct str account, uint64_t until_ms, uint64_t now_ms)
{
	bool done = until_ms > now_ms;

	pthread_mutex_lock(&q->lock);
	if (q->blocked >= QUOTA_BLOCKED_MAX)
		sweep(q, now_ms);
	if (done && q->blocked < QUOTA_BLOCKED_MAX) {
		struct entry *user = make(q, q->users, account);

		q->blocked += user->blocked_until_ms == 0;
		user->blocked_until_ms = until_ms;
	} else {
		done = false;
	}
	pthread_mutex_unlock(&q->lock);
	return done;
}

void quota_look(struct quota *q, struct str account, uint64_t now_ms, struct quota_state *out)
{
	const struct entry *user;

	pthread_mutex_lock(&q->lock);
	user = *place(q, q->users, account);
	*out = (struct quota_state){ .limit = limit_of(q, user) };
	if (user) {
		out->used = user->count;
		out->own = user->own;
		out->blocked_ms = user->blocked_until_ms > now_ms ? user->blocked_until_ms - now_ms : 0;
	}
	pthread_mutex_unlock(&q->lock);
}

bool quota_set(struct quota *q, struct str account, uint32_t limit)
{
	struct entry *user;
	bool done;

	pthread_mutex_lock(&q->lock);
	user = make(q, q->users, account);
	done = user->own || q->own < QUOTA_OWN_MAX;
	if (done) {
		q->own += !user->own;
		user->own = true;
		user->limit = limit;
	}
	drop_if_empty(q, q->users, account);
	pthread_mutex_unlock(&q->lock);
	return done;
}

void quota_reset(struct quota *q, struct str account)
{
	struct entry *user;

	pthread_mutex_lock(&q->lock);
	user = *place(q, q->users, account);
	if (user && user->own) {
		user->own = false;
		q->own--;
	}
	drop_if_empty(q, q->users, account);
	pthread_mutex_unlock(&q->lock);
}

bool quota_may_try(struct quota *q, const struct net_addr *client, uint64_t now_ms)
{
	bool may = true;

	if (!q->failures)
		return true;
	pthread_mutex_lock(&q->lock);
	may = ratelimit_take(q->failures, client, now_ms) == RATELIMIT_OK;
	if (may)
		ratelimit_give_back(q->failures, client, now_ms);
	pthread_mutex_unlock(&q->lock);
	return may;
}

void quota_failed(struct quota *q, const struct net_addr *client, uint64_t now_ms)
{
	if (!q->failures)
		return;
	pthread_mutex_lock(&q->lock);
	ratelimit_take(q->failures, client, now_ms);
	pthread_mutex_unlock(&q->lock);
}
