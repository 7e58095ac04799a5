/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_reason: which packets may carry which reason code (table 2-6), what it is called, and what 3.x has instead. */
#ifndef COMMON_MQTT_MQTT_REASON_H
#define COMMON_MQTT_MQTT_REASON_H

#include "common/mqtt/mqtt.h"

/* May a server (or a client) of 5.0 send that code in a packet of that type? */
bool mqtt_reason_allowed(unsigned reason, enum mqtt_type type, bool by_server);
/* "Not authorized"; NULL: no such code. In SUBACK 0 is "Granted QoS 0", in DISCONNECT "Normal disconnection". */
const char *mqtt_reason_name(unsigned reason, enum mqtt_type type);

/* The return code of a CONNACK of 3.x (section 3.2.2.3 there): 0 to 5. -1: it has none, and then the connection is closed without CONNACK
 * ([MQTT-3.2.2-6] of 3.1.1). */
int mqtt_reason_to_return_code(unsigned reason);
/* And back. -1: no such return code. */
int mqtt_reason_from_return_code(unsigned code);

#endif
