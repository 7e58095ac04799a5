/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/user.h"

#include "common/base/hash.h"
#include "common/base/mem.h"

void users_init(struct users *u, const struct user_limits *limits)
{
	u->limits = *limits;
	u->count = 0;
	for (uint32_t i = 0; i < USER_BUCKETS; i++)
		list_init(&u->buckets[i]);
}

static void forget(struct users *u, struct user *user)
{
	list_remove(&user->node);
	mem_free(user);
	u->count--;
}

void users_fini(struct users *u)
{
	for (uint32_t i = 0; i < USER_BUCKETS; i++) {
		list_for_each_safe (n, &u->buckets[i])
			forget(u, list_entry(n, struct user, node));
	}
}

/* What may be saved up: a second's worth. */
static double burst(const struct users *u)
{
	return (double)u->limits.rate;
}

static struct user *get(struct users *u, struct str jid, uint64_t now_ms)
{
	struct list_node *bucket = &u->buckets[hash_fnv1a64(jid) % USER_BUCKETS];
	struct user *user;

	list_for_each (n, bucket) {
		user = list_entry(n, struct user, node);
		if (str_is(jid, user->jid))
			return user;
	}
	user = mem_zalloc(sizeof(*user) + jid.n + 1);
	memcpy(user->jid, jid.p, jid.n);
	user->begun_ms = now_ms;
	bucket_fill(&user->tokens, burst(u), now_ms);
	list_push_back(bucket, &user->node);
	u->count++;
	return user;
}

/* A period begins with the first byte after the one before. */
static void look_at_clock(const struct users *u, struct user *user, uint64_t now_ms)
{
	if (now_ms - user->begun_ms < u->limits.period_ms)
		return;
	user->begun_ms = now_ms;
	user->bytes = 0;
}

struct user *user_enter(struct users *u, struct str jid, uint64_t now_ms, enum user_verdict *out_why)
{
	struct user *user = get(u, jid, now_ms);

	look_at_clock(u, user, now_ms);
	*out_why = USER_OK;
	if (user->streams >= u->limits.streams)
		*out_why = USER_STREAMS;
	else if (u->limits.quota && user->bytes >= u->limits.quota)
		*out_why = USER_QUOTA;
	if (*out_why != USER_OK)
		return NULL;
	user->streams++;
	return user;
}

void user_leave(struct user *user)
{
	user->streams--;
}

uint64_t user_allowance(const struct users *u, struct user *user, uint64_t now_ms)
{
	if (!u->limits.rate)
		return UINT64_MAX;
	return (uint64_t)bucket_level(&user->tokens, (double)u->limits.rate, burst(u), now_ms);
}

uint64_t user_left(const struct users *u, struct user *user, uint64_t now_ms)
{
	if (!u->limits.quota)
		return UINT64_MAX;
	look_at_clock(u, user, now_ms);
	return user->bytes < u->limits.quota ? u->limits.quota - user->bytes + 1 : 1;
}

bool user_moved(const struct users *u, struct user *user, uint64_t bytes, uint64_t now_ms)
{
	if (u->limits.rate)
		bucket_take(&user->tokens, (double)u->limits.rate, burst(u), (double)bytes, now_ms);
	look_at_clock(u, user, now_ms);
	user->bytes += bytes;
	return !u->limits.quota || user->bytes <= u->limits.quota;
}

void users_sweep(struct users *u, uint64_t now_ms)
{
	for (uint32_t i = 0; i < USER_BUCKETS; i++) {
		list_for_each_safe (n, &u->buckets[i]) {
			struct user *user = list_entry(n, struct user, node);

			if (user->streams == 0 && (!u->limits.quota || now_ms - user->begun_ms >= u->limits.period_ms))
				forget(u, user);
		}
	}
}
