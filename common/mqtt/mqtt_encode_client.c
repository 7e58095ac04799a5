/* SPDX-License-Identifier: Apache-2.0
 *
 * What a client sends. */
#include "common/mqtt/mqtt_encode.h"

#include "common/mqtt/mqtt_frame.h"
#include "common/mqtt/mqtt_props_table.h"
#include "common/mqtt/mqtt_writer.h"

static unsigned connect_flags(const struct mqtt_connect *p)
{
	unsigned flags = (p->has_username ? 0x80u : 0) | (p->has_password ? 0x40u : 0) | (p->clean ? 0x02u : 0);

	if (p->has_will)
		flags |= 0x04u | (unsigned)p->will.qos << 3 | (p->will.retain ? 0x20u : 0);
	return flags;
}

/* Bytes of the payload (3.1.3), those of the will's properties given. SIZE_MAX: a string is too long. */
static size_t connect_payload(const struct mqtt_connect *p, unsigned version, size_t will_props)
{
	size_t size = 2 + p->client_id.n;
	bool long_one = p->client_id.n > MQTT_STRING_MAX;

	if (p->has_will) {
		size += 4 + p->will.topic.n + p->will.payload.n;
		size += version == MQTT_5 ? mqtt_varint_size(will_props) + will_props : 0;
		long_one |= p->will.topic.n > MQTT_STRING_MAX || p->will.payload.n > MQTT_STRING_MAX;
	}
	if (p->has_username) {
		size += 2 + p->username.n;
		long_one |= p->username.n > MQTT_STRING_MAX;
	}
	if (p->has_password) {
		size += 2 + p->password.n;
		long_one |= p->password.n > MQTT_STRING_MAX;
	}
	return long_one ? SIZE_MAX : size;
}

static uint8_t *put_will(uint8_t *w, const struct mqtt_will *will, unsigned version, uint64_t has, size_t props_size)
{
	if (version == MQTT_5) {
		w += mqtt_varint_write((uint32_t)props_size, w);
		w = mqtt_props_write(w, &will->props, has);
	}
	return mqtt_put_str(mqtt_put_str(w, will->topic), will->payload);
}

size_t mqtt_encode_connect(struct buf *out, const struct mqtt_peer *to, const struct mqtt_connect *p)
{
	struct str name = p->version == MQTT_3_1 ? STR("MQIsdp") : STR("MQTT");
	struct mqtt_draft d = { .out = out, .to = to, .first = MQTT_CONNECT << 4, .type = MQTT_CONNECT, .props = &p->props };
	uint64_t will_has = p->has_will ? mqtt_props_of(p->will.props.has, MQTT_WILL) : 0;
	size_t will_props = mqtt_props_size(&p->will.props, will_has);
	size_t payload = will_props > MQTT_VARINT_MAX ? SIZE_MAX : connect_payload(p, p->version, will_props);

	if (payload == SIZE_MAX || p->version != to->version)
		return 0;
	d.others = 2 + name.n + 4 + payload;
	uint8_t *w = mqtt_draft_begin(&d);
	if (!w)
		return 0;
	w = mqtt_put_u8(mqtt_put_u8(mqtt_put_str(w, name), p->version | (p->bridge ? 0x80u : 0)), connect_flags(p));
	w = mqtt_draft_props(&d, mqtt_put_u16(w, p->keep_alive));
	w = mqtt_put_str(w, p->client_id);
	if (p->has_will)
		w = put_will(w, &p->will, p->version, will_has, will_props);
	if (p->has_username)
		w = mqtt_put_str(w, p->username);
	if (p->has_password)
		mqtt_put_str(w, p->password);
	return mqtt_draft_end(&d);
}

/* SUBSCRIBE and UNSUBSCRIBE. */
static size_t encode_filters(struct buf *out, const struct mqtt_peer *to, enum mqtt_type type, uint16_t packet_id, struct str payload,
                             const struct mqtt_props *props)
{
	struct mqtt_draft d = {
		.out = out, .to = to, .first = (uint8_t)(type << 4 | 2), .type = (uint8_t)type, .others = 2 + payload.n, .props = props
	};
	uint8_t *w = mqtt_draft_begin(&d);

	if (!w)
		return 0;
	mqtt_put_bytes(mqtt_draft_props(&d, mqtt_put_u16(w, packet_id)), payload);
	return mqtt_draft_end(&d);
}

size_t mqtt_encode_subscribe(struct buf *out, const struct mqtt_peer *to, const struct mqtt_subscribe *p)
{
	return encode_filters(out, to, MQTT_SUBSCRIBE, p->packet_id, p->payload, &p->props);
}

size_t mqtt_encode_unsubscribe(struct buf *out, const struct mqtt_peer *to, const struct mqtt_unsubscribe *p)
{
	return encode_filters(out, to, MQTT_UNSUBSCRIBE, p->packet_id, p->payload, &p->props);
}

bool mqtt_subscribe_add(struct buf *payload, unsigned version, const struct mqtt_subscription *s)
{
	unsigned options = s->qos;

	if (version == MQTT_5)
		options |= (s->no_local ? 4u : 0) | (s->retain_as_published ? 8u : 0) | (unsigned)s->retain_handling << 4;
	char *room = s->filter.n > MQTT_STRING_MAX ? NULL : buf_reserve(payload, 3 + s->filter.n);
	if (!room)
		return false;
	mqtt_put_u8(mqtt_put_str((uint8_t *)room, s->filter), options);
	buf_commit(payload, 3 + s->filter.n);
	return true;
}

bool mqtt_unsubscribe_add(struct buf *payload, struct str filter)
{
	char *room = filter.n > MQTT_STRING_MAX ? NULL : buf_reserve(payload, 2 + filter.n);

	if (!room)
		return false;
	mqtt_put_str((uint8_t *)room, filter);
	buf_commit(payload, 2 + filter.n);
	return true;
}
