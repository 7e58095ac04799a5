/* SPDX-License-Identifier: Apache-2.0
 *
 * intake: messages from our broker on their way to users. Each is acknowledged to the broker when the owners of all its recipients have it
 * (which for one worth keeping means that it is in the log), or will never take it; in the order in which they came (MQTT 5.0 section 4.6).
 * What has not been acknowledged when the connection ends comes again from the broker's session, under the same names. */
#ifndef MQTT_GATEWAY_INTAKE_H
#define MQTT_GATEWAY_INTAKE_H

#include "common/base/list.h"
#include "common/mqtt/mqtt_packet.h"
#include "services/mqtt-gateway/letter.h"

struct gateway;

/* A PUBLISH with QoS 1 that is not acknowledged. */
struct entry {
	struct list_node node;
	uint16_t packet_id;
	uint32_t open; /* letters that were not answered */
};

struct intake {
	struct gateway *gateway;
	struct list_node entries; /* as they came */
	uint32_t count;
	struct letters letters;
};

void intake_init(struct intake *in, struct gateway *g);
void intake_fini(struct intake *in);
void intake_publish(struct intake *in, const struct mqtt_publish *p);
/* The connection has ended. */
void intake_disconnected(struct intake *in);
/* Nothing is on its way. */
bool intake_idle(const struct intake *in);

/* letter.c: one of the entry's has been answered. */
void intake_settled(struct intake *in, struct entry *e);

#endif
