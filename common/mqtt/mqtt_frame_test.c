/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/mqtt/mqtt_rule.h"

/* [MQTT-1.5.5-1] */
/* Table 1-1. */
static void mqtt_1_5_5_1_varints(void **state)
{
	static const struct {
		uint32_t value;
		uint8_t n, bytes[4];
	} table[] = {
		{ 0, 1, { 0x00 } },
		{ 127, 1, { 0x7F } },
		{ 128, 2, { 0x80, 0x01 } },
		{ 321, 2, { 0xC1, 0x02 } },
		{ 16383, 2, { 0xFF, 0x7F } },
		{ 16384, 3, { 0x80, 0x80, 0x01 } },
		{ 2097151, 3, { 0xFF, 0xFF, 0x7F } },
		{ 2097152, 4, { 0x80, 0x80, 0x80, 0x01 } },
		{ 268435455, 4, { 0xFF, 0xFF, 0xFF, 0x7F } },
	};
	uint8_t out[4], long_one[] = { 0x80, 0x80, 0x80, 0x80, 0x01 };
	uint32_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(mqtt_varint_size(table[i].value), table[i].n);
		assert_int_equal(mqtt_varint_write(table[i].value, out), table[i].n);
		assert_memory_equal(out, table[i].bytes, table[i].n);
		assert_int_equal(mqtt_varint_read(table[i].bytes, 4, &value), table[i].n);
		assert_int_equal(value, table[i].value);
		for (size_t n = 0; n < table[i].n; n++)
			assert_int_equal(mqtt_varint_read(table[i].bytes, n, &value), 0);
	}
	assert_int_equal(mqtt_varint_size(MQTT_VARINT_MAX + 1), 0);
	assert_int_equal(mqtt_varint_read(long_one, 5, &value), 5);
	assert_int_equal(mqtt_varint_read(long_one, 4, &value), 5);
	assert_int_equal(mqtt_varint_read(long_one, 3, &value), 0);
}

/* However it is cut, a packet is whole when its last byte is there. */
static void cut_anywhere(void **state)
{
	uint8_t stream[400] = { 0x30, 0xC8, 0x01 };
	struct mqtt_frame f;

	(void)state;
	for (size_t n = 0; n < 203; n++) {
		assert_int_equal(mqtt_frame_next(MQTT_5, stream, n, 0, &f), MQTT_FRAME_MORE);
		assert_int_equal(f.size, n < 3 ? 0 : 203);
	}
	for (size_t n = 203; n < 206; n++) {
		assert_int_equal(mqtt_frame_next(MQTT_5, stream, n, 0, &f), MQTT_FRAME_WHOLE);
		assert_int_equal(f.type, MQTT_PUBLISH);
		assert_int_equal(f.head, 3);
		assert_int_equal(f.size, 203);
		assert_ptr_equal(f.body.p, stream + 3);
		assert_int_equal(f.body.n, 200);
	}
}

/* [MQTT-3.2.2-15] */
/* A packet that is too large is refused before its body comes; one that is as large as allowed is taken. */
static void mqtt_3_2_2_15_too_large(void **state)
{
	static const uint8_t large[] = { 0x30, 0xC8, 0x01 }, largest[] = { 0x30, 0xFF, 0xFF, 0xFF, 0x7F };
	struct mqtt_frame f;

	(void)state;
	assert_int_equal(mqtt_frame_next(MQTT_5, large, 2, 10, &f), MQTT_FRAME_MORE);
	assert_int_equal(mqtt_frame_next(MQTT_5, large, 3, 202, &f), MQTT_FRAME_BAD);
	assert_int_equal(f.error.reason, MQTT_PACKET_TOO_LARGE);
	assert_int_equal(f.error.rule, MQTT_RULE_TOO_LARGE);
	assert_int_equal(mqtt_frame_next(MQTT_5, large, 3, 203, &f), MQTT_FRAME_MORE);
	assert_int_equal(mqtt_frame_next(MQTT_5, largest, 5, 0, &f), MQTT_FRAME_MORE);
	assert_int_equal(f.size, 5 + (size_t)MQTT_VARINT_MAX);
}

/* [MQTT-3.1.0-1] [MQTT311-3.1.0-1] */
/* Before CONNECT, one byte of anything else is enough. */
static void mqtt_3_1_0_1_first_packet(void **state)
{
	struct mqtt_frame f;

	(void)state;
	for (unsigned type = 0; type < 16; type++) {
		uint8_t byte = (uint8_t)(type << 4);
		enum mqtt_frame_result got = mqtt_frame_next(MQTT_VERSION_UNKNOWN, &byte, 1, 0, &f);

		assert_int_equal(got, type == MQTT_CONNECT ? MQTT_FRAME_MORE : MQTT_FRAME_BAD);
		assert_int_equal(f.type, type);
		if (type > 1)
			assert_string_equal(f.error.why, "[MQTT-3.1.0-1] the first packet is not CONNECT");
	}
}

/* [MQTT-2.1.3-1] [MQTT311-2.2.2-1] */
/* Every type with all sixteen flags. 3.1 gives them no meaning but in PUBLISH. */
static void mqtt_2_1_3_1_flags(void **state)
{
	struct mqtt_frame f;

	(void)state;
	for (unsigned byte = 0x20; byte < 256; byte++) {
		unsigned type = byte >> 4, flags = byte & 15;
		uint8_t packet[] = { (uint8_t)byte, 0 };
		unsigned wanted = type == MQTT_PUBREL || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE ? 2 : 0;
		bool good = type == MQTT_PUBLISH || flags == wanted;

		assert_int_equal(mqtt_frame_next(MQTT_5, packet, 2, 0, &f), good ? MQTT_FRAME_WHOLE : MQTT_FRAME_BAD);
		assert_int_equal(f.flags, flags);
		if (type == MQTT_AUTH)
			continue;
		assert_int_equal(mqtt_frame_next(MQTT_3_1_1, packet, 2, 0, &f), good ? MQTT_FRAME_WHOLE : MQTT_FRAME_BAD);
		assert_int_equal(mqtt_frame_next(MQTT_3_1, packet, 2, 0, &f), MQTT_FRAME_WHOLE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mqtt_1_5_5_1_varints),    cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(mqtt_3_2_2_15_too_large), cmocka_unit_test(mqtt_3_1_0_1_first_packet),
		cmocka_unit_test(mqtt_2_1_3_1_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
