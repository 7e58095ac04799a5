/* SPDX-License-Identifier: Apache-2.0
 *
 * directory_index: who is ready by role, who owns which slot, who takes which domain. Rebuilt as a whole when the directory changed, which is
 * rare; looked up for every record, which is not. */
#include "common/base/mem.h"
#include "ipc/runtime/directory.h"

static struct directory_role *role_get(struct directory *d, const char *role)
{
	for (uint32_t i = 0; i < d->role_count; i++)
		if (strcmp(d->roles[i].role, role) == 0)
			return &d->roles[i];
	return NULL;
}

static struct directory_role *role_add(struct directory *d, const char *role)
{
	struct directory_role *r = role_get(d, role);

	if (r)
		return r;
	d->roles = mem_realloc(d->roles, (d->role_count + 1) * sizeof(*d->roles));
	r = &d->roles[d->role_count++];
	*r = (struct directory_role){ .role = mem_strdup(role) };
	return r;
}

static void index_role(struct directory *d, struct peer *p)
{
	struct directory_role *r = role_add(d, p->registration->role);

	if (p->registration->state != STARLING__INSTANCE_STATE__INSTANCE_READY)
		return;
	r->peers = mem_realloc(r->peers, (r->count + 1) * sizeof(struct peer *));
	r->peers[r->count++] = p;
}

static void index_domains(struct directory *d, struct peer *p)
{
	const Starling__Registration *reg = p->registration;

	if (reg->state != STARLING__INSTANCE_STATE__INSTANCE_READY || reg->n_domains == 0)
		return;
	d->domains = mem_realloc(d->domains, (d->domain_count + reg->n_domains) * sizeof(*d->domains));
	for (size_t i = 0; i < reg->n_domains; i++) {
		struct str domain = str_from(reg->domains[i]);

		d->domains[d->domain_count++] = (struct directory_domain){ hash_fnv1a64(domain), domain, p };
	}
}

/* The highest epoch wins; draining owners keep their slots until they give them up. */
static void index_slots(struct directory *d, struct peer *p)
{
	const Starling__Registration *reg = p->registration;

	for (size_t i = 0; i < reg->n_slots; i++) {
		uint32_t slot = reg->slots[i]->slot;
		uint64_t epoch = reg->slots[i]->epoch;

		if (slot >= SLOT_COUNT || (d->owners[slot] && d->epochs[slot] >= epoch))
			continue;
		d->owners[slot] = p;
		d->epochs[slot] = epoch;
	}
}

bool directory_index(struct directory *d)
{
	if (!d->changed)
		return false;
	d->changed = false;
	for (uint32_t i = 0; i < d->role_count; i++)
		d->roles[i].count = 0;
	d->domain_count = 0;
	memset(d->owners, 0, sizeof(d->owners));
	memset(d->epochs, 0, sizeof(d->epochs));
	IDMAP_EACH(&d->peers, i)
	{
		struct peer *p = d->peers.cells[i].value;

		index_role(d, p);
		index_domains(d, p);
		index_slots(d, p);
	}
	return true;
}

/* A version is the number of methods (bus.proto). */
static bool knows(const struct peer *p, uint32_t method)
{
	const Starling__Registration *reg = p->registration;

	for (size_t i = 0; i < reg->n_interfaces; i++)
		if ((uint32_t)reg->interfaces[i]->interface == method / 256)
			return reg->interfaces[i]->version >= method % 256;
	return false;
}

/* In turn. One that is out of reach, or of a build that does not know the method, only when no other is there. */
struct peer *directory_any(struct directory *d, const char *role, uint32_t method)
{
	struct directory_role *r = role_get(d, role);
	struct peer *best = NULL;
	unsigned best_score = 0;

	for (uint32_t i = 0; r && i < r->count && best_score < 3; i++) {
		struct peer *p = r->peers[(r->next + i) % r->count];
		unsigned score = (knows(p, method) ? 2 : 0) + (p->limbo_until_ms == 0 ? 1 : 0);

		if (best && score <= best_score)
			continue;
		best = p;
		best_score = score;
	}
	if (best)
		r->next++;
	return best;
}

struct peer *directory_slot(const struct directory *d, const char *role, uint32_t slot)
{
	struct peer *p = slot < SLOT_COUNT ? d->owners[slot] : NULL;

	return p && (!role || strcmp(p->registration->role, role) == 0) ? p : NULL;
}

struct peer *directory_domain(struct directory *d, struct str domain)
{
	uint64_t hash = hash_fnv1a64(domain);
	uint32_t start = d->domain_next++;

	for (uint32_t i = 0; i < d->domain_count; i++) {
		struct directory_domain *e = &d->domains[(start + i) % d->domain_count];

		if (e->hash == hash && str_eq(e->domain, domain))
			return e->peer;
	}
	return NULL;
}
