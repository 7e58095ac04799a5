/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_props_table: table 2-4 of 5.0, for the codec's parts and its tests. */
#ifndef COMMON_MQTT_MQTT_PROPS_TABLE_H
#define COMMON_MQTT_MQTT_PROPS_TABLE_H

#include "common/mqtt/mqtt_props.h"
#include "common/mqtt/mqtt_reader.h"

enum mqtt_prop_kind {
	MQTT_PROP_NONE, /* no such property */
	MQTT_PROP_BYTE,
	MQTT_PROP_U16,
	MQTT_PROP_U32,
	MQTT_PROP_VARINT,
	MQTT_PROP_STRING,
	MQTT_PROP_BINARY,
	MQTT_PROP_PAIR
};

/* A will's properties count as a packet of the type that there is none of. */
#define MQTT_WILL 0

struct mqtt_prop_row {
	uint8_t kind;    /* enum mqtt_prop_kind */
	uint8_t refused; /* rule that is broken when a number is 0 (or, for a byte, above 1); MQTT_RULE_NONE: any value is taken */
	uint16_t offset; /* of the field in struct mqtt_props; none for VARINT and PAIR, which stay in `many` */
	uint32_t packets;
	uint32_t many; /* in which of them it may stand more than once */
	const char *name;
};
extern const struct mqtt_prop_row mqtt_prop_rows[MQTT_PROP_MAX + 1];

/* Reads the length and the properties of a packet of that type. A string or number that breaks its rule makes the reader fail. */
void mqtt_props_read(struct mqtt_reader *r, unsigned type, struct mqtt_props *out);

/* Bytes of those properties of p that are in `has`, encoded without their length. SIZE_MAX: one does not fit. */
size_t mqtt_props_size(const struct mqtt_props *p, uint64_t has);
/* Writes them to w, which has room. Returns the end. */
uint8_t *mqtt_props_write(uint8_t *w, const struct mqtt_props *p, uint64_t has);
/* Those of `has` that a packet of that type may have. */
uint64_t mqtt_props_of(uint64_t has, unsigned type);

#endif
