/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_writer: how the codec writes: sizes first, then bytes into room that was made for all of them. Each function returns the end of
 * what it wrote. For common/mqtt only. */
#ifndef COMMON_MQTT_MQTT_WRITER_H
#define COMMON_MQTT_MQTT_WRITER_H

#include "common/mqtt/mqtt_packet.h"

static inline uint8_t *mqtt_put_u8(uint8_t *w, unsigned value)
{
	*w = (uint8_t)value;
	return w + 1;
}

static inline uint8_t *mqtt_put_u16(uint8_t *w, unsigned value)
{
	w[0] = (uint8_t)(value >> 8);
	w[1] = (uint8_t)value;
	return w + 2;
}

static inline uint8_t *mqtt_put_u32(uint8_t *w, uint32_t value)
{
	return mqtt_put_u16(mqtt_put_u16(w, value >> 16), value & 0xFFFF);
}

static inline uint8_t *mqtt_put_bytes(uint8_t *w, struct str s)
{
	if (s.n)
		memcpy(w, s.p, s.n);
	return w + s.n;
}

/* With its length before it: a string, or binary data. */
static inline uint8_t *mqtt_put_str(uint8_t *w, struct str s)
{
	return mqtt_put_bytes(mqtt_put_u16(w, (unsigned)s.n), s);
}

/* A packet in the making: what its encoder says, and below what mqtt_draft_begin makes of it. */
struct mqtt_draft {
	struct buf *out;
	const struct mqtt_peer *to;
	uint8_t first;                  /* the first byte */
	uint8_t type;                   /* whose properties they are */
	bool may_shorten;               /* without properties it has no length of them either, */
	uint8_t shortened_by;           /* and so many bytes less of the others: a reason code of 0 */
	size_t others;                  /* bytes of the body that are neither properties nor their length */
	const struct mqtt_props *props; /* NULL: this packet never has any */

	bool short_form;   /* it is shortened */
	uint64_t has;      /* the properties that are written */
	size_t props_size; /* their bytes, without the length */
	size_t body, size; /* Remaining Length; bytes of the packet */
};

/* Chooses the properties that fit, makes room, and writes the fixed header: where the body begins. NULL: see mqtt_encode.h. */
uint8_t *mqtt_draft_begin(struct mqtt_draft *d);
/* The length and the properties, if it has them. */
uint8_t *mqtt_draft_props(const struct mqtt_draft *d, uint8_t *w);
/* All is written: appends it. Returns its size. */
size_t mqtt_draft_end(const struct mqtt_draft *d);

#endif
