/* SPDX-License-Identifier: Apache-2.0 */
#include "common/daemon/share.h"

uint32_t share_members(const struct ipc_bus *bus, const char *role, struct rendezvous_member out[SHARE_MEMBERS_MAX])
{
	const Starling__Registration *all[SHARE_MEMBERS_MAX];
	uint32_t n = ipc_bus_instances(bus, role, all, SHARE_MEMBERS_MAX), count = 0;

	for (uint32_t i = 0; i < n && i < SHARE_MEMBERS_MAX; i++) {
		if (all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY)
			out[count++] = (struct rendezvous_member){ all[i]->instance, hash_fnv1a64(str_from(all[i]->name)) };
	}
	return count;
}

static const struct rendezvous_member *find(const struct rendezvous_member *members, uint32_t n, uint64_t instance)
{
	for (uint32_t i = 0; i < n; i++) {
		if (members[i].instance == instance)
			return &members[i];
	}
	return NULL;
}

enum share share_of(const struct ipc_bus *bus, const char *role, uint32_t piece)
{
	struct rendezvous_member members[SHARE_MEMBERS_MAX];
	uint32_t n = share_members(bus, role, members);
	const struct rendezvous_member *me = find(members, n, ipc_bus_instance(bus));

	if (!me)
		return SHARE_UNKNOWN;
	/* Of our name: ourselves, or a former life of which not everybody has heard that it is over. */
	return find(members, n, rendezvous_owner(members, n, piece))->key == me->key ? SHARE_MINE : SHARE_OTHERS;
}
