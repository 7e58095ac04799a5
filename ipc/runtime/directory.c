/* SPDX-License-Identifier: Apache-2.0
 *
 * directory: merging. The indexes over what was merged are in directory_index.c. */
#include "ipc/runtime/directory.h"

#include "common/base/mem.h"
#include "ipc/runtime/codec.h"

void directory_init(struct directory *d, const struct directory_events *events, void *ctx)
{
	*d = (struct directory){ .events = events, .ctx = ctx };
}

static void registration_free(Starling__Registration *r)
{
	if (r)
		starling__registration__free_unpacked(r, NULL);
}

static void peer_free(struct peer *p)
{
	registration_free(p->registration);
	flow_fini(&p->flow);
	buf_fini(&p->hold);
	mem_free(p);
}

static void free_indexes(struct directory *d)
{
	for (uint32_t i = 0; i < d->role_count; i++) {
		mem_free(d->roles[i].role);
		mem_free(d->roles[i].peers);
	}
	mem_free(d->roles);
	mem_free(d->domains);
}

void directory_fini(struct directory *d)
{
	IDMAP_EACH(&d->peers, i)
	{
		peer_free(d->peers.cells[i].value);
	}
	idmap_fini(&d->peers);
	free_indexes(d);
	*d = (struct directory){ 0 };
}

struct peer *directory_find(const struct directory *d, uint64_t instance)
{
	return idmap_get(&d->peers, instance);
}

static struct peer *peer_add(struct directory *d, const Starling__Registration *r)
{
	struct peer *p = mem_new(struct peer);

	p->instance = r->instance;
	p->route = -1;
	list_init(&p->calls);
	list_init(&p->owing);
	p->registration = (Starling__Registration *)codec_copy(&r->base);
	flow_init(&p->flow, r->window, 0);
	idmap_put(&d->peers, p->instance, p);
	d->changed = true;
	d->events->on_peer(p, d->ctx);
	return p;
}

static void peer_update(struct directory *d, struct peer *p, const Starling__Registration *r)
{
	if (r->revision <= p->registration->revision)
		return;
	registration_free(p->registration);
	p->registration = (Starling__Registration *)codec_copy(&r->base);
	p->flow.window = r->window ? r->window : FLOW_WINDOW;
	d->changed = true;
}

static void peer_gone(struct directory *d, struct peer *p)
{
	idmap_remove(&d->peers, p->instance);
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		if (d->owners[i] == p)
			d->owners[i] = NULL;
	d->limbo -= p->limbo_until_ms != 0;
	d->changed = true;
	directory_index(d); /* nobody finds it any more, also from within the event */
	d->changed = true;
	d->events->on_gone(p, d->ctx);
	peer_free(p);
}

void directory_set_self(struct directory *d, const Starling__Registration *r)
{
	struct peer *p = directory_find(d, r->instance);

	if (p)
		peer_update(d, p, r);
	else
		p = peer_add(d, r);
	p->self = true;
}

static void listed(struct directory *d, struct peer *p, unsigned link, uint64_t connection)
{
	uint64_t bit = UINT64_C(1) << link;

	if (p->limbo_until_ms) {
		p->limbo_until_ms = 0;
		p->leaving = false;
		d->limbo--;
	}
	if (!(p->routers & bit))
		d->changed = true;
	else if (p->connections[link] != connection)
		d->events->on_broken(p, bit, d->ctx);
	p->routers |= bit;
	p->connections[link] = connection;
}

/* Entries that a predicate picks, so that the map may change while they are handled. */
static struct peer **collect(const struct directory *d, bool (*pick)(const struct peer *p, const void *arg), const void *arg,
                             uint32_t *out_n)
{
	struct peer **list = mem_alloc((d->peers.count + 1) * sizeof(*list));
	uint32_t n = 0;

	IDMAP_EACH(&d->peers, i)
	{
		struct peer *p = d->peers.cells[i].value;

		if (pick(p, arg))
			list[n++] = p;
	}
	*out_n = n;
	return list;
}

struct unlisted {
	unsigned link;
	const struct idmap *now;
};

static bool is_unlisted(const struct peer *p, const void *arg)
{
	const struct unlisted *u = arg;

	return (p->routers >> u->link & 1) && !idmap_get(u->now, p->instance);
}

static void enter_limbo(struct directory *d, struct peer *p, uint64_t until_ms)
{
	p->limbo_until_ms = until_ms;
	d->limbo++;
}

static void drop_unlisted(struct directory *d, unsigned link, const struct idmap *now, uint64_t now_ms)
{
	struct unlisted u = { link, now };
	uint32_t n;
	struct peer **list = collect(d, is_unlisted, &u, &n);

	for (uint32_t i = 0; i < n; i++) {
		list[i]->routers &= ~(UINT64_C(1) << link);
		d->changed = true;
		if (list[i]->routers == 0 && !list[i]->lingers) {
			peer_gone(d, list[i]);
			continue;
		}
		if (list[i]->routers == 0) {
			list[i]->leaving = true;
			enter_limbo(d, list[i], now_ms + DIRECTORY_LINGER_MS);
		}
		d->events->on_broken(list[i], UINT64_C(1) << link, d->ctx);
	}
	mem_free(list);
}

void directory_merge(struct directory *d, unsigned link, const Starling__DirectoryEvent *event, uint64_t now_ms)
{
	struct idmap now = { 0 };

	for (size_t i = 0; i < event->n_instances; i++) {
		const Starling__Registration *r = event->instances[i];
		struct peer *p = directory_find(d, r->instance);

		if (r->instance == 0 || (p && p->self))
			continue;
		if (p)
			peer_update(d, p, r);
		else
			p = peer_add(d, r);
		listed(d, p, link, r->connection);
		idmap_put(&now, r->instance, p);
	}
	drop_unlisted(d, link, &now, now_ms);
	idmap_fini(&now);
}

static bool is_listed_by(const struct peer *p, const void *arg)
{
	return p->routers >> *(const unsigned *)arg & 1;
}

void directory_link_lost(struct directory *d, unsigned link, uint64_t now_ms)
{
	uint32_t n;
	struct peer **list = collect(d, is_listed_by, &link, &n);

	for (uint32_t i = 0; i < n; i++) {
		list[i]->routers &= ~(UINT64_C(1) << link);
		if (list[i]->routers == 0)
			enter_limbo(d, list[i], now_ms + DIRECTORY_LIMBO_MS);
		d->events->on_broken(list[i], UINT64_C(1) << link, d->ctx);
	}
	d->changed |= n > 0;
	mem_free(list);
}

static bool is_overdue(const struct peer *p, const void *arg)
{
	return p->limbo_until_ms && p->limbo_until_ms <= *(const uint64_t *)arg;
}

void directory_tick(struct directory *d, uint64_t now_ms)
{
	uint32_t n;
	struct peer **list;

	if (d->limbo == 0)
		return;
	list = collect(d, is_overdue, &now_ms, &n);
	for (uint32_t i = 0; i < n; i++)
		peer_gone(d, list[i]);
	mem_free(list);
}
