/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_decode: from a whole frame to a packet. Nothing is copied or allocated: the packet's views point into the frame's body and live as
 * long as that. All of the packet is checked, what is looked at one by one later too. False: *e says what is wrong, and the connection
 * has to end ([MQTT-4.13.1-1]).
 *
 * `from` is who sent it: reading depends on its version, on whether it is a server, and on the limits that it was told. Whether a packet
 * is in its place (a second CONNECT, an acknowledgement that nobody waits for, an alias that was never set) is the connection's matter. */
#ifndef COMMON_MQTT_MQTT_DECODE_H
#define COMMON_MQTT_MQTT_DECODE_H

#include "common/mqtt/mqtt_frame.h"
#include "common/mqtt/mqtt_packet.h"

/* from->version does not matter here. out->version is set as soon as it is known, also when false is returned: it says in which form to
 * answer, and is MQTT_VERSION_UNKNOWN when nothing of it could be read, or a protocol version that is none of ours (answer in the form of
 * 5.0, MQTT-3.1.2-2). An empty client identifier is taken in 5.0, and in 3.1.1 with Clean Session; long ones in 3.1, too. */
bool mqtt_decode_connect(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_connect *out, struct mqtt_error *e);
bool mqtt_decode_connack(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_connack *out, struct mqtt_error *e);
bool mqtt_decode_publish(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_publish *out, struct mqtt_error *e);
/* Of any of the four types. */
bool mqtt_decode_ack(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_ack *out, struct mqtt_error *e);
bool mqtt_decode_subscribe(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_subscribe *out, struct mqtt_error *e);
bool mqtt_decode_unsubscribe(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_unsubscribe *out, struct mqtt_error *e);
/* SUBACK or UNSUBACK. */
bool mqtt_decode_suback(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_suback *out, struct mqtt_error *e);
/* PINGREQ or PINGRESP: there is nothing in them. */
bool mqtt_decode_ping(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_error *e);
bool mqtt_decode_disconnect(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_disconnect *out, struct mqtt_error *e);
bool mqtt_decode_auth(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_auth *out, struct mqtt_error *e);

/* The next subscription, or topic filter; *rest begins as the packet's payload and is cut. False: no more. Only for what was decoded or
 * made with mqtt_subscribe_add and mqtt_unsubscribe_add. */
bool mqtt_subscribe_next(struct str *rest, unsigned version, struct mqtt_subscription *out);
bool mqtt_unsubscribe_next(struct str *rest, struct str *out_filter);

#endif
