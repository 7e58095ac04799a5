/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_reason.h"

#include <stddef.h>

#define CONNACK    (1u << MQTT_CONNACK)
#define PUBACK     (1u << MQTT_PUBACK)
#define PUBREC     (1u << MQTT_PUBREC)
#define PUBREL     (1u << MQTT_PUBREL)
#define PUBCOMP    (1u << MQTT_PUBCOMP)
#define SUBACK     (1u << MQTT_SUBACK)
#define UNSUBACK   (1u << MQTT_UNSUBACK)
#define DISCONNECT (1u << MQTT_DISCONNECT)
#define AUTH       (1u << MQTT_AUTH)
/* For what both sides send. */
#define RECEIVED (PUBACK | PUBREC)
#define RELEASED (PUBREL | PUBCOMP)

/* Table 2-6, with the column "sent by" of the tables of DISCONNECT and AUTH. */
static const struct {
	uint8_t code;
	int8_t return_code; /* of CONNACK in 3.x */
	uint16_t client, server;
	const char *name;
} reasons[] = {
	{ 0x00, 0, RECEIVED | RELEASED | DISCONNECT, CONNACK | RECEIVED | RELEASED | SUBACK | UNSUBACK | DISCONNECT | AUTH, "Success" },
	{ 0x01, -1, 0, SUBACK, "Granted QoS 1" },
	{ 0x02, -1, 0, SUBACK, "Granted QoS 2" },
	{ 0x04, -1, DISCONNECT, 0, "Disconnect with Will Message" },
	{ 0x10, -1, RECEIVED, RECEIVED, "No matching subscribers" },
	{ 0x11, -1, 0, UNSUBACK, "No subscription existed" },
	{ 0x18, -1, AUTH, AUTH, "Continue authentication" },
	{ 0x19, -1, AUTH, 0, "Re-authenticate" },
	{ 0x80, -1, RECEIVED | DISCONNECT, CONNACK | RECEIVED | SUBACK | UNSUBACK | DISCONNECT, "Unspecified error" },
	{ 0x81, -1, DISCONNECT, CONNACK | DISCONNECT, "Malformed Packet" },
	{ 0x82, -1, DISCONNECT, CONNACK | DISCONNECT, "Protocol Error" },
	{ 0x83, -1, RECEIVED | DISCONNECT, CONNACK | RECEIVED | SUBACK | UNSUBACK | DISCONNECT, "Implementation specific error" },
	{ 0x84, 1, 0, CONNACK, "Unsupported Protocol Version" },
	{ 0x85, 2, 0, CONNACK, "Client Identifier not valid" },
	{ 0x86, 4, 0, CONNACK, "Bad User Name or Password" },
	{ 0x87, 5, RECEIVED, CONNACK | RECEIVED | SUBACK | UNSUBACK | DISCONNECT, "Not authorized" },
	{ 0x88, 3, 0, CONNACK, "Server unavailable" },
	{ 0x89, 3, 0, CONNACK | DISCONNECT, "Server busy" },
	{ 0x8A, 5, 0, CONNACK, "Banned" },
	{ 0x8B, -1, 0, DISCONNECT, "Server shutting down" },
	{ 0x8C, 4, 0, CONNACK | DISCONNECT, "Bad authentication method" },
	{ 0x8D, -1, 0, DISCONNECT, "Keep Alive timeout" },
	{ 0x8E, -1, 0, DISCONNECT, "Session taken over" },
	{ 0x8F, -1, 0, SUBACK | UNSUBACK | DISCONNECT, "Topic Filter invalid" },
	{ 0x90, -1, RECEIVED | DISCONNECT, CONNACK | RECEIVED | DISCONNECT, "Topic Name invalid" },
	{ 0x91, -1, RECEIVED, RECEIVED | SUBACK | UNSUBACK, "Packet Identifier in use" },
	{ 0x92, -1, RELEASED, RELEASED, "Packet Identifier not found" },
	{ 0x93, -1, DISCONNECT, DISCONNECT, "Receive Maximum exceeded" },
	{ 0x94, -1, DISCONNECT, DISCONNECT, "Topic Alias invalid" },
	{ 0x95, -1, DISCONNECT, CONNACK | DISCONNECT, "Packet too large" },
	{ 0x96, -1, DISCONNECT, DISCONNECT, "Message rate too high" },
	{ 0x97, 3, RECEIVED | DISCONNECT, CONNACK | RECEIVED | SUBACK | DISCONNECT, "Quota exceeded" },
	{ 0x98, -1, DISCONNECT, DISCONNECT, "Administrative action" },
	{ 0x99, -1, RECEIVED | DISCONNECT, CONNACK | RECEIVED | DISCONNECT, "Payload format invalid" },
	{ 0x9A, -1, 0, CONNACK | DISCONNECT, "Retain not supported" },
	{ 0x9B, -1, 0, CONNACK | DISCONNECT, "QoS not supported" },
	{ 0x9C, 3, 0, CONNACK | DISCONNECT, "Use another server" },
	{ 0x9D, 3, 0, CONNACK | DISCONNECT, "Server moved" },
	{ 0x9E, -1, 0, SUBACK | DISCONNECT, "Shared Subscriptions not supported" },
	{ 0x9F, 3, 0, CONNACK | DISCONNECT, "Connection rate exceeded" },
	{ 0xA0, -1, 0, DISCONNECT, "Maximum connect time" },
	{ 0xA1, -1, 0, SUBACK | DISCONNECT, "Subscription Identifiers not supported" },
	{ 0xA2, -1, 0, SUBACK | DISCONNECT, "Wildcard Subscriptions not supported" },
};
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

/* Its row, or REASONS. */
static size_t find(unsigned code)
{
	size_t i = 0;

	while (i < REASONS && reasons[i].code != code)
		i++;
	return i;
}

bool mqtt_reason_allowed(unsigned reason, enum mqtt_type type, bool by_server)
{
	size_t i = find(reason);

	return i < REASONS && ((by_server ? reasons[i].server : reasons[i].client) & 1u << type);
}

const char *mqtt_reason_name(unsigned reason, enum mqtt_type type)
{
	size_t i = find(reason);

	if (reason == MQTT_SUCCESS && type == MQTT_SUBACK)
		return "Granted QoS 0";
	if (reason == MQTT_SUCCESS && type == MQTT_DISCONNECT)
		return "Normal disconnection";
	return i < REASONS ? reasons[i].name : NULL;
}

int mqtt_reason_to_return_code(unsigned reason)
{
	size_t i = find(reason);

	return i < REASONS ? reasons[i].return_code : -1;
}

int mqtt_reason_from_return_code(unsigned code)
{
	static const uint8_t table[] = {
		MQTT_SUCCESS,       MQTT_UNSUPPORTED_VERSION, MQTT_CLIENT_ID_INVALID, MQTT_SERVER_UNAVAILABLE, MQTT_BAD_USER_OR_PASSWORD,
		MQTT_NOT_AUTHORIZED
	};

	return code < sizeof(table) ? table[code] : -1;
}

const char *mqtt_type_name(unsigned type)
{
	static const char *const names[] = { "reserved", "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
		                             "PUBREL",   "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
		                             "PINGREQ",  "PINGRESP", "DISCONNECT", "AUTH" };

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : names[0];
}
