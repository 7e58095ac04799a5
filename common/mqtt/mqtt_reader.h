/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_reader: the codec's cursor over a packet's body. The first rule that is broken stays in `bad`; from then on everything read is 0
 * or empty, so that a decoder reads straight on and looks once at its end. For common/mqtt only. */
#ifndef COMMON_MQTT_MQTT_READER_H
#define COMMON_MQTT_MQTT_READER_H

#include "common/mqtt/mqtt_frame.h"
#include "common/mqtt/mqtt_rule.h"

struct mqtt_reader {
	const uint8_t *p, *end;
	enum mqtt_rule bad;
	bool refuse_controls;
};

static inline struct mqtt_reader mqtt_reader_of(struct str s, bool refuse_controls)
{
	const uint8_t *p = (const uint8_t *)(s.p ? s.p : "");

	return (struct mqtt_reader){ p, p + s.n, MQTT_RULE_NONE, refuse_controls };
}

static inline size_t mqtt_reader_left(const struct mqtt_reader *r)
{
	return (size_t)(r->end - r->p);
}

/* The first one stays; nothing is left to read. */
static inline void mqtt_reader_fail(struct mqtt_reader *r, enum mqtt_rule rule)
{
	if (!r->bad)
		r->bad = rule;
	r->p = r->end;
}

static inline struct str mqtt_reader_bytes(struct mqtt_reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (mqtt_reader_left(r) < n) {
		mqtt_reader_fail(r, MQTT_RULE_SHORT);
		return (struct str){ NULL, 0 };
	}
	r->p += n;
	return str_make(p, n);
}

static inline uint8_t mqtt_reader_u8(struct mqtt_reader *r)
{
	struct str s = mqtt_reader_bytes(r, 1);

	return s.p ? (uint8_t)s.p[0] : 0;
}

static inline uint16_t mqtt_reader_u16(struct mqtt_reader *r)
{
	struct str s = mqtt_reader_bytes(r, 2);

	return s.p ? (uint16_t)((uint8_t)s.p[0] << 8 | (uint8_t)s.p[1]) : 0;
}

static inline uint32_t mqtt_reader_u32(struct mqtt_reader *r)
{
	uint32_t high = mqtt_reader_u16(r);

	return high << 16 | mqtt_reader_u16(r);
}

/* Binary Data, 1.5.6. Not NULL unless it failed. */
static inline struct str mqtt_reader_binary(struct mqtt_reader *r)
{
	size_t n = mqtt_reader_u16(r);

	return mqtt_reader_bytes(r, n);
}

uint32_t mqtt_reader_varint(struct mqtt_reader *r);
/* UTF-8 Encoded String, 1.5.4. */
struct str mqtt_reader_string(struct mqtt_reader *r);
/* A packet identifier, not 0. */
uint16_t mqtt_reader_packet_id(struct mqtt_reader *r);

/* MQTT_RULE_NONE, or what is wrong with a string. */
enum mqtt_rule mqtt_string_check(struct str s, bool refuse_controls);

#endif
