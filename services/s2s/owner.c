/* SPDX-License-Identifier: Apache-2.0
 *
 * owner: which remote domains this instance speaks with. All instances compute the same share of the slots from the directory; the store is the lock
 * (docs/decisions/0032-federation.md). A slot that another instance is to have is left link by link, then released. */
#include "services/s2s/s2s.h"

#include "common/base/mem.h"
#include "common/base/rendezvous.h"
#include "ipc/gen/storage.client.h"

#define MEMBERS_MAX 64u
#define DEADLINE_MS 10000u

struct claim {
	struct s2s *s2s;
	uint32_t slots[SLOT_COUNT], count;
};

static uint32_t members(const struct s2s *s2s, struct rendezvous_member *out)
{
	const Starling__Registration *all[MEMBERS_MAX];
	uint32_t n = ipc_bus_instances(s2s->bus, "s2s", all, MEMBERS_MAX), count = 0;

	for (uint32_t i = 0; i < n && i < MEMBERS_MAX; i++) {
		if (all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY)
			out[count++] = (struct rendezvous_member){ all[i]->instance, hash_fnv1a64(str_from(all[i]->name)) };
	}
	return count;
}

bool s2s_owns(const struct s2s *s2s, uint32_t slot)
{
	return s2s->slots[slot].state == S2S_SLOT_OWNED;
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

static void claim_ended(struct s2s *s2s)
{
	s2s->claiming = false;
	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		if (s2s->slots[slot].state != S2S_SLOT_CLAIMING)
			continue;
		s2s->slots[slot].state = S2S_SLOT_FOREIGN;
		s2s->slots[slot].maybe = true;
	}
}

/* What waits in the store is in its links before the first new stanza comes. */
static void on_domains(const struct ipc_result *result, const Starling__SpoolDomainsReply *reply, void *ctx)
{
	struct claim *c = ctx;
	struct s2s *s2s = c->s2s;
	uint32_t owned = 0;

	if (ipc_ok(result) && !s2s->stopped) {
		for (uint32_t i = 0; i < c->count; i++) {
			if (s2s->slots[c->slots[i]].state != S2S_SLOT_CLAIMING)
				continue;
			s2s->slots[c->slots[i]].state = S2S_SLOT_OWNED;
			owned++;
		}
		for (size_t i = 0; i < reply->n_domains; i++)
			s2s_spool_found(s2s, reply->domains[i]);
		log_info(s2s->log, "took %u slots", (unsigned)owned);
	}
	mem_free(c);
	claim_ended(s2s);
	if (s2s->draining)
		s2s_owner_release_all(s2s); /* too late */
}

static void look_for_rows(struct claim *c)
{
	Starling__SpoolDomainsRequest request = STARLING__SPOOL_DOMAINS_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS };

	request.slots = c->slots;
	request.n_slots = c->count;
	call_storage_spool_domains(c->s2s->bus, ipc_any("storage"), &opts, &request, on_domains, c);
}

static void on_claimed(const struct ipc_result *result, const Starling__SpoolOwnersReply *reply, void *ctx)
{
	struct claim *c = ctx;
	struct s2s *s2s = c->s2s;

	c->count = 0;
	for (size_t i = 0; ipc_ok(result) && i < reply->n_owners; i++) {
		const Starling__SpoolOwner *o = reply->owners[i];

		if (o->slot >= SLOT_COUNT || s2s->slots[o->slot].state != S2S_SLOT_CLAIMING)
			continue;
		s2s->slots[o->slot].maybe = false;
		if (o->instance != ipc_bus_instance(s2s->bus)) {
			s2s->slots[o->slot].state = S2S_SLOT_FOREIGN;
			continue;
		}
		s2s->slots[o->slot].epoch = o->epoch;
		s2s->slots[o->slot].renew = false;
		c->slots[c->count++] = o->slot;
	}
	if (c->count > 0 && !s2s->stopped) {
		look_for_rows(c);
	} else {
		mem_free(c);
		claim_ended(s2s);
	}
}

/* Those that are not to be robbed. */
static uint32_t others(const struct s2s *s2s, uint64_t out[MEMBERS_MAX])
{
	const Starling__Registration *all[MEMBERS_MAX];
	uint32_t n = ipc_bus_instances(s2s->bus, "s2s", all, MEMBERS_MAX), count = 0;

	for (uint32_t i = 0; i < n && i < MEMBERS_MAX; i++) {
		if (all[i]->instance != ipc_bus_instance(s2s->bus))
			out[count++] = all[i]->instance;
	}
	return count;
}

static void claim(struct s2s *s2s, struct claim *c)
{
	uint64_t alive[MEMBERS_MAX];
	Starling__SpoolClaimRequest request = STARLING__SPOOL_CLAIM_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS };

	request.alive = alive;
	request.n_alive = others(s2s, alive);
	request.slots = c->slots;
	request.n_slots = c->count;
	request.instance = ipc_bus_instance(s2s->bus);
	s2s->claiming = true;
	call_storage_spool_claim(s2s->bus, ipc_any("storage"), &opts, &request, on_claimed, c);
}

/* --- a higher epoch ----------------------------------------------------------------------------------------------- */

struct renewal {
	struct s2s *s2s;
	uint32_t slot;
};

/* After a failure the epoch may have risen all the same: asked for again, by who wants it, the store says which it is. */
static void on_renewed(const struct ipc_result *result, const Starling__SpoolOwnersReply *reply, void *ctx)
{
	struct renewal *r = ctx;
	struct s2s *s2s = r->s2s;
	struct s2s_slot *slot = &s2s->slots[r->slot];
	bool ours = slot->state == S2S_SLOT_OWNED || slot->state == S2S_SLOT_LEAVING;

	slot->renewing = false;
	if (ipc_ok(result) && reply->n_owners == 1 && ours && !s2s->stopped) {
		slot->renew = false;
		if (reply->owners[0]->instance == ipc_bus_instance(s2s->bus))
			slot->epoch = reply->owners[0]->epoch;
		else
			s2s_owner_fenced(s2s, r->slot);
	}
	mem_free(r);
}

void s2s_owner_renew(struct s2s *s2s, uint32_t slot)
{
	struct s2s_slot *s = &s2s->slots[slot];
	uint64_t alive[MEMBERS_MAX];
	Starling__SpoolClaimRequest request = STARLING__SPOOL_CLAIM_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS };
	struct renewal *r;

	if (s->renewing || (s->state != S2S_SLOT_OWNED && s->state != S2S_SLOT_LEAVING))
		return;
	s->renew = s->renewing = true;
	r = mem_new(struct renewal);
	*r = (struct renewal){ s2s, slot };
	request.alive = alive;
	request.n_alive = others(s2s, alive);
	request.slots = &slot;
	request.n_slots = 1;
	request.instance = ipc_bus_instance(s2s->bus);
	request.renew = s->epoch;
	call_storage_spool_claim(s2s->bus, ipc_any("storage"), &opts, &request, on_renewed, r);
}

/* --- leaving ------------------------------------------------------------------------------------------------------ */

static void on_released(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct claim *c = ctx;

	(void)reply;
	for (uint32_t i = 0; i < c->count && !ipc_ok(result); i++) {
		if (c->s2s->slots[c->slots[i]].state == S2S_SLOT_FOREIGN)
			c->s2s->slots[c->slots[i]].maybe = true;
	}
	mem_free(c);
}

static void release(struct s2s *s2s, const uint32_t *slots, uint32_t count)
{
	struct claim *c;
	Starling__SpoolReleaseRequest request = STARLING__SPOOL_RELEASE_REQUEST__INIT;
	Starling__SpoolOwner *owners = mem_alloc((count + 1) * sizeof(*owners)), **list = mem_alloc((count + 1) * sizeof(*list));

	for (uint32_t i = 0; i < count; i++) {
		starling__spool_owner__init(&owners[i]);
		owners[i].slot = slots[i];
		owners[i].epoch = s2s->slots[slots[i]].epoch;
		owners[i].instance = ipc_bus_instance(s2s->bus);
		list[i] = &owners[i];
		s2s->slots[slots[i]].state = S2S_SLOT_FOREIGN;
	}
	request.owners = list;
	request.n_owners = count;
	if (count > 0) {
		c = mem_new(struct claim);
		c->s2s = s2s;
		c->count = count;
		memcpy(c->slots, slots, count * sizeof(*slots));
		call_storage_spool_release(s2s->bus, ipc_any("storage"), NULL, &request, on_released, c);
	}
	mem_free(owners);
	mem_free(list);
}

static bool empty(const struct s2s_slot *s)
{
	return s->links == 0 && s->dones == 0;
}

void s2s_owner_left(struct s2s *s2s, uint32_t slot)
{
	const struct s2s_slot *s = &s2s->slots[slot];

	if (s->state == S2S_SLOT_LEAVING && empty(s))
		release(s2s, &slot, 1);
	else if (s->state == S2S_SLOT_LEAVING && s->links == 0)
		s2s_spool_flush(s2s); /* then */
}

static void leave_links(struct s2s *s2s)
{
	list_for_each (n, &s2s->links) {
		struct s2s_link *l = list_entry(n, struct s2s_link, node);

		if (s2s->slots[l->slot].state == S2S_SLOT_LEAVING ||
		    (s2s->slots[l->slot].state == S2S_SLOT_FOREIGN && (l->count > 0 || l->unsure > 0)))
			s2s_link_leave(l);
	}
}

/* Another instance has claimed it: as far as it knew, we were gone. */
void s2s_owner_fenced(struct s2s *s2s, uint32_t slot)
{
	if (s2s->slots[slot].state == S2S_SLOT_FOREIGN)
		return;
	log_warn(s2s->log, "slot %u is another instance's", (unsigned)slot);
	s2s->slots[slot].state = S2S_SLOT_FOREIGN;
	leave_links(s2s);
}

void s2s_owner_release_all(struct s2s *s2s)
{
	uint32_t slots[SLOT_COUNT], count = 0;

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (s2s->slots[i].state == S2S_SLOT_OWNED)
			s2s->slots[i].state = S2S_SLOT_LEAVING;
		if (s2s->slots[i].state == S2S_SLOT_LEAVING && empty(&s2s->slots[i]))
			slots[count++] = i;
	}
	release(s2s, slots, count);
	leave_links(s2s);
}

/* --- what should be --------------------------------------------------------------------------------------------------- */

void s2s_owner_look(struct s2s *s2s)
{
	struct rendezvous_member list[MEMBERS_MAX];
	uint32_t n = members(s2s, list), give[SLOT_COUNT], given = 0, leaving = 0;
	uint64_t me = ipc_bus_instance(s2s->bus);
	struct claim *c;

	if (s2s->draining || s2s->stopped)
		return;
	c = mem_new(struct claim);
	c->s2s = s2s;
	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		struct s2s_slot *s = &s2s->slots[slot];
		bool wanted = rendezvous_owner(list, n, slot) == me;

		/* Nobody else can have what the store thinks is ours while we are there: it is claimed, and then released. */
		if ((wanted || s->maybe) && s->state == S2S_SLOT_FOREIGN && !s2s->claiming) {
			c->slots[c->count++] = slot;
			s->state = S2S_SLOT_CLAIMING;
		} else if (wanted && s->state == S2S_SLOT_LEAVING && s->links == 0) {
			s->state = S2S_SLOT_OWNED;
		} else if (!wanted && n > 0 && s->state == S2S_SLOT_OWNED) {
			s->state = S2S_SLOT_LEAVING;
			leaving++;
			if (empty(s))
				give[given++] = slot;
		}
	}
	if (leaving > 0)
		leave_links(s2s);
	release(s2s, give, given);
	if (c->count > 0)
		claim(s2s, c);
	else
		mem_free(c);
}
