/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_props_table.h"

#include "common/mqtt/mqtt_topic.h"

#define FORWARDED                                                                                                                          \
	(1ull << MQTT_PROP_PAYLOAD_FORMAT | 1ull << MQTT_PROP_CONTENT_TYPE | 1ull << MQTT_PROP_RESPONSE_TOPIC |                            \
	 1ull << MQTT_PROP_CORRELATION_DATA | 1ull << MQTT_PROP_USER)

/* One value. Returns the number that it is, 1 for text: what the row's rule looks at. */
static uint32_t read_value(struct mqtt_reader *r, const struct mqtt_prop_row *row, void *field)
{
	uint32_t number = 1;

	switch (row->kind) {
	case MQTT_PROP_BYTE:
		number = *(uint8_t *)field = mqtt_reader_u8(r);
		break;
	case MQTT_PROP_U16:
		number = *(uint16_t *)field = mqtt_reader_u16(r);
		break;
	case MQTT_PROP_U32:
		number = *(uint32_t *)field = mqtt_reader_u32(r);
		break;
	case MQTT_PROP_VARINT:
		number = mqtt_reader_varint(r);
		break;
	case MQTT_PROP_STRING:
		*(struct str *)field = mqtt_reader_string(r);
		break;
	case MQTT_PROP_BINARY:
		*(struct str *)field = mqtt_reader_binary(r);
		break;
	default:
		mqtt_reader_string(r);
		mqtt_reader_string(r);
	}
	return number;
}

static void read_one(struct mqtt_reader *r, unsigned type, struct mqtt_props *out)
{
	/* A Variable Byte Integer; of those in use all have one byte. */
	unsigned id = mqtt_reader_u8(r);
	const struct mqtt_prop_row *row = &mqtt_prop_rows[id <= MQTT_PROP_MAX ? id : 0];

	if (row->kind == MQTT_PROP_NONE) {
		mqtt_reader_fail(r, MQTT_RULE_PROP_UNKNOWN);
		return;
	}
	if (!(row->packets & 1u << type)) {
		mqtt_reader_fail(r, MQTT_RULE_PROP_FORBIDDEN);
		return;
	}
	if (out->has & 1ull << id && !(row->many & 1u << type)) {
		mqtt_reader_fail(r, MQTT_RULE_PROP_TWICE);
		return;
	}
	out->has |= 1ull << id;
	uint32_t number = read_value(r, row, (char *)out + row->offset);
	if (row->refused && (row->kind == MQTT_PROP_BYTE ? number > 1 : number == 0))
		mqtt_reader_fail(r, row->refused);
	if (id == MQTT_PROP_RESPONSE_TOPIC && !r->bad && !mqtt_topic_name_valid(out->response_topic, 0))
		mqtt_reader_fail(r, MQTT_RULE_RESPONSE_TOPIC);
}

static enum mqtt_rule read_all(struct str bytes, unsigned type, bool refuse_controls, struct mqtt_props *out)
{
	struct mqtt_reader r = mqtt_reader_of(bytes, refuse_controls);

	out->many = bytes;
	while (r.p < r.end)
		read_one(&r, type, out);
	return r.bad == MQTT_RULE_SHORT ? MQTT_RULE_PROP_LENGTH : r.bad;
}

void mqtt_props_read(struct mqtt_reader *r, unsigned type, struct mqtt_props *out)
{
	size_t size = mqtt_reader_varint(r);
	enum mqtt_rule rule = MQTT_RULE_PROP_LENGTH;

	*out = (struct mqtt_props){ 0 };
	if (size == 0)
		return;
	if (size <= mqtt_reader_left(r))
		rule = read_all(mqtt_reader_bytes(r, size), type, r->refuse_controls, out);
	if (rule)
		mqtt_reader_fail(r, rule);
}

bool mqtt_props_read_forwarded(struct str encoded, struct mqtt_props *out)
{
	*out = (struct mqtt_props){ 0 };
	return !read_all(encoded, MQTT_PUBLISH, false, out) && !(out->has & ~FORWARDED);
}

void mqtt_props_write_forwarded(struct buf *out, const struct mqtt_props *p)
{
	uint64_t has = p->has & FORWARDED;
	size_t size = mqtt_props_size(p, has);
	char *room = size == SIZE_MAX ? NULL : buf_reserve(out, size);

	if (!room) {
		out->overflow = true;
		return;
	}
	mqtt_props_write((uint8_t *)room, p, has);
	buf_commit(out, size);
}

static void skip_value(struct mqtt_reader *r, unsigned kind)
{
	static const uint8_t sizes[] = { [MQTT_PROP_BYTE] = 1, [MQTT_PROP_U16] = 2, [MQTT_PROP_U32] = 4 };

	if (kind <= MQTT_PROP_U32)
		mqtt_reader_bytes(r, sizes[kind]);
	else if (kind == MQTT_PROP_VARINT)
		mqtt_reader_varint(r);
	else
		mqtt_reader_binary(r);
	if (kind == MQTT_PROP_PAIR)
		mqtt_reader_binary(r);
}

/* The next property with that id, of bytes that were checked; the reader stands behind its id. */
static bool find_next(struct mqtt_reader *r, unsigned wanted)
{
	while (r->p < r->end) {
		unsigned id = mqtt_reader_u8(r);
		const struct mqtt_prop_row *row = &mqtt_prop_rows[id <= MQTT_PROP_MAX ? id : 0];

		if (id == wanted)
			return true;
		if (row->kind == MQTT_PROP_NONE)
			return false;
		skip_value(r, row->kind);
	}
	return false;
}

static bool keep_rest(struct str *rest, const struct mqtt_reader *r, bool found)
{
	found = found && !r->bad;
	*rest = found ? str_make(r->p, mqtt_reader_left(r)) : (struct str){ NULL, 0 };
	return found;
}

bool mqtt_props_next_user(struct str *rest, struct mqtt_user_prop *out)
{
	struct mqtt_reader r = mqtt_reader_of(*rest, false);
	bool found = find_next(&r, MQTT_PROP_USER);

	out->name = mqtt_reader_binary(&r);
	out->value = mqtt_reader_binary(&r);
	return keep_rest(rest, &r, found);
}

bool mqtt_props_next_subscription_id(struct str *rest, uint32_t *out)
{
	struct mqtt_reader r = mqtt_reader_of(*rest, false);
	bool found = find_next(&r, MQTT_PROP_SUBSCRIPTION_ID);

	*out = mqtt_reader_varint(&r);
	return keep_rest(rest, &r, found);
}

size_t mqtt_props_users(const struct mqtt_props *p)
{
	struct str rest = p->many;
	struct mqtt_user_prop user;
	size_t n = 0;

	while (mqtt_props_has(p, MQTT_PROP_USER) && mqtt_props_next_user(&rest, &user))
		n++;
	return n;
}

size_t mqtt_props_subscription_ids(const struct mqtt_props *p)
{
	struct str rest = p->many;
	size_t n = 0;
	uint32_t id;

	while (mqtt_props_has(p, MQTT_PROP_SUBSCRIPTION_ID) && mqtt_props_next_subscription_id(&rest, &id))
		n++;
	return n;
}
