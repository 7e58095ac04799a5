/* SPDX-License-Identifier: Apache-2.0 */
#include "common/daemon/share.h"

#include <string.h>

#include "common/base/rendezvous.h"

bool share_same_life(const Starling__Registration *a, const Starling__Registration *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->host, b->host) == 0;
}

/* The same after a restart, so that it gets its pieces back. */
static uint64_t key_of(const Starling__Registration *r)
{
	return hash_fnv1a64(str_from(r->name)) * 3 + hash_fnv1a64(str_from(r->host));
}

static const Starling__Registration *find(const Starling__Registration *const *all, uint32_t n, uint64_t instance)
{
	for (uint32_t i = 0; i < n && i < SHARE_MEMBERS_MAX; i++) {
		if (all[i]->instance == instance && all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY)
			return all[i];
	}
	return NULL;
}

enum share share_of(const struct ipc_bus *bus, const char *role, uint32_t piece)
{
	const Starling__Registration *all[SHARE_MEMBERS_MAX];
	struct rendezvous_member members[SHARE_MEMBERS_MAX];
	uint32_t n = ipc_bus_instances(bus, role, all, SHARE_MEMBERS_MAX), count = 0;
	const Starling__Registration *me = find(all, n, ipc_bus_instance(bus));

	if (!me)
		return SHARE_UNKNOWN;
	for (uint32_t i = 0; i < n && i < SHARE_MEMBERS_MAX; i++) {
		bool former = all[i] != me && share_same_life(all[i], me);

		if (all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY && !former)
			members[count++] = (struct rendezvous_member){ all[i]->instance, key_of(all[i]) };
	}
	return rendezvous_owner(members, count, piece) == me->instance ? SHARE_MINE : SHARE_OTHERS;
}
