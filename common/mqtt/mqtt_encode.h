/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_encode: from a packet to bytes, appended to a buffer. `to` is who shall get it: its version decides the form, its packet_max the
 * size.
 *
 * All return the number of bytes appended; 0: nothing was appended, as the packet would be larger than to->packet_max (or than MQTT
 * allows), or the buffer is full, or this version has no such packet. Where the standard says that Reason String and User Property must
 * not make a packet too large (MQTT-3.2.2-19, -3.4.2-2 and their like), and where to->no_problem_info forbids them, they are left out:
 * first the user properties, then the reason string, then both. Properties are written in the form of 5.0 only; those that are not the
 * packet's are left out.
 *
 * A string of more than MQTT_STRING_MAX bytes is a mistake of the caller and is refused with 0, too. That strings are UTF-8 and topics
 * valid is not checked again. */
#ifndef COMMON_MQTT_MQTT_ENCODE_H
#define COMMON_MQTT_MQTT_ENCODE_H

#include "common/mqtt/mqtt_packet.h"

/* What a server sends. CONNACK in 3.x: see mqtt_reason_to_return_code. */
size_t mqtt_encode_connack(struct buf *out, const struct mqtt_peer *to, const struct mqtt_connack *p);
size_t mqtt_encode_suback(struct buf *out, const struct mqtt_peer *to, const struct mqtt_suback *p);
size_t mqtt_encode_unsuback(struct buf *out, const struct mqtt_peer *to, const struct mqtt_suback *p);
size_t mqtt_encode_pingresp(struct buf *out);

/* What both send. type is one of the four acknowledgements. The short forms are used where they are allowed: a reason code of 0 without
 * properties is not written. DISCONNECT before 5.0 is a client's only; AUTH is 5.0's. */
size_t mqtt_encode_ack(struct buf *out, const struct mqtt_peer *to, enum mqtt_type type, const struct mqtt_ack *p);
/* The same without properties: what nearly all of them are. */
size_t mqtt_encode_short_ack(struct buf *out, const struct mqtt_peer *to, enum mqtt_type type, uint16_t packet_id, uint8_t reason);
size_t mqtt_encode_disconnect(struct buf *out, const struct mqtt_peer *to, const struct mqtt_disconnect *p);
size_t mqtt_encode_auth(struct buf *out, const struct mqtt_peer *to, const struct mqtt_auth *p);
/* The whole packet as it is given, alias and all. A server's fan-out uses mqtt_deliver.h. */
size_t mqtt_encode_publish(struct buf *out, const struct mqtt_peer *to, const struct mqtt_publish *p);

/* What a client sends. p->version must be to->version. */
size_t mqtt_encode_connect(struct buf *out, const struct mqtt_peer *to, const struct mqtt_connect *p);
size_t mqtt_encode_subscribe(struct buf *out, const struct mqtt_peer *to, const struct mqtt_subscribe *p);
size_t mqtt_encode_unsubscribe(struct buf *out, const struct mqtt_peer *to, const struct mqtt_unsubscribe *p);
size_t mqtt_encode_pingreq(struct buf *out);

/* One more entry for the payload of SUBSCRIBE (filter, qos and the options of 5.0) and of UNSUBSCRIBE. False: too long, or `payload` is
 * full. */
bool mqtt_subscribe_add(struct buf *payload, unsigned version, const struct mqtt_subscription *s);
bool mqtt_unsubscribe_add(struct buf *payload, struct str filter);

#endif
