/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_props: the properties of 5.0 (section 2.2.2). One table row says for each its type, its place in the struct, and who may have it
 * how often; it serves the reader, the writer and the tests. What may stand many times (user properties, subscription identifiers) stays
 * in its bytes and is looked at one by one. */
#ifndef COMMON_MQTT_MQTT_PROPS_H
#define COMMON_MQTT_MQTT_PROPS_H

#include "common/base/buf.h"
#include "common/mqtt/mqtt.h"

enum mqtt_prop {
	MQTT_PROP_PAYLOAD_FORMAT = 1,
	MQTT_PROP_MESSAGE_EXPIRY = 2,
	MQTT_PROP_CONTENT_TYPE = 3,
	MQTT_PROP_RESPONSE_TOPIC = 8,
	MQTT_PROP_CORRELATION_DATA = 9,
	MQTT_PROP_SUBSCRIPTION_ID = 11,
	MQTT_PROP_SESSION_EXPIRY = 17,
	MQTT_PROP_ASSIGNED_CLIENT_ID = 18,
	MQTT_PROP_SERVER_KEEP_ALIVE = 19,
	MQTT_PROP_AUTH_METHOD = 21,
	MQTT_PROP_AUTH_DATA = 22,
	MQTT_PROP_REQUEST_PROBLEM_INFO = 23,
	MQTT_PROP_WILL_DELAY = 24,
	MQTT_PROP_REQUEST_RESPONSE_INFO = 25,
	MQTT_PROP_RESPONSE_INFO = 26,
	MQTT_PROP_SERVER_REFERENCE = 28,
	MQTT_PROP_REASON_STRING = 31,
	MQTT_PROP_RECEIVE_MAX = 33,
	MQTT_PROP_TOPIC_ALIAS_MAX = 34,
	MQTT_PROP_TOPIC_ALIAS = 35,
	MQTT_PROP_MAX_QOS = 36,
	MQTT_PROP_RETAIN_AVAILABLE = 37,
	MQTT_PROP_USER = 38,
	MQTT_PROP_PACKET_MAX = 39,
	MQTT_PROP_WILDCARD_AVAILABLE = 40,
	MQTT_PROP_SUBSCRIPTION_ID_AVAILABLE = 41,
	MQTT_PROP_SHARED_AVAILABLE = 42,
	MQTT_PROP_MAX = 42
};

/* A field counts when its bit in `has` is set (mqtt_props_has); it is 0 or empty otherwise. Views point into the packet, or to what a
 * writer wants to have written. */
struct mqtt_props {
	uint64_t has; /* 1 << enum mqtt_prop */
	uint8_t payload_format;
	uint8_t request_problem_info;
	uint8_t request_response_info;
	uint8_t max_qos;
	uint8_t retain_available;
	uint8_t wildcard_available;
	uint8_t subscription_id_available;
	uint8_t shared_available;
	uint16_t server_keep_alive; /* seconds */
	uint16_t receive_max;
	uint16_t topic_alias_max;
	uint16_t topic_alias;
	uint32_t message_expiry; /* seconds, like all intervals */
	uint32_t session_expiry; /* UINT32_MAX: never */
	uint32_t will_delay;
	uint32_t packet_max;
	struct str content_type;
	struct str response_topic;
	struct str correlation_data; /* bytes */
	struct str assigned_client_id;
	struct str auth_method;
	struct str auth_data; /* bytes */
	struct str response_info;
	struct str server_reference;
	struct str reason_string;
	/* Encoded properties, among which are all user properties and subscription identifiers. The reader puts the packet's whole
	 * properties here; a writer takes those two sorts from it, in their order, and `has` says whether there are any. */
	struct str many;
};

static inline bool mqtt_props_has(const struct mqtt_props *p, enum mqtt_prop id)
{
	return (p->has & 1ull << id) != 0;
}

static inline void mqtt_props_set(struct mqtt_props *p, enum mqtt_prop id)
{
	p->has |= 1ull << id;
}

static inline void mqtt_props_drop(struct mqtt_props *p, enum mqtt_prop id)
{
	p->has &= ~(1ull << id);
}

struct mqtt_user_prop {
	struct str name, value;
};
/* The next one; *rest begins as props->many and is cut. False: no more. Only for what the reader took, or was made with the functions
 * below. */
bool mqtt_props_next_user(struct str *rest, struct mqtt_user_prop *out);
bool mqtt_props_next_subscription_id(struct str *rest, uint32_t *out);
/* How many there are. */
size_t mqtt_props_users(const struct mqtt_props *p);
size_t mqtt_props_subscription_ids(const struct mqtt_props *p);

/* Append one to the bytes that `many` shall point to. name and value must be valid and at most MQTT_STRING_MAX bytes, id from 1 to
 * MQTT_VARINT_MAX: false otherwise, or when `out` is full. */
bool mqtt_props_add_user(struct buf *out, struct str name, struct str value);
bool mqtt_props_add_subscription_id(struct buf *out, uint32_t id);

/* The properties of a PUBLISH, or of a will, that a server passes on unaltered and in order (MQTT-3.3.2-4, -15 to -18, -20): payload
 * format, content type, response topic, correlation data, user properties; encoded, without a length before them. The same for all
 * receivers, and what to store. When they do not fit, out->overflow is set. */
void mqtt_props_write_forwarded(struct buf *out, const struct mqtt_props *p);
/* Reads such bytes back, checking them. False: they are not that. */
bool mqtt_props_read_forwarded(struct str encoded, struct mqtt_props *out);

#endif
