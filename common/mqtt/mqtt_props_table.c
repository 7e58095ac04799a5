/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_props_table.h"

#include <stddef.h>

#define P_WILL        (1u << MQTT_WILL)
#define P_CONNECT     (1u << MQTT_CONNECT)
#define P_CONNACK     (1u << MQTT_CONNACK)
#define P_PUBLISH     (1u << MQTT_PUBLISH)
#define P_SUBSCRIBE   (1u << MQTT_SUBSCRIBE)
#define P_UNSUBSCRIBE (1u << MQTT_UNSUBSCRIBE)
#define P_DISCONNECT  (1u << MQTT_DISCONNECT)
#define P_AUTH        (1u << MQTT_AUTH)
#define P_SUBACKS     (1u << MQTT_SUBACK | 1u << MQTT_UNSUBACK)
#define P_ACKS        (1u << MQTT_PUBACK | 1u << MQTT_PUBREC | 1u << MQTT_PUBREL | 1u << MQTT_PUBCOMP)
#define P_MESSAGE     (P_PUBLISH | P_WILL)
#define P_REASONED    (P_CONNACK | P_ACKS | P_SUBACKS | P_DISCONNECT | P_AUTH)
#define P_ALL         (P_REASONED | P_CONNECT | P_MESSAGE | P_SUBSCRIBE | P_UNSUBSCRIBE)

#define BYTE(field, packets)                                                                                                               \
	{                                                                                                                                  \
		MQTT_PROP_BYTE, MQTT_RULE_PROP_BOOL, offsetof(struct mqtt_props, field), packets, 0, #field                                \
	}
#define U16(field, packets)                                                                                                                \
	{                                                                                                                                  \
		MQTT_PROP_U16, MQTT_RULE_NONE, offsetof(struct mqtt_props, field), packets, 0, #field                                      \
	}
#define U32(field, packets)                                                                                                                \
	{                                                                                                                                  \
		MQTT_PROP_U32, MQTT_RULE_NONE, offsetof(struct mqtt_props, field), packets, 0, #field                                      \
	}
#define STRING(field, packets)                                                                                                             \
	{                                                                                                                                  \
		MQTT_PROP_STRING, MQTT_RULE_NONE, offsetof(struct mqtt_props, field), packets, 0, #field                                   \
	}
#define BINARY(field, packets)                                                                                                             \
	{                                                                                                                                  \
		MQTT_PROP_BINARY, MQTT_RULE_NONE, offsetof(struct mqtt_props, field), packets, 0, #field                                   \
	}
/* Numbers that must not be 0. */
#define U16_NOT_0(field, packets, rule)                                                                                                    \
	{                                                                                                                                  \
		MQTT_PROP_U16, rule, offsetof(struct mqtt_props, field), packets, 0, #field                                                \
	}
#define U32_NOT_0(field, packets, rule)                                                                                                    \
	{                                                                                                                                  \
		MQTT_PROP_U32, rule, offsetof(struct mqtt_props, field), packets, 0, #field                                                \
	}

const struct mqtt_prop_row mqtt_prop_rows[MQTT_PROP_MAX + 1] = {
	[MQTT_PROP_PAYLOAD_FORMAT] = BYTE(payload_format, P_MESSAGE),
	[MQTT_PROP_MESSAGE_EXPIRY] = U32(message_expiry, P_MESSAGE),
	[MQTT_PROP_CONTENT_TYPE] = STRING(content_type, P_MESSAGE),
	[MQTT_PROP_RESPONSE_TOPIC] = STRING(response_topic, P_MESSAGE),
	[MQTT_PROP_CORRELATION_DATA] = BINARY(correlation_data, P_MESSAGE),
	[MQTT_PROP_SUBSCRIPTION_ID] = { MQTT_PROP_VARINT, MQTT_RULE_PROP_ZERO, 0, P_PUBLISH | P_SUBSCRIBE, P_PUBLISH, "subscription_id" },
	[MQTT_PROP_SESSION_EXPIRY] = U32(session_expiry, P_CONNECT | P_CONNACK | P_DISCONNECT),
	[MQTT_PROP_ASSIGNED_CLIENT_ID] = STRING(assigned_client_id, P_CONNACK),
	[MQTT_PROP_SERVER_KEEP_ALIVE] = U16(server_keep_alive, P_CONNACK),
	[MQTT_PROP_AUTH_METHOD] = STRING(auth_method, P_CONNECT | P_CONNACK | P_AUTH),
	[MQTT_PROP_AUTH_DATA] = BINARY(auth_data, P_CONNECT | P_CONNACK | P_AUTH),
	[MQTT_PROP_REQUEST_PROBLEM_INFO] = BYTE(request_problem_info, P_CONNECT),
	[MQTT_PROP_WILL_DELAY] = U32(will_delay, P_WILL),
	[MQTT_PROP_REQUEST_RESPONSE_INFO] = BYTE(request_response_info, P_CONNECT),
	[MQTT_PROP_RESPONSE_INFO] = STRING(response_info, P_CONNACK),
	[MQTT_PROP_SERVER_REFERENCE] = STRING(server_reference, P_CONNACK | P_DISCONNECT),
	[MQTT_PROP_REASON_STRING] = STRING(reason_string, P_REASONED),
	[MQTT_PROP_RECEIVE_MAX] = U16_NOT_0(receive_max, P_CONNECT | P_CONNACK, MQTT_RULE_PROP_ZERO),
	[MQTT_PROP_TOPIC_ALIAS_MAX] = U16(topic_alias_max, P_CONNECT | P_CONNACK),
	[MQTT_PROP_TOPIC_ALIAS] = U16_NOT_0(topic_alias, P_PUBLISH, MQTT_RULE_ALIAS_ZERO),
	[MQTT_PROP_MAX_QOS] = BYTE(max_qos, P_CONNACK),
	[MQTT_PROP_RETAIN_AVAILABLE] = BYTE(retain_available, P_CONNACK),
	[MQTT_PROP_USER] = { MQTT_PROP_PAIR, MQTT_RULE_NONE, 0, P_ALL, P_ALL, "user" },
	[MQTT_PROP_PACKET_MAX] = U32_NOT_0(packet_max, P_CONNECT | P_CONNACK, MQTT_RULE_PROP_ZERO),
	[MQTT_PROP_WILDCARD_AVAILABLE] = BYTE(wildcard_available, P_CONNACK),
	[MQTT_PROP_SUBSCRIPTION_ID_AVAILABLE] = BYTE(subscription_id_available, P_CONNACK),
	[MQTT_PROP_SHARED_AVAILABLE] = BYTE(shared_available, P_CONNACK),
};

uint64_t mqtt_props_of(uint64_t has, unsigned type)
{
	uint64_t known = has & ((2ull << MQTT_PROP_MAX) - 1), kept = known;

	for (uint64_t left = known; left; left &= left - 1)
		if (!(mqtt_prop_rows[__builtin_ctzll(left)].packets & 1u << type))
			kept &= ~(left & -left);
	return kept;
}
