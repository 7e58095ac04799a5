/* SPDX-License-Identifier: Apache-2.0
 *
 * peer_version: how much of an interface an instance speaks: the number of its methods that it knows. 0: none, or no such instance. */
#ifndef SESSION_MANAGER_PEER_VERSION_H
#define SESSION_MANAGER_PEER_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/gen/stanza.client.h"
#include "ipc/proto/bus.pb-c.h"

static inline uint32_t peer_version(const Starling__Registration *r, uint32_t interface)
{
	for (size_t i = 0; r && i < r->n_interfaces; i++) {
		if (r->interfaces[i]->interface == interface)
			return r->interfaces[i]->version;
	}
	return 0;
}

/* Knows Stanza.Take, and with it `again`. The release before has Route alone, and does not say what it sends a second time. */
static inline bool peer_takes(const Starling__Registration *r)
{
	return peer_version(r, STARLING__INTERFACE__INTERFACE_STANZA) >= (METHOD_STANZA_TAKE & 0xff);
}

#endif
