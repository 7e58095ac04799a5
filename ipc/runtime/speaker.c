/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/runtime/speaker.h"

#include "common/base/hash.h"
#include "common/base/rendezvous.h"

#define SPEAKERS_MAX 64u

uint64_t ipc_speaker(const struct ipc_bus *bus, uint32_t slot)
{
	const Starling__Registration *all[SPEAKERS_MAX];
	struct rendezvous_member list[SPEAKERS_MAX];
	uint32_t n = ipc_bus_instances(bus, "s2s", all, SPEAKERS_MAX), count = 0;

	for (uint32_t i = 0; i < n && i < SPEAKERS_MAX; i++) {
		if (all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY)
			list[count++] = (struct rendezvous_member){ all[i]->instance, hash_fnv1a64(str_from(all[i]->name)) };
	}
	return rendezvous_owner(list, count, slot);
}
