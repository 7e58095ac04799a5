/* SPDX-License-Identifier: Apache-2.0
 *
 * ports: which ports of one relay address are taken by allocations. A bit each, changed by any thread; whoever sets it owns the port. Also answers whether an address is somebody's
 * relayed one (peer_policy.h). */
#ifndef TURN_PORTS_H
#define TURN_PORTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct relay_ports {
	uint16_t first, last;
	_Atomic uint64_t taken[65536 / 64];
};

void relay_ports_init(struct relay_ports *p, uint16_t first, uint16_t last);
/* False: taken already, or outside the range. */
bool relay_ports_take(struct relay_ports *p, uint16_t port);
void relay_ports_give(struct relay_ports *p, uint16_t port);
bool relay_ports_is_taken(const struct relay_ports *p, uint16_t port);
/* A free one, from a random place on (RFC 6056): taken when it returns. even: an even one; pair: the next one is taken, too. 0: there is none. */
uint16_t relay_ports_any(struct relay_ports *p, uint32_t random, bool even, bool pair);

#endif
