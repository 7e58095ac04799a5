/* SPDX-License-Identifier: Apache-2.0
 *
 * A packet for every rule that a packet can break, in each version where it is one, and the check that no rule is without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/mqtt/mqtt_for_test.h"
#include "common/mqtt/mqtt_rule.h"

enum { CLIENT, SERVER };

/* From whom, in which version, and what (see mqtt_for_test.h). */
static const struct refusal {
	enum mqtt_rule rule;
	uint8_t version;
	uint8_t sender;
	const char *packet;
} refusals[] = {
#define R(rule, version, sender, packet)                                                                                                   \
	{                                                                                                                                  \
		MQTT_RULE_##rule, version, sender, packet                                                                                  \
	}
	/* The fixed header. */
	R(TYPE_RESERVED, MQTT_5, CLIENT, "00 ."),
	R(TYPE_RESERVED, MQTT_3_1_1, CLIENT, "F0 ."),
	R(TYPE_RESERVED, MQTT_3_1, CLIENT, "F0 ."),
	R(FLAGS, MQTT_5, CLIENT, "C1 ."),
	R(FLAGS, MQTT_5, CLIENT, "41 . 0001"),
	R(FLAGS, MQTT_5, CLIENT, "52 . 0001"),
	R(FLAGS, MQTT_5, CLIENT, "78 . 0001"),
	R(FLAGS, MQTT_3_1_1, SERVER, "24 . 0000"),
	R(FLAGS, MQTT_5, SERVER, "92 . 0001 () 00"),
	R(FLAGS, MQTT_5, SERVER, "B2 . 0001 () 00"),
	R(FLAGS, MQTT_3_1_1, SERVER, "D8 ."),
	R(FLAGS, MQTT_5, CLIENT, "11 . s'MQTT' 05 02 0000 () s'a'"),
	R(FLAGS, MQTT_3_1_1, CLIENT, "18 . s'MQTT' 04 02 0000 s'a'"),
	R(FLAGS_PUBREL, MQTT_5, CLIENT, "60 . 0001"),
	R(FLAGS_PUBREL, MQTT_3_1_1, CLIENT, "6A . 0001"),
	R(FLAGS_SUBSCRIBE, MQTT_5, CLIENT, "80 . 0001 () s'a' 00"),
	R(FLAGS_SUBSCRIBE, MQTT_3_1_1, CLIENT, "8A . 0001 s'a' 00"),
	R(FLAGS_UNSUBSCRIBE, MQTT_5, CLIENT, "A0 . 0001 () s'a'"),
	R(FLAGS_UNSUBSCRIBE, MQTT_3_1_1, CLIENT, "A3 . 0001 s'a'"),
	R(FLAGS_DISCONNECT, MQTT_5, CLIENT, "E1 ."),
	R(FLAGS_DISCONNECT, MQTT_3_1_1, CLIENT, "E8 ."),
	R(FLAGS_AUTH, MQTT_5, CLIENT, "F1 . 18 (15 s'm')"),
	R(LENGTH_BYTES, MQTT_5, CLIENT, "30 80808080 01"),
	R(LENGTH_BYTES, MQTT_3_1_1, CLIENT, "30 FFFFFFFF 7F"),
	R(LENGTH_BYTES, MQTT_5, CLIENT, "30 . s'a' 80808080 00"),
	R(LENGTH_OVERLONG, MQTT_5, CLIENT, "C0 8000"),
	R(LENGTH_OVERLONG, MQTT_5, CLIENT, "10 8E00 s'MQTT' 05 02 0000 () s'a'"),
	R(LENGTH_OVERLONG, MQTT_5, CLIENT, "30 . s'a' 8000"),
	R(LENGTH_OVERLONG, MQTT_5, SERVER, "30 . s'a' (0B 8100)"),
	R(FIRST_PACKET, MQTT_VERSION_UNKNOWN, CLIENT, "C0 ."),
	R(FIRST_PACKET, MQTT_VERSION_UNKNOWN, CLIENT, "30"),
	R(FIRST_PACKET, MQTT_VERSION_UNKNOWN, CLIENT, "F0 ."),
	R(DIRECTION, MQTT_5, CLIENT, "20 . 0000 ()"),
	R(DIRECTION, MQTT_3_1_1, CLIENT, "90 . 0001 00"),
	R(DIRECTION, MQTT_3_1_1, CLIENT, "B0 . 0001"),
	R(DIRECTION, MQTT_5, CLIENT, "D0 ."),
	R(DIRECTION, MQTT_5, SERVER, "10 . s'MQTT' 05 02 0000 () s'a'"),
	R(DIRECTION, MQTT_5, SERVER, "82 . 0001 () s'a' 00"),
	R(DIRECTION, MQTT_5, SERVER, "A2 . 0001 () s'a'"),
	R(DIRECTION, MQTT_3_1_1, SERVER, "C0 ."),
	R(DIRECTION, MQTT_3_1_1, SERVER, "E0 ."),
	/* Fields. */
	R(SHORT, MQTT_5, CLIENT, "30 ."),
	R(SHORT, MQTT_5, CLIENT, "30 . 0005 'topi'"),
	R(SHORT, MQTT_5, CLIENT, "30 . s'a'"),
	R(SHORT, MQTT_5, CLIENT, "30 . s'a' 80"),
	R(SHORT, MQTT_5, CLIENT, "32 . s'a' 01"),
	R(SHORT, MQTT_3_1_1, CLIENT, "40 . 01"),
	R(SHORT, MQTT_5, CLIENT, "82 . 0001 () s'a'"),
	R(SHORT, MQTT_3_1_1, CLIENT, "A2 . 0001 0002 'a'"),
	R(SHORT, MQTT_5, SERVER, "20 . 00"),
	R(SHORT, MQTT_5, SERVER, "20 . 0000"),
	R(SHORT, MQTT_5, SERVER, "F0 . 18"),
	R(SHORT, MQTT_VERSION_UNKNOWN, CLIENT, "10 . s'MQTT'"),
	R(SHORT, MQTT_5, CLIENT, "10 . s'MQTT' 05 02 00"),
	R(SHORT, MQTT_5, CLIENT, "10 . s'MQTT' 05 02 0000 ()"),
	R(SHORT, MQTT_5, CLIENT, "10 . s'MQTT' 05 06 0000 () s'a' () s't'"),
	R(SHORT, MQTT_5, CLIENT, "10 . s'MQTT' 05 06 0000 () s'a'"),
	R(SHORT, MQTT_5, CLIENT, "10 . s'MQTT' 05 82 0000 () s'a'"),
	R(SHORT, MQTT_5, CLIENT, "10 . s'MQTT' 05 42 0000 () s'a'"),
	R(SHORT, MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 C2 0000 s'a' s'u'"),
	R(EXTRA, MQTT_5, CLIENT, "C0 . 00"),
	R(EXTRA, MQTT_3_1_1, SERVER, "D0 . 00"),
	R(EXTRA, MQTT_3_1_1, CLIENT, "40 . 0001 00"),
	R(EXTRA, MQTT_5, CLIENT, "40 . 0001 00 () 00"),
	R(EXTRA, MQTT_3_1_1, CLIENT, "E0 . 00"),
	R(EXTRA, MQTT_5, CLIENT, "E0 . 00 () 00"),
	R(EXTRA, MQTT_3_1_1, SERVER, "B0 . 0001 00"),
	R(EXTRA, MQTT_3_1_1, SERVER, "20 . 0000 00"),
	R(EXTRA, MQTT_5, CLIENT, "F0 . 18 (15 s'm') 00"),
	R(EXTRA, MQTT_5, CLIENT, "10 . s'MQTT' 05 02 0000 () s'a' s'b'"),
	R(UTF8, MQTT_5, CLIENT, "30 . 0003 EDA080 ()"),
	R(UTF8, MQTT_3_1_1, CLIENT, "30 . 0003 EDBFBF"),
	R(UTF8, MQTT_5, CLIENT, "30 . 0002 C080 ()"),
	R(UTF8, MQTT_5, CLIENT, "30 . 0004 F4908080 ()"),
	R(UTF8, MQTT_5, CLIENT, "30 . 0009 'aaaaaaaa' FF ()"),
	R(UTF8, MQTT_3_1_1, CLIENT, "82 . 0001 0001 80 00"),
	R(UTF8, MQTT_3_1_1, CLIENT, "A2 . 0001 0001 80"),
	R(UTF8, MQTT_5, CLIENT, "30 . s'a' (26 s'k' 0001 80)"),
	R(UTF8, MQTT_5, CLIENT, "30 . s'a' (26 0001 80 s'v')"),
	R(UTF8, MQTT_5, CLIENT, "40 . 0001 00 (1F 0001 80)"),
	R(UTF8, MQTT_5, CLIENT, "10 . s'MQTT' 05 02 0000 () 0001 80"),
	R(UTF8, MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 06 0000 s'a' 0001 80 s'w'"),
	R(UTF8, MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 82 0000 s'a' 0001 80"),
	R(NUL, MQTT_5, CLIENT, "30 . 0005 'to' 00 'ic' ()"),
	R(NUL, MQTT_3_1_1, CLIENT, "30 . 000A 'aaaaaaaa' 00 'b'"),
	R(NUL, MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 02 0000 0001 00"),
	R(NUL, MQTT_3_1_1, CLIENT, "82 . 0001 0002 'a' 00 00"),
	R(PACKET_ID, MQTT_5, CLIENT, "32 . s'a' 0000 ()"),
	R(PACKET_ID, MQTT_3_1_1, CLIENT, "34 . s'a' 0000"),
	R(PACKET_ID, MQTT_5, CLIENT, "40 . 0000"),
	R(PACKET_ID, MQTT_3_1_1, CLIENT, "62 . 0000"),
	R(PACKET_ID, MQTT_5, CLIENT, "82 . 0000 () s'a' 00"),
	R(PACKET_ID, MQTT_3_1_1, CLIENT, "A2 . 0000 s'a'"),
	R(PACKET_ID, MQTT_3_1_1, SERVER, "90 . 0000 00"),
	R(PACKET_ID, MQTT_5, SERVER, "B0 . 0000 () 00"),
	/* Properties; each with each packet is in mqtt_props_test. */
	R(PROP_LENGTH, MQTT_5, CLIENT, "30 . s'a' 05 01 00"),
	R(PROP_LENGTH, MQTT_5, CLIENT, "30 . s'a' 04 02 000000 00"),
	R(PROP_LENGTH, MQTT_5, CLIENT, "30 . s'a' (01) 00"),
	R(PROP_LENGTH, MQTT_5, CLIENT, "30 . s'a' (26 s'k') s'v'"),
	R(PROP_LENGTH, MQTT_5, SERVER, "30 . s'a' (0B 80) 01"),
	R(PROP_UNKNOWN, MQTT_5, CLIENT, "30 . s'a' (00 00)"),
	R(PROP_UNKNOWN, MQTT_5, CLIENT, "30 . s'a' (2B 00)"),
	R(PROP_UNKNOWN, MQTT_5, CLIENT, "30 . s'a' (8100 00)"),
	R(PROP_FORBIDDEN, MQTT_5, CLIENT, "30 . s'a' (1F s'r')"),
	R(PROP_FORBIDDEN, MQTT_5, CLIENT, "10 . s'MQTT' 05 06 0000 () s'a' (11 00000000) s't' s'w'"),
	R(PROP_TWICE, MQTT_5, CLIENT, "30 . s'a' (01 00 01 00)"),
	R(PROP_TWICE, MQTT_5, CLIENT, "82 . 0001 (0B 01 0B 01) s'a' 00"),
	R(PROP_BOOL, MQTT_5, CLIENT, "30 . s'a' (01 02)"),
	R(PROP_ZERO, MQTT_5, CLIENT, "10 . s'MQTT' 05 02 0000 (21 0000) s'a'"),
	R(ALIAS_ZERO, MQTT_5, CLIENT, "30 . s'a' (23 0000)"),
	R(ALIAS_MAX, MQTT_5, CLIENT, "30 . s'a' (23 0009)"),
	R(ALIAS_MAX, MQTT_5, SERVER, "30 . s'' (23 FFFF)"),
	R(SUBSCRIPTION_ID, MQTT_5, CLIENT, "30 . s'a' (0B 01)"),
	R(RESPONSE_TOPIC, MQTT_5, CLIENT, "30 . s'a' (08 s'a/+')"),
	R(RESPONSE_TOPIC, MQTT_5, CLIENT, "30 . s'a' (08 s'#')"),
	R(RESPONSE_TOPIC, MQTT_5, CLIENT, "30 . s'a' (08 s'')"),
	R(AUTH_DATA, MQTT_5, CLIENT, "10 . s'MQTT' 05 02 0000 (16 s'd') s'a'"),
	R(AUTH_METHOD, MQTT_5, CLIENT, "F0 . 18 ()"),
	R(AUTH_METHOD, MQTT_5, SERVER, "F0 . 00 (16 s'd')"),
	R(SERVER_EXPIRY, MQTT_5, SERVER, "E0 . 00 (11 00000000)"),
	/* CONNECT, CONNACK. */
	R(PROTOCOL_NAME, MQTT_VERSION_UNKNOWN, CLIENT, "10 . s'MQTX' 04 02 0000 s'a'"),
	R(PROTOCOL_NAME, MQTT_VERSION_UNKNOWN, CLIENT, "10 . s'mqtt' 04 02 0000 s'a'"),
	R(PROTOCOL_NAME, MQTT_VERSION_UNKNOWN, CLIENT, "10 . s'' 04 02 0000 s'a'"),
	R(PROTOCOL_LEVEL, MQTT_VERSION_UNKNOWN, CLIENT, "10 . s'MQTT' 06 02 0000 () s'a'"),
	R(PROTOCOL_LEVEL, MQTT_VERSION_UNKNOWN, CLIENT, "10 . s'MQTT' 85 02 0000 () s'a'"),
	R(PROTOCOL_LEVEL, MQTT_VERSION_UNKNOWN, CLIENT, "10 . s'MQIsdp' 02 02 0000 s'a'"),
	R(PROTOCOL_LEVEL, MQTT_3_1, CLIENT, "10 . s'MQTT' 03 02 0000 s'a'"),
	R(PROTOCOL_LEVEL, MQTT_3_1_1, CLIENT, "10 . s'MQIsdp' 04 02 0000 s'a'"),
	R(PROTOCOL_LEVEL, MQTT_5, CLIENT, "10 . s'MQIsdp' 05 02 0000 () s'a'"),
	R(CONNECT_FLAG, MQTT_5, CLIENT, "10 . s'MQTT' 05 03 0000 () s'a'"),
	R(CONNECT_FLAG, MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 01 0000 s'a'"),
	R(WILL_QOS, MQTT_5, CLIENT, "10 . s'MQTT' 05 1E 0000 () s'a' () s't' s'w'"),
	R(WILL_QOS, MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 1E 0000 s'a' s't' s'w'"),
	R(WILL_QOS, MQTT_3_1, CLIENT, "10 . s'MQIsdp' 03 1E 0000 s'a' s't' s'w'"),
	R(WILL_QOS_ALONE, MQTT_5, CLIENT, "10 . s'MQTT' 05 0A 0000 () s'a'"),
	R(WILL_QOS_ALONE, MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 12 0000 s'a'"),
	R(WILL_RETAIN_ALONE, MQTT_5, CLIENT, "10 . s'MQTT' 05 22 0000 () s'a'"),
	R(WILL_RETAIN_ALONE, MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 22 0000 s'a'"),
	R(PASSWORD_ALONE, MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 42 0000 s'a' s'p'"),
	R(PASSWORD_ALONE, MQTT_3_1, CLIENT, "10 . s'MQIsdp' 03 42 0000 s'a' s'p'"),
	R(CLIENT_ID, MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 00 0000 s''"),
	R(CLIENT_ID, MQTT_3_1, CLIENT, "10 . s'MQIsdp' 03 02 0000 s''"),
	R(TOPIC_EMPTY, MQTT_5, CLIENT, "10 . s'MQTT' 05 06 0000 () s'a' () s'' s'w'"),
	R(TOPIC_WILDCARD, MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 06 0000 s'a' s'a/#' s'w'"),
	R(CONNACK_FLAGS, MQTT_5, SERVER, "20 . 0200 ()"),
	R(CONNACK_FLAGS, MQTT_3_1_1, SERVER, "20 . 8100"),
	R(SESSION_PRESENT, MQTT_5, SERVER, "20 . 0187 ()"),
	R(SESSION_PRESENT, MQTT_3_1_1, SERVER, "20 . 0105"),
	R(CONNACK_REASON, MQTT_5, SERVER, "20 . 0001 ()"),
	R(CONNACK_REASON, MQTT_5, SERVER, "20 . 008E ()"),
	R(CONNACK_REASON, MQTT_3_1_1, SERVER, "20 . 0006"),
	/* PUBLISH and its acknowledgements. */
	R(QOS, MQTT_5, CLIENT, "36 . s'a' 0001 ()"),
	R(QOS, MQTT_3_1_1, SERVER, "36 . s'a' 0001"),
	R(QOS, MQTT_3_1, CLIENT, "3E . s'a' 0001"),
	R(DUP, MQTT_5, CLIENT, "38 . s'a' ()"),
	R(DUP, MQTT_3_1_1, SERVER, "38 . s'a'"),
	R(TOPIC_WILDCARD, MQTT_5, CLIENT, "30 . s'a/+' ()"),
	R(TOPIC_WILDCARD, MQTT_3_1_1, CLIENT, "30 . s'#'"),
	R(TOPIC_WILDCARD, MQTT_3_1_1, CLIENT, "30 . s'longer/than/eight#'"),
	R(TOPIC_EMPTY, MQTT_3_1_1, CLIENT, "30 . s''"),
	R(TOPIC_EMPTY, MQTT_3_1, CLIENT, "30 . s''"),
	R(TOPIC_MISSING, MQTT_5, CLIENT, "30 . s'' ()"),
	R(TOPIC_LEVELS, MQTT_5, CLIENT, "30 . s'1/2/3/4/5/6/7/8/9' ()"),
	R(TOPIC_LEVELS, MQTT_3_1_1, CLIENT, "30 . s'////////'"),
	R(PUBACK_REASON, MQTT_5, CLIENT, "40 . 0001 92"),
	R(PUBACK_REASON, MQTT_5, SERVER, "40 . 0001 01 ()"),
	R(PUBREC_REASON, MQTT_5, CLIENT, "50 . 0001 92"),
	R(PUBREL_REASON, MQTT_5, CLIENT, "62 . 0001 80"),
	R(PUBCOMP_REASON, MQTT_5, CLIENT, "70 . 0001 10"),
	/* SUBSCRIBE, UNSUBSCRIBE and their acknowledgements. */
	R(SUBSCRIBE_EMPTY, MQTT_5, CLIENT, "82 . 0001 ()"),
	R(SUBSCRIBE_EMPTY, MQTT_3_1_1, CLIENT, "82 . 0001"),
	R(OPTIONS_RESERVED, MQTT_5, CLIENT, "82 . 0001 () s'a' 40"),
	R(OPTIONS_RESERVED, MQTT_5, CLIENT, "82 . 0001 () s'a' 00 s'b' 80"),
	R(OPTIONS_RESERVED, MQTT_3_1_1, CLIENT, "82 . 0001 s'a' 04"),
	R(OPTIONS_QOS, MQTT_5, CLIENT, "82 . 0001 () s'a' 03"),
	R(OPTIONS_QOS, MQTT_3_1_1, CLIENT, "82 . 0001 s'a' 03"),
	R(RETAIN_HANDLING, MQTT_5, CLIENT, "82 . 0001 () s'a' 30"),
	R(NO_LOCAL, MQTT_5, CLIENT, "82 . 0001 () s'$share/g/a' 04"),
	R(FILTER_EMPTY, MQTT_5, CLIENT, "82 . 0001 () s'' 00"),
	R(FILTER_EMPTY, MQTT_3_1_1, CLIENT, "A2 . 0001 s'a' s''"),
	R(FILTER_HASH, MQTT_5, CLIENT, "82 . 0001 () s'a/#/b' 00"),
	R(FILTER_HASH, MQTT_3_1_1, CLIENT, "82 . 0001 s'a#' 00"),
	R(FILTER_PLUS, MQTT_5, CLIENT, "82 . 0001 () s'a/b+' 00"),
	R(FILTER_PLUS, MQTT_3_1_1, CLIENT, "A2 . 0001 s'ab/+e'"),
	R(SHARE_NAME, MQTT_5, CLIENT, "82 . 0001 () s'$share//a' 00"),
	R(SHARE_NAME, MQTT_3_1_1, CLIENT, "82 . 0001 s'$share/' 00"),
	R(SHARE_FILTER, MQTT_5, CLIENT, "82 . 0001 () s'$share/g' 00"),
	R(SHARE_FILTER, MQTT_5, CLIENT, "82 . 0001 () s'$share/g/' 00"),
	R(SHARE_FILTER, MQTT_3_1_1, CLIENT, "82 . 0001 s'$share/+/a' 00"),
	R(SUBACK_EMPTY, MQTT_5, SERVER, "90 . 0001 ()"),
	R(SUBACK_EMPTY, MQTT_3_1_1, SERVER, "90 . 0001"),
	R(SUBACK_REASON, MQTT_5, SERVER, "90 . 0001 () 00 03"),
	R(SUBACK_REASON, MQTT_3_1_1, SERVER, "90 . 0001 87"),
	R(UNSUBSCRIBE_EMPTY, MQTT_5, CLIENT, "A2 . 0001 ()"),
	R(UNSUBSCRIBE_EMPTY, MQTT_3_1_1, CLIENT, "A2 . 0001"),
	R(UNSUBACK_EMPTY, MQTT_5, SERVER, "B0 . 0001 ()"),
	R(UNSUBACK_REASON, MQTT_5, SERVER, "B0 . 0001 () 01"),
	/* DISCONNECT, AUTH. */
	R(DISCONNECT_REASON, MQTT_5, CLIENT, "E0 . 8E"),
	R(DISCONNECT_REASON, MQTT_5, CLIENT, "E0 . 01 ()"),
	R(DISCONNECT_REASON, MQTT_5, SERVER, "E0 . 04"),
	R(AUTH_REASON, MQTT_5, CLIENT, "F0 ."),
	R(AUTH_REASON, MQTT_5, SERVER, "F0 . 19 (15 s'm')"),
};
#define COUNT (sizeof(refusals) / sizeof(refusals[0]))

static struct mqtt_peer peer_of(const struct refusal *r)
{
	return (struct mqtt_peer){ .version = r->version, .server = r->sender == SERVER, .topic_alias_max = 8, .levels_max = 8 };
}

/* [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.5-1] [MQTT-1.5.7-1] [MQTT-2.1.3-1] [MQTT-2.2.1-3] [MQTT-3.1.2-1] [MQTT-3.1.2-2] [MQTT-3.1.2-3]
 * [MQTT-3.1.2-9] [MQTT-3.1.2-11] [MQTT-3.1.2-12] [MQTT-3.1.2-13] [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.2-18] [MQTT-3.1.2-19]
 * [MQTT-3.1.3-3] [MQTT-3.1.3-4] [MQTT-3.1.3-11] [MQTT-3.1.3-12] [MQTT-3.1.4-1] [MQTT-3.3.1-4] [MQTT-3.3.2-1] [MQTT-3.3.2-2]
 * [MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.3.2-14] [MQTT-3.3.4-6] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.8.3-1] [MQTT-3.8.3-2]
 * [MQTT-3.8.3-4] [MQTT-3.8.3-5] [MQTT-3.10.1-1] [MQTT-3.10.3-1] [MQTT-3.10.3-2] [MQTT-3.14.1-1] [MQTT-3.14.2-2] [MQTT-3.15.1-1]
 * [MQTT-4.7.0-1] [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.8.2-1] [MQTT-4.8.2-2]
 * [MQTT311-1.5.3-1] [MQTT311-1.5.3-2] [MQTT311-2.2.2-1] [MQTT311-2.2.2-2] [MQTT311-2.3.1-1] [MQTT311-3.1.2-1] [MQTT311-3.1.2-3]
 * [MQTT311-3.1.2-9] [MQTT311-3.1.2-11] [MQTT311-3.1.2-13] [MQTT311-3.1.2-14] [MQTT311-3.1.2-15] [MQTT311-3.1.2-18] [MQTT311-3.1.2-19]
 * [MQTT311-3.1.2-20] [MQTT311-3.1.2-21] [MQTT311-3.1.2-22] [MQTT311-3.1.3-3] [MQTT311-3.1.3-4] [MQTT311-3.1.3-7] [MQTT311-3.1.3-10]
 * [MQTT311-3.1.3-11] [MQTT311-3.1.4-1] [MQTT311-3.3.1-4] [MQTT311-3.3.2-1] [MQTT311-3.3.2-2] [MQTT311-3.6.1-1] [MQTT311-3.8.1-1]
 * [MQTT311-3.8.3-1] [MQTT311-3.8.3-3] [MQTT311-3.8.3-4] [MQTT311-3.10.1-1] [MQTT311-3.10.3-1] [MQTT311-3.10.3-2] [MQTT311-3.14.1-1]
 * [MQTT311-4.7.1-1] [MQTT311-4.7.1-2] [MQTT311-4.7.1-3] [MQTT311-4.7.3-1] [MQTT311-4.7.3-2] */
static void every_refusal(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		const struct refusal *r = &refusals[i];
		struct mqtt_peer from = peer_of(r);
		struct any_packet packet;
		struct buf bytes = { 0 };
		struct mqtt_frame f;
		struct mqtt_error e = { 0 };
		unsigned version;

		packet_text(&bytes, r->packet);
		version = (uint8_t)bytes.p[0] >> 4 == MQTT_CONNECT && r->sender == CLIENT ? MQTT_VERSION_UNKNOWN : r->version;
		enum mqtt_frame_result got = mqtt_frame_next(version, bytes.p, bytes.n, 0, &f);
		if (got == MQTT_FRAME_BAD)
			e = f.error;
		else if (got == MQTT_FRAME_MORE || any_decode(&f, &from, &packet, &e))
			fail_msg("taken: %s", r->packet);
		if (e.rule != r->rule || strcmp(e.why, mqtt_rule_text(r->version, r->rule)) != 0)
			fail_msg("%s: rule %d, %s; expected %s", r->packet, e.rule, e.why, mqtt_rule_text(r->version, r->rule));
		assert_true(e.reason >= 0x80);
		/* The version to answer in. */
		if (f.type == MQTT_CONNECT && got == MQTT_FRAME_WHOLE && r->sender == CLIENT)
			assert_int_equal(packet.connect.version, r->version);
		buf_fini(&bytes);
	}
}

/* Rules that no single packet breaks, or only with other settings of the peer: mqtt_frame_test, mqtt_packets_test, mqtt_topic_test. */
static bool tested_elsewhere(unsigned rule)
{
	return rule == MQTT_RULE_TOO_LARGE || rule == MQTT_RULE_CONTROL || rule == MQTT_RULE_TOPIC_LONG || rule == MQTT_RULE_FILTER_LEVELS;
}

/* A packet whose version is not known stands for all. */
static bool has_case(unsigned rule, unsigned version)
{
	for (size_t i = 0; i < COUNT; i++)
		if (refusals[i].rule == rule && (refusals[i].version == version || refusals[i].version == MQTT_VERSION_UNKNOWN))
			return true;
	return false;
}

static void no_rule_is_left_out(void **state)
{
	static const uint8_t versions[] = { MQTT_3_1_1, MQTT_5 };

	(void)state;
	for (unsigned rule = 1; rule < MQTT_RULE_COUNT; rule++)
		for (size_t i = 0; i < 2; i++) {
			const char *text = mqtt_rule_text(versions[i], rule);

			if (text[0] != '-' && !tested_elsewhere(rule) && !has_case(rule, versions[i]))
				fail_msg("no packet of version %d breaks: %s", versions[i], text);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_refusal), cmocka_unit_test(no_rule_is_left_out) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
