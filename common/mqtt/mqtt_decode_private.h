/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_decode_private: how every decoder begins and ends. For common/mqtt only. */
#ifndef COMMON_MQTT_MQTT_DECODE_PRIVATE_H
#define COMMON_MQTT_MQTT_DECODE_PRIVATE_H

#include "common/mqtt/mqtt_decode.h"
#include "common/mqtt/mqtt_props_table.h"

/* At the body. Fails when this side never sends such a packet. */
struct mqtt_reader mqtt_decode_begin(const struct mqtt_frame *f, const struct mqtt_peer *from);
/* Is all of it read, and well? */
bool mqtt_decode_end(const struct mqtt_reader *r, unsigned version, struct mqtt_error *e);
/* Those that 5.0 has here; none before. */
void mqtt_decode_props(struct mqtt_reader *r, unsigned version, unsigned type, struct mqtt_props *out);

#endif
