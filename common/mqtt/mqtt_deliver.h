/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_deliver: one message to many receivers. What is the same for all of them (topic, the properties that are passed on, payload) is
 * given once and never looked at again; what differs is a few bytes before and between. On the wire:
 *
 *   first byte, length | topic | packet id, property length, own properties | properties passed on, payload
 *
 * Three ways to write it, from the cheapest: a template for all receivers who need no properties of their own; pieces for writev(),
 * without copying topic and payload; the whole. */
#ifndef COMMON_MQTT_MQTT_DELIVER_H
#define COMMON_MQTT_MQTT_DELIVER_H

#include "common/mqtt/mqtt_packet.h"

/* A message as a server holds it. */
struct mqtt_message {
	struct str topic;
	/* From mqtt_props_write_forwarded, then payload, in one piece: written as it is to receivers with 5.0, without the properties to
	 * others. */
	struct str props_and_payload;
	uint32_t props_size; /* bytes of it that are properties */
};

/* What one receiver gets. */
struct mqtt_delivery {
	uint8_t qos; /* granted: the smaller of the message's and the subscription's */
	bool dup, retain;
	uint16_t packet_id;   /* not 0 with QoS above 0 */
	uint16_t topic_alias; /* 0: none. 5.0, like what follows */
	bool alias_known;     /* the receiver has the topic of that alias: it is not written */
	bool has_expiry;
	uint32_t expiry;                  /* seconds that remain (MQTT-3.3.2-6) */
	const uint32_t *subscription_ids; /* each from 1 to MQTT_VARINT_MAX */
	uint32_t subscription_id_count;
};

/* Bytes of the packet. 0: more than MQTT allows, or a subscription identifier or size that is none. To be compared with to->packet_max:
 * what is too large is not sent and counts as sent (MQTT-3.1.2-25). */
size_t mqtt_deliver_size(unsigned version, const struct mqtt_message *m, const struct mqtt_delivery *d);
/* Appends the packet. Bytes, or 0: the same, or larger than to->packet_max (0: any), or the buffer is full. */
size_t mqtt_deliver(struct buf *out, const struct mqtt_peer *to, const struct mqtt_message *m, const struct mqtt_delivery *d);

/* In pieces for writev(). scratch holds those that are this receiver's own; the others point into the message. Pieces may be empty. */
#define MQTT_DELIVER_IDS_MAX 64u
#define MQTT_DELIVER_OWN_MAX (7u + 2u + 4u + 5u + 3u + 5u * MQTT_DELIVER_IDS_MAX)
struct mqtt_pieces {
	struct str piece[4];
	size_t size; /* of all */
	uint8_t own[MQTT_DELIVER_OWN_MAX];
};
/* False: as mqtt_deliver, or more than MQTT_DELIVER_IDS_MAX subscription identifiers. out must stay where it is. */
bool mqtt_deliver_pieces(struct mqtt_pieces *out, const struct mqtt_peer *to, const struct mqtt_message *m, const struct mqtt_delivery *d);

/* The packet for all receivers of one version, QoS and retain flag who have neither alias nor subscription identifiers: copied, with the
 * packet identifier, DUP and the expiry written into the copy. */
struct mqtt_template {
	struct buf packet;
	uint32_t id_at;     /* where the packet identifier stands; 0: QoS 0 has none */
	uint32_t expiry_at; /* likewise; 0: no expiry */
};
/* Of d only qos, retain, has_expiry and expiry. False: as mqtt_deliver_size. In both cases mqtt_template_fini frees. */
bool mqtt_template_init(struct mqtt_template *t, unsigned version, const struct mqtt_message *m, const struct mqtt_delivery *d);
void mqtt_template_fini(struct mqtt_template *t);
/* As mqtt_deliver, of d only packet_id, dup and expiry. */
size_t mqtt_template_deliver(struct buf *out, const struct mqtt_peer *to, const struct mqtt_template *t, const struct mqtt_delivery *d);

#endif
