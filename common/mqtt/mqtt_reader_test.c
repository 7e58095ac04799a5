/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/mqtt/mqtt_for_test.h"

/* [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT311-1.5.3-1] [MQTT311-1.5.3-2] */
/* One byte of each value in each place of a string. */
static void mqtt_1_5_4_1_every_byte(void **state)
{
	char s[19];

	(void)state;
	for (unsigned value = 0; value < 256; value++)
		for (size_t at = 0; at < sizeof(s); at++) {
			enum mqtt_rule expected = value == 0 ? MQTT_RULE_NUL : value > 127 ? MQTT_RULE_UTF8 : MQTT_RULE_NONE;

			memset(s, 'a', sizeof(s));
			s[at] = (char)value;
			assert_int_equal(mqtt_string_check(str_make(s, sizeof(s)), false), expected);
		}
	assert_int_equal(mqtt_string_check((struct str){ NULL, 0 }, true), MQTT_RULE_NONE);
}

/* Section 1.5.4: a receiver may refuse them, and a broker may be told to. */
static void control_characters(void **state)
{
	static const char *const bad[] = { "\x01",     "a\x1F",        "abcdefgh\x7F", "\xC2\x80",
		                           "\xC2\x9F", "\xEF\xBF\xBF", "\xEF\xB7\x90", "\xF0\x9F\xBF\xBE" };
	static const char *const good[] = { " ~", "\xC2\xA0", "\xEF\xBF\xBD", "\xEF\xB7\xB0", "\xEF\xBB\xBF", "\xF0\x9F\x98\x80" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]) + sizeof(good) / sizeof(good[0]); i++) {
		bool is_bad = i < sizeof(bad) / sizeof(bad[0]);
		struct mqtt_publish p = { .topic = str_from(is_bad ? bad[i] : good[i - sizeof(bad) / sizeof(bad[0])]) };
		struct mqtt_peer peer = { .version = MQTT_5 };
		struct buf bytes = { 0 };
		struct any_packet packet;
		struct mqtt_error e;

		mqtt_encode_publish(&bytes, &peer, &p);
		assert_true(any_read(buf_str(&bytes), &peer, &packet, &e));
		peer.refuse_controls = true;
		assert_int_equal(any_read(buf_str(&bytes), &peer, &packet, &e), !is_bad);
		if (is_bad)
			assert_string_equal(e.why, "section 1.5.4 a string with a control character or a non-character");
		buf_fini(&bytes);
	}
}

/* What failed stays failed, with the first reason, and reads as nothing. */
static void first_failure_stays(void **state)
{
	struct mqtt_reader r = mqtt_reader_of(str_make("\0\5ab\0\1\0\1", 8), false);

	(void)state;
	assert_int_equal(mqtt_reader_left(&r), 8);
	assert_true(mqtt_reader_string(&r).p == NULL);
	assert_int_equal(r.bad, MQTT_RULE_NUL);
	assert_int_equal(mqtt_reader_left(&r), 0);
	assert_int_equal(mqtt_reader_u8(&r), 0);
	assert_int_equal(mqtt_reader_u32(&r), 0);
	assert_int_equal(mqtt_reader_varint(&r), 0);
	assert_int_equal(mqtt_reader_packet_id(&r), 0);
	assert_int_equal(r.bad, MQTT_RULE_NUL);
}

static void numbers(void **state)
{
	struct mqtt_reader r = mqtt_reader_of(str_make("\xFF\xFE\xFD\x01\x02\x03\x04\x80\x01\0\0z", 12), false);

	(void)state;
	assert_int_equal(mqtt_reader_u8(&r), 0xFF);
	assert_int_equal(mqtt_reader_u16(&r), 0xFEFD);
	assert_int_equal(mqtt_reader_u32(&r), 0x01020304);
	assert_int_equal(mqtt_reader_varint(&r), 128);
	assert_true(mqtt_reader_string(&r).p != NULL);
	assert_int_equal(mqtt_reader_left(&r), 1);
	assert_int_equal(mqtt_reader_u16(&r), 0);
	assert_int_equal(r.bad, MQTT_RULE_SHORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mqtt_1_5_4_1_every_byte),
		cmocka_unit_test(control_characters),
		cmocka_unit_test(first_failure_stays),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
