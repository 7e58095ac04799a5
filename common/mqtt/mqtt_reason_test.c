/* SPDX-License-Identifier: Apache-2.0
 *
 * Which side may send which reason code in which packet: the tables of sections 3.2 to 3.15, written down a second time. */
#include "common/mqtt/mqtt_reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define END 0xFF

static const struct {
	enum mqtt_type type;
	bool by_client, by_server;
	uint8_t codes[40];
} tables[] = {
	{ MQTT_CONNACK, false, true, { 0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A,
	                               0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F, END } },
	{ MQTT_PUBACK, true, true, { 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99, END } },
	{ MQTT_PUBREC, true, true, { 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99, END } },
	{ MQTT_PUBREL, true, true, { 0x00, 0x92, END } },
	{ MQTT_PUBCOMP, true, true, { 0x00, 0x92, END } },
	{ MQTT_SUBACK, false, true, { 0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2, END } },
	{ MQTT_UNSUBACK, false, true, { 0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91, END } },
	{ MQTT_DISCONNECT, true, false, { 0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, END } },
	{ MQTT_DISCONNECT, false, true, { 0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
	                                  0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2, END } },
	{ MQTT_AUTH, true, false, { 0x18, 0x19, END } },
	{ MQTT_AUTH, false, true, { 0x00, 0x18, END } },
};

static bool listed(unsigned code, unsigned type, bool by_server)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (tables[i].type != type || !(by_server ? tables[i].by_server : tables[i].by_client))
			continue;
		for (size_t k = 0; tables[i].codes[k] != END; k++)
			if (tables[i].codes[k] == code)
				return true;
	}
	return false;
}

/* [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2] [MQTT-3.11.3-2] [MQTT-3.14.2-1]
 * [MQTT-3.15.2-1] */
static void every_code_in_every_packet(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 256; code++)
		for (unsigned type = 1; type < 16; type++)
			for (int by_server = 0; by_server < 2; by_server++)
				if (mqtt_reason_allowed(code, type, by_server) != listed(code, type, by_server))
					fail_msg("%02X in %s by a %s", code, mqtt_type_name(type), by_server ? "server" : "client");
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(mqtt_reason_name(0, MQTT_PUBACK), "Success");
	assert_string_equal(mqtt_reason_name(0, MQTT_SUBACK), "Granted QoS 0");
	assert_string_equal(mqtt_reason_name(0, MQTT_DISCONNECT), "Normal disconnection");
	assert_string_equal(mqtt_reason_name(0x8E, MQTT_DISCONNECT), "Session taken over");
	assert_null(mqtt_reason_name(0x03, MQTT_SUBACK));
	assert_null(mqtt_reason_name(0x1FF, MQTT_SUBACK));
	for (unsigned code = 0; code < 256; code++) {
		bool used = false;

		for (unsigned type = 1; type < 16; type++)
			used |= mqtt_reason_allowed(code, type, true) || mqtt_reason_allowed(code, type, false);
		assert_int_equal(mqtt_reason_name(code, MQTT_PUBACK) != NULL, used);
	}
	assert_string_equal(mqtt_type_name(MQTT_AUTH), "AUTH");
	assert_string_equal(mqtt_type_name(MQTT_CONNECT), "CONNECT");
	assert_string_equal(mqtt_type_name(16), "reserved");
}

static void return_codes(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 6; code++) {
		int reason = mqtt_reason_from_return_code(code);

		assert_true(reason >= 0 && mqtt_reason_allowed((unsigned)reason, MQTT_CONNACK, true));
		assert_int_equal(mqtt_reason_to_return_code((unsigned)reason), code);
	}
	assert_int_equal(mqtt_reason_from_return_code(6), -1);
	assert_int_equal(mqtt_reason_to_return_code(MQTT_BANNED), 5);
	assert_int_equal(mqtt_reason_to_return_code(MQTT_SERVER_BUSY), 3);
	assert_int_equal(mqtt_reason_to_return_code(MQTT_PROTOCOL_ERROR), -1);
	assert_int_equal(mqtt_reason_to_return_code(0x03), -1);
	/* What is no refusal in CONNACK has no return code. */
	for (unsigned code = 1; code < 256; code++)
		if (mqtt_reason_to_return_code(code) >= 0)
			assert_true(mqtt_reason_allowed(code, MQTT_CONNACK, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_in_every_packet),
		cmocka_unit_test(names),
		cmocka_unit_test(return_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
