/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/links.h"

#include <pthread.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

/* The number of a slot is the lower part of an id; the rest is random, so that an id that is used again is another one. */
#define SLOT_MASK (LINKS_MAX - 1u)

struct slot {
	uint32_t id; /* 0: free */
	int fd;      /* -1: not yet connected, or fetched */
	uint64_t owner, until_ms;
	char *account;
	struct net_addr peer;
	struct worker *by; /* who has fetched it */
};

struct links {
	pthread_mutex_t lock;
	void (*end)(struct worker *w, uint32_t id);
	uint32_t count, next;
	struct slot slots[LINKS_MAX];
};

struct links *links_new(void (*end)(struct worker *w, uint32_t id))
{
	struct links *l = mem_new(struct links);

	pthread_mutex_init(&l->lock, NULL);
	l->end = end;
	return l;
}

static void clear(struct links *l, struct slot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	mem_free(s->account);
	*s = (struct slot){ .fd = -1 };
	l->count--;
}

void links_free(struct links **l)
{
	if (!*l)
		return;
	for (uint32_t i = 0; i < LINKS_MAX; i++) {
		if ((*l)->slots[i].id)
			clear(*l, &(*l)->slots[i]);
	}
	pthread_mutex_destroy(&(*l)->lock);
	mem_free(*l);
	*l = NULL;
}

static struct slot *find(struct links *l, uint32_t id)
{
	struct slot *s = &l->slots[id & SLOT_MASK];

	return id != 0 && s->id == id ? s : NULL;
}

static enum links_verdict look(const struct links *l, uint64_t owner, const struct net_addr *peer, uint32_t max)
{
	uint32_t had = 0;

	if (l->count == LINKS_MAX)
		return LINKS_FULL;
	for (uint32_t i = 0; l->count > 0 && i < LINKS_MAX; i++) {
		const struct slot *s = &l->slots[i];

		if (s->id == 0 || s->owner != owner)
			continue;
		had++;
		if (s->peer.port == peer->port && memcmp(s->peer.ip, peer->ip, sizeof(peer->ip)) == 0)
			return LINKS_EXISTS;
	}
	return had < max ? LINKS_OK : LINKS_FULL;
}

/* There is one. */
static struct slot *free_slot(struct links *l)
{
	while (l->slots[l->next].id != 0)
		l->next = (l->next + 1) & SLOT_MASK;
	return &l->slots[l->next];
}

static uint32_t new_id(const struct links *l, const struct slot *s)
{
	uint32_t number = (uint32_t)(s - l->slots), id;

	do
		id = ((uint32_t)random_u64() & ~SLOT_MASK) | number;
	while (id <= SLOT_MASK);
	return id;
}

enum links_verdict links_add(struct links *l, uint64_t owner, struct str account, const struct net_addr *peer, int fd, uint32_t max,
                             uint64_t now_ms, uint32_t *out_id)
{
	enum links_verdict v;

	pthread_mutex_lock(&l->lock);
	v = look(l, owner, peer, max);
	if (v == LINKS_OK) {
		struct slot *s = free_slot(l);

		*s = (struct slot){ .id = new_id(l, s), .fd = fd, .owner = owner, .peer = *peer };
		s->until_ms = fd >= 0 ? now_ms + LINKS_BIND_MS : 0;
		s->account = mem_strndup(account.p, account.n);
		l->count++;
		*out_id = s->id;
	}
	pthread_mutex_unlock(&l->lock);
	return v;
}

void links_connected(struct links *l, uint32_t id, int fd, uint64_t now_ms)
{
	struct slot *s;

	pthread_mutex_lock(&l->lock);
	s = find(l, id);
	if (s) {
		s->fd = fd;
		s->until_ms = now_ms + LINKS_BIND_MS;
	}
	pthread_mutex_unlock(&l->lock);
	if (!s)
		close(fd);
}

bool links_fetch(struct links *l, uint32_t id, struct str account, struct worker *by, uint64_t now_ms, int *out_fd,
                 struct net_addr *out_peer)
{
	struct slot *s;
	bool found;

	pthread_mutex_lock(&l->lock);
	s = find(l, id);
	found = s && s->fd >= 0 && s->until_ms > now_ms && str_is(account, s->account);
	if (found) {
		*out_fd = s->fd;
		*out_peer = s->peer;
		s->fd = -1;
		s->until_ms = 0;
		s->by = by;
	}
	pthread_mutex_unlock(&l->lock);
	return found;
}

void links_remove(struct links *l, uint32_t id)
{
	struct slot *s;

	pthread_mutex_lock(&l->lock);
	s = find(l, id);
	if (s)
		clear(l, s);
	pthread_mutex_unlock(&l->lock);
}

void links_end_of(struct links *l, uint64_t owner)
{
	pthread_mutex_lock(&l->lock);
	for (uint32_t i = 0; l->count > 0 && i < LINKS_MAX; i++) {
		struct slot *s = &l->slots[i];

		if (s->id == 0 || s->owner != owner)
			continue;
		/* Locked, so that a thread that ends has taken its links out before, or gets this. */
		if (s->by)
			l->end(s->by, s->id);
		clear(l, s);
	}
	pthread_mutex_unlock(&l->lock);
}

void links_expire(struct links *l, uint64_t now_ms)
{
	pthread_mutex_lock(&l->lock);
	for (uint32_t i = 0; l->count > 0 && i < LINKS_MAX; i++) {
		struct slot *s = &l->slots[i];

		if (s->id != 0 && s->until_ms != 0 && s->until_ms <= now_ms)
			clear(l, s);
	}
	pthread_mutex_unlock(&l->lock);
}
