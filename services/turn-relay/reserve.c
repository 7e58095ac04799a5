/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/reserve.h"

#include <pthread.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/crypto/secret.h"

struct slot {
	struct reserved what;
	uint8_t token[RESERVE_TOKEN_SIZE];
	uint64_t until_ms; /* 0: free */
	char *account;
};

struct reserve {
	pthread_mutex_t lock;
	void (*give_back)(const struct reserved *r, void *ctx);
	void *ctx;
	struct slot slots[RESERVE_MAX];
};

struct reserve *reserve_new(void (*give_back)(const struct reserved *r, void *ctx), void *ctx)
{
	struct reserve *r = mem_new(struct reserve);

	pthread_mutex_init(&r->lock, NULL);
	r->give_back = give_back;
	r->ctx = ctx;
	return r;
}

static void clear(struct slot *s)
{
	mem_free(s->account);
	*s = (struct slot){ 0 };
}

void reserve_free(struct reserve **r)
{
	if (!*r)
		return;
	reserve_expire(*r, UINT64_MAX);
	pthread_mutex_destroy(&(*r)->lock);
	mem_free(*r);
	*r = NULL;
}

/* A free place; NULL: none, or the account has its share. */
static struct slot *find_place(struct reserve *r, struct str account)
{
	struct slot *place = NULL;
	unsigned held = 0;

	for (unsigned i = 0; i < RESERVE_MAX; i++) {
		struct slot *s = &r->slots[i];

		if (s->until_ms)
			held += str_is(account, s->account);
		else if (!place)
			place = s;
	}
	return held < RESERVE_ACCOUNT_MAX ? place : NULL;
}

bool reserve_put(struct reserve *r, const struct reserved *what, struct str account, uint64_t now_ms, uint8_t token[RESERVE_TOKEN_SIZE])
{
	struct slot *s;

	pthread_mutex_lock(&r->lock);
	s = find_place(r, account);
	if (s) {
		random_bytes(s->token, sizeof(s->token));
		memcpy(token, s->token, sizeof(s->token));
		s->what = *what;
		s->account = mem_strndup(account.p, account.n);
		s->until_ms = now_ms + RESERVE_MS;
	}
	pthread_mutex_unlock(&r->lock);
	return s != NULL;
}

bool reserve_take(struct reserve *r, const uint8_t token[RESERVE_TOKEN_SIZE], struct str account, uint64_t now_ms, struct reserved *out)
{
	bool found = false;

	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < RESERVE_MAX && !found; i++) {
		struct slot *s = &r->slots[i];

		if (s->until_ms <= now_ms || !secret_equal(s->token, token, sizeof(s->token)) || !str_is(account, s->account))
			continue;
		*out = s->what;
		clear(s);
		found = true;
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

void reserve_expire(struct reserve *r, uint64_t now_ms)
{
	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < RESERVE_MAX; i++) {
		struct slot *s = &r->slots[i];

		if (s->until_ms == 0 || s->until_ms > now_ms)
			continue;
		close(s->what.fd);
		r->give_back(&s->what, r->ctx);
		clear(s);
	}
	pthread_mutex_unlock(&r->lock);
}
