/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_frame.h"

#include "common/mqtt/mqtt_rule.h"

/* Table 2-2. PUBLISH has flags of its own, and CONNECT's are looked at when its version is known: 3.1 leaves them unused. */
static const struct {
	bool any;
	uint8_t flags;
	uint8_t rule; /* that other flags break */
} types[16] = {
	[MQTT_CONNECT] = { .any = true },
	[MQTT_CONNACK] = { .rule = MQTT_RULE_FLAGS },
	[MQTT_PUBLISH] = { .any = true },
	[MQTT_PUBACK] = { .rule = MQTT_RULE_FLAGS },
	[MQTT_PUBREC] = { .rule = MQTT_RULE_FLAGS },
	[MQTT_PUBREL] = { .flags = 2, .rule = MQTT_RULE_FLAGS_PUBREL },
	[MQTT_PUBCOMP] = { .rule = MQTT_RULE_FLAGS },
	[MQTT_SUBSCRIBE] = { .flags = 2, .rule = MQTT_RULE_FLAGS_SUBSCRIBE },
	[MQTT_SUBACK] = { .rule = MQTT_RULE_FLAGS },
	[MQTT_UNSUBSCRIBE] = { .flags = 2, .rule = MQTT_RULE_FLAGS_UNSUBSCRIBE },
	[MQTT_UNSUBACK] = { .rule = MQTT_RULE_FLAGS },
	[MQTT_PINGREQ] = { .rule = MQTT_RULE_FLAGS },
	[MQTT_PINGRESP] = { .rule = MQTT_RULE_FLAGS },
	[MQTT_DISCONNECT] = { .rule = MQTT_RULE_FLAGS_DISCONNECT },
	[MQTT_AUTH] = { .rule = MQTT_RULE_FLAGS_AUTH },
};

size_t mqtt_varint_size(size_t value)
{
	if (value > MQTT_VARINT_MAX)
		return 0;
	return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}

size_t mqtt_varint_write(uint32_t value, uint8_t *out)
{
	size_t n = 0;

	for (; value >= 128; value >>= 7)
		out[n++] = (uint8_t)(value | 0x80);
	out[n++] = (uint8_t)value;
	return n;
}

size_t mqtt_varint_read(const void *p, size_t n, uint32_t *out)
{
	const uint8_t *u = p;
	uint32_t value = 0;

	for (size_t i = 0; i < 4; i++) {
		if (i == n)
			return 0;
		value |= (uint32_t)(u[i] & 0x7F) << (7 * i);
		if (u[i] < 0x80) {
			*out = value;
			return i + 1;
		}
	}
	return 5;
}

/* The first byte. */
static enum mqtt_rule check_type(unsigned version, unsigned type, unsigned flags)
{
	if (type == 0 || (type == MQTT_AUTH && (version == MQTT_3_1 || version == MQTT_3_1_1)))
		return MQTT_RULE_TYPE_RESERVED;
	if (version == MQTT_VERSION_UNKNOWN && type != MQTT_CONNECT)
		return MQTT_RULE_FIRST_PACKET;
	/* 3.1 section 2.1: DUP, and QoS where it is not said to be used, have no meaning. */
	if (!types[type].any && version != MQTT_3_1 && flags != types[type].flags)
		return types[type].rule;
	return MQTT_RULE_NONE;
}

static enum mqtt_frame_result bad(unsigned version, struct mqtt_frame *frame, enum mqtt_rule rule)
{
	mqtt_refuse(&frame->error, version, rule);
	return MQTT_FRAME_BAD;
}

enum mqtt_frame_result mqtt_frame_next(unsigned version, const void *p, size_t n, size_t packet_max, struct mqtt_frame *frame)
{
	const uint8_t *u = p;
	uint32_t length;
	enum mqtt_rule rule;

	*frame = (struct mqtt_frame){ 0 };
	if (n == 0)
		return MQTT_FRAME_MORE;
	frame->type = u[0] >> 4;
	frame->flags = u[0] & 0x0F;
	rule = check_type(version, frame->type, frame->flags);
	if (rule)
		return bad(version, frame, rule);
	size_t bytes = mqtt_varint_read(u + 1, n - 1, &length);
	if (bytes == 0)
		return MQTT_FRAME_MORE;
	if (bytes > 4)
		return bad(version, frame, MQTT_RULE_LENGTH_BYTES);
	/* Only 5.0 forbids that. A CONNECT may be of any version: its reader looks. */
	frame->overlong = bytes > 1 && u[bytes] == 0;
	if (frame->overlong && version == MQTT_5)
		return bad(version, frame, MQTT_RULE_LENGTH_OVERLONG);
	frame->head = (uint8_t)(1 + bytes);
	frame->size = frame->head + (size_t)length;
	if (packet_max && frame->size > packet_max)
		return bad(version, frame, MQTT_RULE_TOO_LARGE);
	if (n < frame->size)
		return MQTT_FRAME_MORE;
	frame->body = str_make(u + frame->head, length);
	return MQTT_FRAME_WHOLE;
}
