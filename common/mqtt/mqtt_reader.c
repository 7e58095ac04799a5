/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_reader.h"

#include "common/text/utf8.h"

uint32_t mqtt_reader_varint(struct mqtt_reader *r)
{
	uint32_t value = 0;
	size_t bytes = mqtt_varint_read(r->p, mqtt_reader_left(r), &value);

	if (bytes == 0) {
		mqtt_reader_fail(r, MQTT_RULE_SHORT);
		return 0;
	}
	if (bytes > 4) {
		mqtt_reader_fail(r, MQTT_RULE_LENGTH_BYTES);
		return 0;
	}
	if (bytes > 1 && r->p[bytes - 1] == 0) {
		mqtt_reader_fail(r, MQTT_RULE_LENGTH_OVERLONG);
		return 0;
	}
	r->p += bytes;
	return value;
}

/* How many bytes at the front are ASCII and not NUL, eight at a time: subtracting 1 sets the top bit of a byte that is 0. */
static size_t plain_run(struct str s)
{
	size_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		uint64_t word;

		memcpy(&word, s.p + i, 8);
		if ((word | (word - 0x0101010101010101u)) & 0x8080808080808080u)
			break;
	}
	while (i < s.n && (uint8_t)(s.p[i] - 1) < 0x7F)
		i++;
	return i;
}

/* Section 1.5.4: U+0001 to U+001F, U+007F to U+009F, and the non-characters of Unicode. */
static bool has_controls(struct str s)
{
	uint32_t cp = 0;

	for (size_t i = 0, length; i < s.n; i += length) {
		length = utf8_decode(s.p + i, s.n - i, &cp);
		if (length == 0 || cp < 0x20 || (cp >= 0x7F && cp <= 0x9F) || (cp >= 0xFDD0 && cp <= 0xFDEF) || (cp & 0xFFFE) == 0xFFFE)
			return true;
	}
	return false;
}

enum mqtt_rule mqtt_string_check(struct str s, bool refuse_controls)
{
	size_t plain = plain_run(s);
	struct str rest = str_make(s.p + plain, s.n - plain);

	if (rest.n && memchr(rest.p, 0, rest.n))
		return MQTT_RULE_NUL;
	if (rest.n && !utf8_valid(rest))
		return MQTT_RULE_UTF8;
	return refuse_controls && has_controls(s) ? MQTT_RULE_CONTROL : MQTT_RULE_NONE;
}

struct str mqtt_reader_string(struct mqtt_reader *r)
{
	struct str s = mqtt_reader_binary(r);
	enum mqtt_rule rule = s.n ? mqtt_string_check(s, r->refuse_controls) : MQTT_RULE_NONE;

	if (!rule)
		return s;
	mqtt_reader_fail(r, rule);
	return (struct str){ NULL, 0 };
}

uint16_t mqtt_reader_packet_id(struct mqtt_reader *r)
{
	uint16_t id = mqtt_reader_u16(r);

	if (id == 0)
		mqtt_reader_fail(r, MQTT_RULE_PACKET_ID);
	return id;
}
