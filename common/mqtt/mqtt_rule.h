/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_rule: every reason why the codec refuses a packet, as one table: the reason code of 5.0, the normative statement of 5.0 and of
 * 3.1.1 (or the section, where the standard has no number), and what is wrong. 3.1, which has no numbers, goes with 3.1.1. */
#ifndef COMMON_MQTT_MQTT_RULE_H
#define COMMON_MQTT_MQTT_RULE_H

#include "common/mqtt/mqtt.h"

/* clang-format off */
#define MQTT_RULES(X) \
	/* The fixed header. */ \
	X(TYPE_RESERVED, MALFORMED_PACKET, "section 2.1.2", "section 2.2.1", "a packet type that is reserved") \
	X(FLAGS, MALFORMED_PACKET, "[MQTT-2.1.3-1]", "[MQTT-2.2.2-2]", "reserved flags of the fixed header are set") \
	X(FLAGS_PUBREL, MALFORMED_PACKET, "[MQTT-3.6.1-1]", "[MQTT-3.6.1-1]", "the flags of PUBREL are not 0010") \
	X(FLAGS_SUBSCRIBE, MALFORMED_PACKET, "[MQTT-3.8.1-1]", "[MQTT-3.8.1-1]", "the flags of SUBSCRIBE are not 0010") \
	X(FLAGS_UNSUBSCRIBE, MALFORMED_PACKET, "[MQTT-3.10.1-1]", "[MQTT-3.10.1-1]", "the flags of UNSUBSCRIBE are not 0010") \
	X(FLAGS_DISCONNECT, MALFORMED_PACKET, "[MQTT-3.14.1-1]", "[MQTT-3.14.1-1]", "the flags of DISCONNECT are not 0") \
	X(FLAGS_AUTH, MALFORMED_PACKET, "[MQTT-3.15.1-1]", "-", "the flags of AUTH are not 0") \
	X(LENGTH_BYTES, MALFORMED_PACKET, "section 1.5.5", "section 2.2.3", "a Variable Byte Integer of more than four bytes") \
	X(LENGTH_OVERLONG, MALFORMED_PACKET, "[MQTT-1.5.5-1]", "-", "a Variable Byte Integer of more bytes than it needs") \
	X(TOO_LARGE, PACKET_TOO_LARGE, "[MQTT-3.1.2-24] [MQTT-3.2.2-15]", "section 2.2.3", "the packet is larger than what is taken here") \
	X(FIRST_PACKET, PROTOCOL_ERROR, "[MQTT-3.1.0-1]", "[MQTT-3.1.0-1]", "the first packet is not CONNECT") \
	X(DIRECTION, PROTOCOL_ERROR, "section 2.1.2", "section 2.2.1", "a packet that the other side does not send") \
	/* Fields. */ \
	X(SHORT, MALFORMED_PACKET, "section 4.13.1", "[MQTT-4.8.0-1]", "the packet ends within a field") \
	X(EXTRA, MALFORMED_PACKET, "section 4.13.1", "[MQTT-4.8.0-1]", "bytes follow the packet's last field") \
	X(UTF8, MALFORMED_PACKET, "[MQTT-1.5.4-1]", "[MQTT-1.5.3-1]", "a string is not well-formed UTF-8") \
	X(NUL, MALFORMED_PACKET, "[MQTT-1.5.4-2]", "[MQTT-1.5.3-2]", "a string with U+0000") \
	X(CONTROL, MALFORMED_PACKET, "section 1.5.4", "section 1.5.3", "a string with a control character or a non-character") \
	X(PACKET_ID, PROTOCOL_ERROR, "[MQTT-2.2.1-3] [MQTT-2.2.1-4]", "[MQTT-2.3.1-1]", "packet identifier 0") \
	/* Properties; 3.1.1 has none. */ \
	X(PROP_LENGTH, MALFORMED_PACKET, "section 2.2.2.1", "-", "the properties end outside of the packet, or within a property") \
	X(PROP_UNKNOWN, MALFORMED_PACKET, "section 2.2.2.2", "-", "an unknown property") \
	X(PROP_FORBIDDEN, MALFORMED_PACKET, "section 2.2.2.2", "-", "a property that is not one of this packet's") \
	X(PROP_TWICE, PROTOCOL_ERROR, "section 2.2.2.2", "-", "a property twice that may stand once") \
	X(PROP_BOOL, PROTOCOL_ERROR, "section 2.2.2.2", "-", "a property that must be 0 or 1 is neither") \
	X(PROP_ZERO, PROTOCOL_ERROR, "section 2.2.2.2", "-", "a property that must not be 0 is") \
	X(ALIAS_ZERO, TOPIC_ALIAS_INVALID, "[MQTT-3.3.2-8]", "-", "Topic Alias 0") \
	X(ALIAS_MAX, TOPIC_ALIAS_INVALID, "[MQTT-3.3.2-9] [MQTT-3.3.2-11]", "-", "a Topic Alias above the maximum that we told") \
	X(SUBSCRIPTION_ID, PROTOCOL_ERROR, "[MQTT-3.3.4-6]", "-", "a client's PUBLISH with a Subscription Identifier") \
	X(RESPONSE_TOPIC, PROTOCOL_ERROR, "[MQTT-3.3.2-14]", "-", "a Response Topic that is no topic name") \
	X(AUTH_DATA, PROTOCOL_ERROR, "section 3.1.2.11.10", "-", "Authentication Data without Authentication Method") \
	X(AUTH_METHOD, PROTOCOL_ERROR, "section 3.15.2.2.2", "-", "AUTH without Authentication Method") \
	X(SERVER_EXPIRY, PROTOCOL_ERROR, "[MQTT-3.14.2-2]", "-", "a server's DISCONNECT with Session Expiry Interval") \
	/* CONNECT, CONNACK. */ \
	X(PROTOCOL_NAME, UNSUPPORTED_VERSION, "[MQTT-3.1.2-1]", "[MQTT-3.1.2-1]", "the protocol name is not MQTT") \
	X(PROTOCOL_LEVEL, UNSUPPORTED_VERSION, "[MQTT-3.1.2-2]", "[MQTT-3.1.2-2]", "a protocol version that is not spoken here") \
	X(CONNECT_FLAG, MALFORMED_PACKET, "[MQTT-3.1.2-3]", "[MQTT-3.1.2-3]", "the reserved connect flag is set") \
	X(WILL_QOS, MALFORMED_PACKET, "[MQTT-3.1.2-12]", "[MQTT-3.1.2-14]", "Will QoS 3") \
	X(WILL_QOS_ALONE, MALFORMED_PACKET, "[MQTT-3.1.2-11]", "[MQTT-3.1.2-13]", "Will QoS without a will") \
	X(WILL_RETAIN_ALONE, MALFORMED_PACKET, "[MQTT-3.1.2-13]", "[MQTT-3.1.2-15]", "Will Retain without a will") \
	X(PASSWORD_ALONE, MALFORMED_PACKET, "-", "[MQTT-3.1.2-22]", "a password without a user name") \
	X(CLIENT_ID, CLIENT_ID_INVALID, "-", "[MQTT-3.1.3-8]", "an empty client identifier, which takes 3.1.1 and Clean Session") \
	X(CONNACK_FLAGS, MALFORMED_PACKET, "[MQTT-3.2.2-1]", "section 3.2.2.1", "reserved Connect Acknowledge Flags are set") \
	X(SESSION_PRESENT, PROTOCOL_ERROR, "[MQTT-3.2.2-6]", "[MQTT-3.2.2-4]", "Session Present though the connection is refused") \
	X(CONNACK_REASON, PROTOCOL_ERROR, "[MQTT-3.2.2-8]", "section 3.2.2.3", "a reason code that is not one of CONNACK's") \
	/* PUBLISH and its acknowledgements. */ \
	X(QOS, MALFORMED_PACKET, "[MQTT-3.3.1-4]", "[MQTT-3.3.1-4]", "QoS 3") \
	X(DUP, MALFORMED_PACKET, "[MQTT-3.3.1-2]", "[MQTT-3.3.1-2]", "DUP with QoS 0") \
	X(TOPIC_WILDCARD, MALFORMED_PACKET, "[MQTT-3.3.2-2]", "[MQTT-3.3.2-2]", "a topic name with wildcards") \
	X(TOPIC_EMPTY, MALFORMED_PACKET, "[MQTT-4.7.3-1]", "[MQTT-4.7.3-1]", "an empty topic name") \
	X(TOPIC_MISSING, PROTOCOL_ERROR, "section 3.3.2.1", "-", "neither topic name nor Topic Alias") \
	X(TOPIC_LONG, MALFORMED_PACKET, "[MQTT-4.7.3-3]", "[MQTT-4.7.3-3]", "a topic of more than 65535 bytes") \
	X(TOPIC_LEVELS, TOPIC_NAME_INVALID, "section 3.4.2.1", "section 4.7.3", "a topic name of more levels than are taken here") \
	X(PUBACK_REASON, PROTOCOL_ERROR, "[MQTT-3.4.2-1]", "-", "a reason code that is not one of PUBACK's") \
	X(PUBREC_REASON, PROTOCOL_ERROR, "[MQTT-3.5.2-1]", "-", "a reason code that is not one of PUBREC's") \
	X(PUBREL_REASON, PROTOCOL_ERROR, "[MQTT-3.6.2-1]", "-", "a reason code that is not one of PUBREL's") \
	X(PUBCOMP_REASON, PROTOCOL_ERROR, "[MQTT-3.7.2-1]", "-", "a reason code that is not one of PUBCOMP's") \
	/* SUBSCRIBE, UNSUBSCRIBE and their acknowledgements. */ \
	X(SUBSCRIBE_EMPTY, PROTOCOL_ERROR, "[MQTT-3.8.3-2]", "[MQTT-3.8.3-3]", "SUBSCRIBE without a topic filter") \
	X(OPTIONS_RESERVED, MALFORMED_PACKET, "[MQTT-3.8.3-5]", "[MQTT-3-8.3-4]", "reserved subscription options are set") \
	X(OPTIONS_QOS, PROTOCOL_ERROR, "section 3.8.3.1", "[MQTT-3-8.3-4]", "a subscription with QoS 3") \
	X(RETAIN_HANDLING, PROTOCOL_ERROR, "section 3.8.3.1", "-", "Retain Handling 3") \
	X(NO_LOCAL, PROTOCOL_ERROR, "[MQTT-3.8.3-4]", "-", "No Local on a shared subscription") \
	X(FILTER_EMPTY, MALFORMED_PACKET, "[MQTT-4.7.3-1]", "[MQTT-4.7.3-1]", "an empty topic filter") \
	X(FILTER_HASH, MALFORMED_PACKET, "[MQTT-4.7.1-1]", "[MQTT-4.7.1-2]", "'#' that is not a topic filter's whole last level") \
	X(FILTER_PLUS, MALFORMED_PACKET, "[MQTT-4.7.1-2]", "[MQTT-4.7.1-3]", "'+' that is not a whole level of a topic filter") \
	X(FILTER_LEVELS, TOPIC_FILTER_INVALID, "section 3.9.3", "section 4.7.3", "a topic filter of more levels than are taken here") \
	X(SHARE_NAME, MALFORMED_PACKET, "[MQTT-4.8.2-1]", "5.0 [MQTT-4.8.2-1]", "a shared subscription without a share name") \
	X(SHARE_FILTER, MALFORMED_PACKET, "[MQTT-4.8.2-2]", "5.0 [MQTT-4.8.2-2]", \
	  "a share name with wildcards, or without a topic filter behind it") \
	X(SUBACK_EMPTY, PROTOCOL_ERROR, "[MQTT-3.8.4-6]", "[MQTT-3.8.4-5]", "SUBACK without a reason code") \
	X(SUBACK_REASON, PROTOCOL_ERROR, "[MQTT-3.9.3-2]", "[MQTT-3.9.3-2]", "a reason code that is not one of SUBACK's") \
	X(UNSUBSCRIBE_EMPTY, PROTOCOL_ERROR, "[MQTT-3.10.3-2]", "[MQTT-3.10.3-2]", "UNSUBSCRIBE without a topic filter") \
	X(UNSUBACK_EMPTY, PROTOCOL_ERROR, "section 3.11.3", "-", "UNSUBACK without a reason code") \
	X(UNSUBACK_REASON, PROTOCOL_ERROR, "[MQTT-3.11.3-2]", "-", "a reason code that is not one of UNSUBACK's") \
	/* DISCONNECT, AUTH. */ \
	X(DISCONNECT_REASON, PROTOCOL_ERROR, "[MQTT-3.14.2-1]", "-", "a reason code that is not one of this side's DISCONNECT") \
	X(AUTH_REASON, PROTOCOL_ERROR, "[MQTT-3.15.2-1]", "-", "a reason code that is not one of this side's AUTH")
/* clang-format on */

enum mqtt_rule {
	MQTT_RULE_NONE,
#define MQTT_RULE_ENUM(name, reason, id5, id311, text) MQTT_RULE_##name,
	MQTT_RULES(MQTT_RULE_ENUM)
#undef MQTT_RULE_ENUM
	        MQTT_RULE_COUNT
};

/* Fills *e (which may be NULL) for a peer of that version. Always returns false, so that `return mqtt_refuse(...)` reads well. */
bool mqtt_refuse(struct mqtt_error *e, unsigned version, enum mqtt_rule rule);
/* "[MQTT-3.3.1-4] QoS 3"; in 3.x the statement of 3.1.1. */
const char *mqtt_rule_text(unsigned version, enum mqtt_rule rule);

#endif
