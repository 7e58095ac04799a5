/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_packet: the packets as plain structs, the same for reading and writing. They own nothing: views point into the bytes that were
 * read, or to what shall be written. Before 5.0 properties are empty. */
#ifndef COMMON_MQTT_MQTT_PACKET_H
#define COMMON_MQTT_MQTT_PACKET_H

#include "common/mqtt/mqtt_props.h"

struct mqtt_will {
	uint8_t qos;
	bool retain;
	struct str topic, payload;
	struct mqtt_props props;
};

struct mqtt_connect {
	uint8_t version; /* enum mqtt_version */
	bool clean;      /* Clean Start; before 5.0 Clean Session */
	bool bridge; /* 3.x: the protocol level with 0x80, by which mosquitto marks bridges: what it publishes does not come back, retained stays so */
	bool has_will, has_username, has_password;
	uint16_t keep_alive; /* seconds; 0: off */
	struct str client_id;
	struct str username;
	struct str password; /* bytes; secret */
	struct mqtt_props props;
	struct mqtt_will will;
};

struct mqtt_connack {
	bool session_present; /* not sent in 3.1 */
	uint8_t reason;       /* enum mqtt_reason, in all versions (mqtt_reason.h maps) */
	struct mqtt_props props;
};

struct mqtt_publish {
	uint8_t qos;
	bool dup, retain;
	uint16_t packet_id; /* 0 with QoS 0 */
	struct str topic;   /* empty: props.topic_alias stands for it */
	struct str payload;
	struct mqtt_props props;
};

/* PUBACK, PUBREC, PUBREL, PUBCOMP. */
struct mqtt_ack {
	uint16_t packet_id;
	uint8_t reason; /* MQTT_SUCCESS before 5.0 */
	struct mqtt_props props;
};

struct mqtt_subscription {
	struct str filter; /* as sent */
	struct str topic;  /* the filter without "$share/group/" */
	struct str group;  /* empty: not a shared subscription */
	uint8_t qos;
	uint8_t retain_handling; /* 0 to 2; 0 before 5.0 */
	bool no_local, retain_as_published;
	bool wildcard;
	uint32_t levels; /* of topic: too many are a matter for SUBACK (0x8F) */
};

struct mqtt_subscribe {
	uint16_t packet_id;
	uint32_t count;     /* of subscriptions; a writer need not set it */
	struct str payload; /* for mqtt_subscribe_next; made with mqtt_subscribe_add */
	struct mqtt_props props;
};

struct mqtt_unsubscribe {
	uint16_t packet_id;
	uint32_t count;
	struct str payload; /* for mqtt_unsubscribe_next; made with mqtt_unsubscribe_add */
	struct mqtt_props props;
};

/* SUBACK and UNSUBACK. */
struct mqtt_suback {
	uint16_t packet_id;
	struct str reasons; /* a byte each, enum mqtt_reason; empty in UNSUBACK before 5.0 */
	struct mqtt_props props;
};

struct mqtt_disconnect {
	uint8_t reason; /* MQTT_SUCCESS before 5.0 */
	struct mqtt_props props;
};

/* 5.0 only. */
struct mqtt_auth {
	uint8_t reason;
	struct mqtt_props props;
};

#endif
