/* SPDX-License-Identifier: Apache-2.0
 *
 * owner_bus: what the bus tells of owners, passed on to the sessions concerned: slots that change hands, owners that are gone, broken ways, long
 * queues. */
#include "services/c2s-edge/c2s.h"

#include "common/base/hash.h"
#include "common/base/mem.h"

static void each_session(struct c2s_slot *slot, void (*fn)(struct c2s_session *ss))
{
	list_for_each_safe (n, &slot->sessions)
		fn(list_entry(n, struct c2s_session, node));
}

void c2s_owner_on_directory(struct c2s_edge *edge)
{
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		struct c2s_slot *slot = &edge->slots[i];
		uint64_t epoch = 0, owner = ipc_bus_slot_owner(edge->bus, i, &epoch);

		if (owner == slot->owner && (owner == 0 || epoch == slot->epoch))
			continue;
		slot->owner = owner;
		slot->epoch = epoch;
		each_session(slot, c2s_owner_renew);
	}
}

void c2s_owner_on_lost(struct c2s_edge *edge, uint64_t instance, const char *role)
{
	if (strcmp(role, C2S_ROLE_OWNER) != 0)
		return;
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (edge->slots[i].owner != instance)
			continue;
		edge->slots[i].owner = 0;
		each_session(&edge->slots[i], c2s_owner_lose);
	}
	c2s_owner_on_pressure(edge, instance, false);
}

void c2s_owner_on_reset(struct c2s_edge *edge, uint64_t instance)
{
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (edge->slots[i].owner == instance)
			each_session(&edge->slots[i], c2s_owner_repair);
	}
}

bool c2s_owner_pressed(const struct c2s_edge *edge, uint64_t instance)
{
	for (uint32_t i = 0; i < edge->pressed_count; i++) {
		if (edge->pressed[i] == instance)
			return true;
	}
	return false;
}

void c2s_owner_on_pressure(struct c2s_edge *edge, uint64_t instance, bool high)
{
	bool before = c2s_owner_pressed(edge, instance);
	uint32_t n = 0;

	if (before == high)
		return;
	if (high) {
		edge->pressed = mem_realloc(edge->pressed, (edge->pressed_count + 1) * sizeof(*edge->pressed));
		edge->pressed[edge->pressed_count++] = instance;
	} else {
		for (uint32_t i = 0; i < edge->pressed_count; i++) {
			if (edge->pressed[i] != instance)
				edge->pressed[n++] = edge->pressed[i];
		}
		edge->pressed_count = n;
	}
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (edge->slots[i].owner == instance)
			each_session(&edge->slots[i], c2s_session_push);
	}
}
