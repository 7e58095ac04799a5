/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/roam.h"

#include <pthread.h>

#include "common/base/mem.h"
#include "services/turn-relay/mix.h"

#define BUCKETS     4096u
#define THREADS_MAX 64u

struct entry {
	struct entry *next;
	uint64_t serial;
	struct worker *worker;
	struct allocation *allocation;
};

struct roam {
	pthread_mutex_t lock;
	void (*post)(struct worker *w, roam_fn *fn, void *arg);
	struct worker *threads[THREADS_MAX];
	unsigned thread_count;
	uint32_t count;
	struct entry *buckets[BUCKETS];
};

struct roam *roam_new(void (*post)(struct worker *w, roam_fn *fn, void *arg))
{
	struct roam *r = mem_new(struct roam);

	pthread_mutex_init(&r->lock, NULL);
	r->post = post;
	return r;
}

void roam_free(struct roam **r)
{
	if (!*r)
		return;
	for (unsigned i = 0; i < BUCKETS; i++) {
		while ((*r)->buckets[i]) {
			struct entry *e = (*r)->buckets[i];

			(*r)->buckets[i] = e->next;
			mem_free(e);
		}
	}
	pthread_mutex_destroy(&(*r)->lock);
	mem_free(*r);
	*r = NULL;
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

static unsigned index_of(const struct roam *r, const struct worker *w)
{
	unsigned i = 0;

	while (i < r->thread_count && r->threads[i] != w)
		i++;
	return i;
}

void roam_join(struct roam *r, struct worker *w)
{
	pthread_mutex_lock(&r->lock);
	if (r->thread_count < THREADS_MAX && index_of(r, w) == r->thread_count)
		r->threads[r->thread_count++] = w;
	pthread_mutex_unlock(&r->lock);
}

void roam_leave(struct roam *r, struct worker *w)
{
	unsigned i;

	pthread_mutex_lock(&r->lock);
	i = index_of(r, w);
	if (i < r->thread_count)
		r->threads[i] = r->threads[--r->thread_count];
	pthread_mutex_unlock(&r->lock);
}

static bool post(struct roam *r, struct worker *to, roam_fn *fn, void *arg)
{
	if (index_of(r, to) == r->thread_count)
		return false;
	r->post(to, fn, arg);
	return true;
}

bool roam_post(struct roam *r, struct worker *to, roam_fn *fn, void *arg)
{
	bool done;

	pthread_mutex_lock(&r->lock);
	done = post(r, to, fn, arg);
	pthread_mutex_unlock(&r->lock);
	return done;
}

/* --- allocations -------------------------------------------------------------------------------------------------- */

/* Where it is, or would be. */
static struct entry **place(struct roam *r, uint64_t serial)
{
	struct entry **at = &r->buckets[mix(serial, 0x9e3779b97f4a7c15u) % BUCKETS];

	while (*at && (*at)->serial != serial)
		at = &(*at)->next;
	return at;
}

void roam_add(struct roam *r, uint64_t serial, struct worker *w, struct allocation *a)
{
	struct entry *e = mem_new(struct entry);

	*e = (struct entry){ .serial = serial, .worker = w, .allocation = a };
	pthread_mutex_lock(&r->lock);
	*place(r, serial) = e;
	r->count++;
	pthread_mutex_unlock(&r->lock);
}

void roam_remove(struct roam *r, uint64_t serial)
{
	struct entry **at, *e;

	pthread_mutex_lock(&r->lock);
	at = place(r, serial);
	e = *at;
	if (e) {
		*at = e->next;
		r->count--;
	}
	pthread_mutex_unlock(&r->lock);
	mem_free(e);
}

uint32_t roam_count(struct roam *r)
{
	uint32_t n;

	pthread_mutex_lock(&r->lock);
	n = r->count;
	pthread_mutex_unlock(&r->lock);
	return n;
}

struct allocation *roam_have(struct roam *r, uint64_t serial, const struct worker *w)
{
	struct allocation *found;
	struct entry *e;

	pthread_mutex_lock(&r->lock);
	e = *place(r, serial);
	found = e && e->worker == w ? e->allocation : NULL;
	pthread_mutex_unlock(&r->lock);
	return found;
}

bool roam_ask(struct roam *r, uint64_t serial, roam_fn *fn, void *arg)
{
	struct entry *e;
	bool done;

	pthread_mutex_lock(&r->lock);
	e = *place(r, serial);
	done = e && post(r, e->worker, fn, arg);
	pthread_mutex_unlock(&r->lock);
	return done;
}

bool roam_pass(struct roam *r, uint64_t serial, struct worker *to, roam_fn *fn, void *arg)
{
	struct entry *e;
	bool done;

	pthread_mutex_lock(&r->lock);
	e = *place(r, serial);
	done = e && post(r, to, fn, arg);
	if (done)
		e->worker = to;
	pthread_mutex_unlock(&r->lock);
	return done;
}
