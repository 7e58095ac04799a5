/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt: what the parts of the codec share: versions, packet types, reason codes, and what is known of who is at the other end.
 *
 * The codec reads and writes MQTT 3.1 (IBM and Eurotech, 2010), 3.1.1 (OASIS, 2014) and 5.0 (OASIS, 2019), for a server and for a client.
 * It does no I/O and keeps no state: bytes in, plain structs of views out, and back. Section numbers in comments are those of 5.0. */
#ifndef COMMON_MQTT_MQTT_H
#define COMMON_MQTT_MQTT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/str.h"

/* The protocol level in CONNECT. */
enum mqtt_version { MQTT_VERSION_UNKNOWN = 0, MQTT_3_1 = 3, MQTT_3_1_1 = 4, MQTT_5 = 5 };

enum mqtt_type {
	MQTT_CONNECT = 1,
	MQTT_CONNACK,
	MQTT_PUBLISH,
	MQTT_PUBACK,
	MQTT_PUBREC,
	MQTT_PUBREL,
	MQTT_PUBCOMP,
	MQTT_SUBSCRIBE,
	MQTT_SUBACK,
	MQTT_UNSUBSCRIBE,
	MQTT_UNSUBACK,
	MQTT_PINGREQ,
	MQTT_PINGRESP,
	MQTT_DISCONNECT,
	MQTT_AUTH
};

/* Section 2.4. In all versions the structs hold these: where 3.x has codes of its own on the wire, reader and writer map them. */
enum mqtt_reason {
	MQTT_SUCCESS = 0x00, /* and Normal disconnection, Granted QoS 0 */
	MQTT_GRANTED_QOS_1 = 0x01,
	MQTT_GRANTED_QOS_2 = 0x02,
	MQTT_DISCONNECT_WITH_WILL = 0x04,
	MQTT_NO_MATCHING_SUBSCRIBERS = 0x10,
	MQTT_NO_SUBSCRIPTION_EXISTED = 0x11,
	MQTT_CONTINUE_AUTHENTICATION = 0x18,
	MQTT_REAUTHENTICATE = 0x19,
	MQTT_UNSPECIFIED_ERROR = 0x80,
	MQTT_MALFORMED_PACKET = 0x81,
	MQTT_PROTOCOL_ERROR = 0x82,
	MQTT_IMPLEMENTATION_SPECIFIC = 0x83,
	MQTT_UNSUPPORTED_VERSION = 0x84,
	MQTT_CLIENT_ID_INVALID = 0x85,
	MQTT_BAD_USER_OR_PASSWORD = 0x86,
	MQTT_NOT_AUTHORIZED = 0x87,
	MQTT_SERVER_UNAVAILABLE = 0x88,
	MQTT_SERVER_BUSY = 0x89,
	MQTT_BANNED = 0x8A,
	MQTT_SERVER_SHUTTING_DOWN = 0x8B,
	MQTT_BAD_AUTH_METHOD = 0x8C,
	MQTT_KEEP_ALIVE_TIMEOUT = 0x8D,
	MQTT_SESSION_TAKEN_OVER = 0x8E,
	MQTT_TOPIC_FILTER_INVALID = 0x8F,
	MQTT_TOPIC_NAME_INVALID = 0x90,
	MQTT_PACKET_ID_IN_USE = 0x91,
	MQTT_PACKET_ID_NOT_FOUND = 0x92,
	MQTT_RECEIVE_MAX_EXCEEDED = 0x93,
	MQTT_TOPIC_ALIAS_INVALID = 0x94,
	MQTT_PACKET_TOO_LARGE = 0x95,
	MQTT_MESSAGE_RATE_TOO_HIGH = 0x96,
	MQTT_QUOTA_EXCEEDED = 0x97,
	MQTT_ADMINISTRATIVE_ACTION = 0x98,
	MQTT_PAYLOAD_FORMAT_INVALID = 0x99,
	MQTT_RETAIN_NOT_SUPPORTED = 0x9A,
	MQTT_QOS_NOT_SUPPORTED = 0x9B,
	MQTT_USE_ANOTHER_SERVER = 0x9C,
	MQTT_SERVER_MOVED = 0x9D,
	MQTT_SHARED_NOT_SUPPORTED = 0x9E,
	MQTT_CONNECTION_RATE_EXCEEDED = 0x9F,
	MQTT_MAXIMUM_CONNECT_TIME = 0xA0,
	MQTT_SUBSCRIPTION_IDS_NOT_SUPPORTED = 0xA1,
	MQTT_WILDCARDS_NOT_SUPPORTED = 0xA2
};

/* What is wrong with a packet: the reason code that 5.0 has for it, and a static text that begins with the normative statement. */
struct mqtt_error {
	uint8_t reason; /* enum mqtt_reason, 0x80 or above */
	uint8_t rule;   /* enum mqtt_rule: mqtt_rule.h */
	const char *why;
};

/* Who is at the other end of a connection, as far as reading from it and writing to it depend on that. */
struct mqtt_peer {
	uint8_t version;      /* enum mqtt_version */
	bool server;          /* it is a server, we are its client (a bridge) */
	bool refuse_controls; /* code points that a sender SHOULD NOT use (1.5.4) make its packets malformed; otherwise they are taken */
	bool no_problem_info; /* it asked for no Reason String and User Properties: left out where MQTT-3.1.2-29 says so */
	uint16_t topic_alias_max; /* the highest alias that it may use towards us; 0: none */
	uint16_t levels_max;      /* of a topic name that it publishes to; 0: any number */
	uint32_t packet_max;      /* the largest packet that it takes, in bytes; 0: any size */
};

/* The largest Remaining Length, and Variable Byte Integer. */
#define MQTT_VARINT_MAX 268435455u
/* Of a string, in bytes. */
#define MQTT_STRING_MAX 65535u

/* "PUBLISH"; "reserved" for 0 and what is no type. */
const char *mqtt_type_name(unsigned type);

#endif
