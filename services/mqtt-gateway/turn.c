/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/turn.h"

#include "common/daemon/share.h"
#include "services/mqtt-gateway/gateway.h"

/* Another one that is at work, or has been and is about to finish. */
static const Starling__Registration *other_at_work(const struct ipc_bus *bus)
{
	const Starling__Registration *all[SHARE_MEMBERS_MAX], *me = ipc_bus_find(bus, ipc_bus_instance(bus));
	uint32_t n = ipc_bus_instances(bus, MQTT_GATEWAY_ROLE, all, SHARE_MEMBERS_MAX);

	for (uint32_t i = 0; i < n && i < SHARE_MEMBERS_MAX; i++) {
		bool at_work = all[i]->n_domains > 0 || all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_DRAINING;

		if (at_work && !(me && share_same_life(all[i], me)))
			return all[i];
	}
	return NULL;
}

enum turn turn_of(const struct ipc_bus *bus, bool working)
{
	const Starling__Registration *other = other_at_work(bus);

	if (!working)
		return !other && share_of(bus, MQTT_GATEWAY_ROLE, 0) == SHARE_MINE ? TURN_BEGINS : TURN_NONE;
	/* Two have begun at once: one of them leaves it to the other. */
	return other && other->n_domains > 0 && other->instance < ipc_bus_instance(bus) ? TURN_ENDS : TURN_NONE;
}
