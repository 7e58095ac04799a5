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
		if (s2s->slots[slot].state == S2S_SLOT_CLAIMING)
			s2s->slots[slot].state = S2S_SLOT_FOREIGN;
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

		if (o->slot >= SLOT_COUNT || o->instance != ipc_bus_instance(s2s->bus) || s2s->slots[o->slot].state != S2S_SLOT_CLAIMING)
			continue;
		s2s->slots[o->slot].epoch = o->epoch;
		c->slots[c->count++] = o->slot;
	}
	if (c->count > 0 && !s2s->stopped) {
		look_for_rows(c);
	} else {
		mem_free(c);
		claim_ended(s2s);
	}
}

static void claim(struct s2s *s2s, struct claim *c)
{
	const Starling__Registration *all[MEMBERS_MAX];
	uint64_t alive[MEMBERS_MAX], me = ipc_bus_instance(s2s->bus);
	uint32_t n = ipc_bus_instances(s2s->bus, "s2s", all, MEMBERS_MAX);
	Starling__SpoolClaimRequest request = STARLING__SPOOL_CLAIM_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = DEADLINE_MS };

	for (uint32_t i = 0; i < n && i < MEMBERS_MAX; i++) {
		if (all[i]->instance != me)
			alive[request.n_alive++] = all[i]->instance;
	}
	request.alive = alive;
	request.slots = c->slots;
	request.n_slots = c->count;
	request.instance = me;
	s2s->claiming = true;
	call_storage_spool_claim(s2s->bus, ipc_any("storage"), &opts, &request, on_claimed, c);
}

/* --- leaving ------------------------------------------------------------------------------------------------------ */

static void on_released(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	(void)result; /* who claims it sees that this instance is gone, later */
	(void)reply;
	(void)ctx;
}

static void release(struct s2s *s2s, const uint32_t *slots, uint32_t count)
{
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
	if (count > 0)
		call_storage_spool_release(s2s->bus, ipc_any("storage"), NULL, &request, on_released, NULL);
	mem_free(owners);
	mem_free(list);
}

void s2s_owner_left(struct s2s *s2s, uint32_t slot)
{
	if (s2s->slots[slot].state == S2S_SLOT_LEAVING && s2s->slots[slot].links == 0) {
		s2s_spool_flush(s2s);
		release(s2s, &slot, 1);
	}
}

static void leave_links(struct s2s *s2s)
{
	list_for_each (n, &s2s->links) {
		struct s2s_link *l = list_entry(n, struct s2s_link, node);

		if (s2s->slots[l->slot].state == S2S_SLOT_LEAVING || (s2s->slots[l->slot].state == S2S_SLOT_FOREIGN && l->count > 0))
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
		if (s2s->slots[i].state == S2S_SLOT_LEAVING && s2s->slots[i].links == 0)
			slots[count++] = i;
	}
	release(s2s, slots, count);
	leave_links(s2s);
}

/* --- what should be --------------------------------------------------------------------------------------------------- */

void s2s_owner_look(struct s2s *s2s)
{
	struct rendezvous_member list[MEMBERS_MAX];
	uint32_t n = members(s2s, list), empty[SLOT_COUNT], empties = 0, leaving = 0;
	uint64_t me = ipc_bus_instance(s2s->bus);
	struct claim *c;

	if (s2s->draining || s2s->stopped)
		return;
	c = mem_new(struct claim);
	c->s2s = s2s;
	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		struct s2s_slot *s = &s2s->slots[slot];
		bool wanted = rendezvous_owner(list, n, slot) == me;

		if (wanted && s->state == S2S_SLOT_FOREIGN && !s2s->claiming) {
			c->slots[c->count++] = slot;
			s->state = S2S_SLOT_CLAIMING;
		} else if (wanted && s->state == S2S_SLOT_LEAVING && s->links == 0) {
			s->state = S2S_SLOT_OWNED;
		} else if (!wanted && n > 0 && s->state == S2S_SLOT_OWNED) {
			s->state = S2S_SLOT_LEAVING;
			leaving++;
			if (s->links == 0)
				empty[empties++] = slot;
		}
	}
	if (leaving > 0)
		leave_links(s2s);
	release(s2s, empty, empties);
	if (c->count > 0)
		claim(s2s, c);
	else
		mem_free(c);
}
