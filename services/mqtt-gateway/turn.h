/* SPDX-License-Identifier: Apache-2.0
 *
 * turn: whose turn it is to be at work, of several instances. Whoever has the domain keeps it: nothing moves because an instance comes. */
#ifndef MQTT_GATEWAY_TURN_H
#define MQTT_GATEWAY_TURN_H

#include "ipc/runtime/bus.h"

enum turn { TURN_NONE, TURN_BEGINS, TURN_ENDS }; /* TURN_NONE: nothing changes */

/* working: we have the domain. */
enum turn turn_of(const struct ipc_bus *bus, bool working);

#endif
