/* SPDX-License-Identifier: Apache-2.0
 *
 * orders: users' messages on their way to our broker, in order. A stanza is accepted when the broker has acknowledged what became of it; what
 * was sent and not acknowledged when the connection ends is sent again over the next one, under the same packet identifier (MQTT 5.0 section 4.4). */
#ifndef MQTT_GATEWAY_ORDERS_H
#define MQTT_GATEWAY_ORDERS_H

#include "common/mqtt/mqtt_packet.h"
#include "common/net/loop.h"
#include "services/mqtt-gateway/rules.h"

struct gateway;
struct request;

struct orders {
	struct gateway *gateway;
	struct list_node all; /* struct order; those that were sent come first */
	uint32_t count, inflight;
	size_t bytes;
	uint16_t last_id;
	struct wheel_timer expiry;
};

void orders_init(struct orders *o, struct gateway *g);
void orders_fini(struct orders *o);
/* Ends the request, now or when the broker has answered. */
void order_new(struct orders *o, struct request *r, const struct rule *rule, struct str topic, struct str payload);
void orders_connected(struct orders *o);
void orders_disconnected(struct orders *o);
/* PUBACK. False: nothing waits for it. */
bool orders_acked(struct orders *o, const struct mqtt_ack *a);

#endif
