/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_props_table.h"
#include "common/mqtt/mqtt_writer.h"

size_t mqtt_props_size(const struct mqtt_props *p, uint64_t has)
{
	size_t size = 0;

	for (uint64_t left = has; left; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctzll(left);
		const struct mqtt_prop_row *row = &mqtt_prop_rows[id];
		struct str rest = p->many, text;
		struct mqtt_user_prop user;
		uint32_t value;

		switch (row->kind) {
		case MQTT_PROP_BYTE:
			size += 2;
			break;
		case MQTT_PROP_U16:
			size += 3;
			break;
		case MQTT_PROP_U32:
			size += 5;
			break;
		case MQTT_PROP_VARINT:
			while (mqtt_props_next_subscription_id(&rest, &value))
				size += 1 + mqtt_varint_size(value);
			break;
		case MQTT_PROP_PAIR:
			while (mqtt_props_next_user(&rest, &user))
				size += 5 + user.name.n + user.value.n;
			break;
		default:
			text = *(const struct str *)((const char *)p + row->offset);
			if (text.n > MQTT_STRING_MAX)
				return SIZE_MAX;
			size += 3 + text.n;
		}
	}
	return size;
}

/* Those of `many` that are subscription identifiers, or user properties. */
static uint8_t *write_many(uint8_t *w, struct str rest, unsigned id)
{
	struct mqtt_user_prop user;
	uint32_t value;

	if (id == MQTT_PROP_USER) {
		while (mqtt_props_next_user(&rest, &user))
			w = mqtt_put_str(mqtt_put_str(mqtt_put_u8(w, id), user.name), user.value);
		return w;
	}
	while (mqtt_props_next_subscription_id(&rest, &value)) {
		w = mqtt_put_u8(w, id);
		w += mqtt_varint_write(value, w);
	}
	return w;
}

uint8_t *mqtt_props_write(uint8_t *w, const struct mqtt_props *p, uint64_t has)
{
	for (uint64_t left = has; left; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctzll(left);
		const struct mqtt_prop_row *row = &mqtt_prop_rows[id];
		const void *field = (const char *)p + row->offset;

		switch (row->kind) {
		case MQTT_PROP_BYTE:
			w = mqtt_put_u8(mqtt_put_u8(w, id), *(const uint8_t *)field);
			break;
		case MQTT_PROP_U16:
			w = mqtt_put_u16(mqtt_put_u8(w, id), *(const uint16_t *)field);
			break;
		case MQTT_PROP_U32:
			w = mqtt_put_u32(mqtt_put_u8(w, id), *(const uint32_t *)field);
			break;
		case MQTT_PROP_VARINT:
		case MQTT_PROP_PAIR:
			w = write_many(w, p->many, id);
			break;
		default:
			w = mqtt_put_str(mqtt_put_u8(w, id), *(const struct str *)field);
		}
	}
	return w;
}

bool mqtt_props_add_user(struct buf *out, struct str name, struct str value)
{
	if (name.n > MQTT_STRING_MAX || value.n > MQTT_STRING_MAX || mqtt_string_check(name, false) || mqtt_string_check(value, false))
		return false;
	char *room = buf_reserve(out, 5 + name.n + value.n);
	if (!room)
		return false;
	mqtt_put_str(mqtt_put_str(mqtt_put_u8((uint8_t *)room, MQTT_PROP_USER), name), value);
	buf_commit(out, 5 + name.n + value.n);
	return true;
}

bool mqtt_props_add_subscription_id(struct buf *out, uint32_t id)
{
	char *room = id >= 1 && id <= MQTT_VARINT_MAX ? buf_reserve(out, 5) : NULL;

	if (!room)
		return false;
	uint8_t *w = mqtt_put_u8((uint8_t *)room, MQTT_PROP_SUBSCRIPTION_ID);
	buf_commit(out, 1 + mqtt_varint_write(id, w));
	return true;
}
