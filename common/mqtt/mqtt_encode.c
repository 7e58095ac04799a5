/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server sends, and what both send; mqtt_encode_client.c has the rest. */
#include "common/mqtt/mqtt_encode.h"

#include "common/mqtt/mqtt_frame.h"
#include "common/mqtt/mqtt_reason.h"
#include "common/mqtt/mqtt_writer.h"

static uint8_t first_byte(enum mqtt_type type)
{
	return (uint8_t)(type << 4 | (type == MQTT_PUBREL ? 2u : 0u));
}

size_t mqtt_encode_connack(struct buf *out, const struct mqtt_peer *to, const struct mqtt_connack *p)
{
	struct mqtt_draft d = {
		.out = out, .to = to, .first = first_byte(MQTT_CONNACK), .type = MQTT_CONNACK, .others = 2, .props = &p->props
	};
	int code = to->version == MQTT_5 ? p->reason : mqtt_reason_to_return_code(p->reason);
	uint8_t *w = code < 0 ? NULL : mqtt_draft_begin(&d);

	if (!w)
		return 0;
	w = mqtt_put_u8(w, p->session_present && to->version != MQTT_3_1 && p->reason == MQTT_SUCCESS);
	mqtt_draft_props(&d, mqtt_put_u8(w, (unsigned)code));
	return mqtt_draft_end(&d);
}

size_t mqtt_encode_ack(struct buf *out, const struct mqtt_peer *to, enum mqtt_type type, const struct mqtt_ack *p)
{
	struct mqtt_draft d = { .out = out, .to = to, .first = first_byte(type), .type = (uint8_t)type, .others = 2 };
	bool reasons = to->version == MQTT_5;

	if (reasons) {
		d.others = 3;
		d.props = &p->props;
		d.may_shorten = true;
		d.shortened_by = p->reason == MQTT_SUCCESS;
	}
	uint8_t *w = mqtt_draft_begin(&d);
	if (!w)
		return 0;
	w = mqtt_put_u16(w, p->packet_id);
	if (reasons && !(d.short_form && d.shortened_by))
		w = mqtt_put_u8(w, p->reason);
	mqtt_draft_props(&d, w);
	return mqtt_draft_end(&d);
}

size_t mqtt_encode_short_ack(struct buf *out, const struct mqtt_peer *to, enum mqtt_type type, uint16_t packet_id, uint8_t reason)
{
	size_t body = reason != MQTT_SUCCESS && to->version == MQTT_5 ? 3 : 2;
	char *room = to->packet_max && to->packet_max < 2 + body ? NULL : buf_reserve(out, 2 + body);

	if (!room)
		return 0;
	uint8_t *w = mqtt_put_u8((uint8_t *)room, first_byte(type));
	w = mqtt_put_u16(mqtt_put_u8(w, (unsigned)body), packet_id);
	if (body == 3)
		*w = reason;
	buf_commit(out, 2 + body);
	return 2 + body;
}

static size_t encode_suback(struct buf *out, const struct mqtt_peer *to, enum mqtt_type type, const struct mqtt_suback *p)
{
	/* UNSUBACK before 5.0 is its packet identifier. */
	struct str reasons = type == MQTT_SUBACK || to->version == MQTT_5 ? p->reasons : (struct str){ NULL, 0 };
	struct mqtt_draft d = {
		.out = out, .to = to, .first = first_byte(type), .type = (uint8_t)type, .others = 2 + reasons.n, .props = &p->props
	};
	uint8_t *w = mqtt_draft_begin(&d);

	if (!w)
		return 0;
	w = mqtt_draft_props(&d, mqtt_put_u16(w, p->packet_id));
	mqtt_put_bytes(w, reasons);
	/* 3.1.1 section 3.9.3: one code for all failures. */
	for (size_t i = 0; to->version != MQTT_5 && i < reasons.n; i++)
		if (w[i] > MQTT_GRANTED_QOS_2)
			w[i] = MQTT_UNSPECIFIED_ERROR;
	return mqtt_draft_end(&d);
}

size_t mqtt_encode_suback(struct buf *out, const struct mqtt_peer *to, const struct mqtt_suback *p)
{
	return encode_suback(out, to, MQTT_SUBACK, p);
}

size_t mqtt_encode_unsuback(struct buf *out, const struct mqtt_peer *to, const struct mqtt_suback *p)
{
	return encode_suback(out, to, MQTT_UNSUBACK, p);
}

/* DISCONNECT and AUTH: a reason code and properties. AUTH with a reason code has a length of properties in any case (3.15.2.1). */
static size_t encode_reasoned(struct buf *out, const struct mqtt_peer *to, enum mqtt_type type, uint8_t reason,
                              const struct mqtt_props *props)
{
	struct mqtt_draft d = { .out = out, .to = to, .first = first_byte(type), .type = (uint8_t)type };
	bool reasons = to->version == MQTT_5;

	if (reasons) {
		d.others = 1;
		d.props = props;
		d.may_shorten = type == MQTT_DISCONNECT || reason == MQTT_SUCCESS;
		d.shortened_by = reason == MQTT_SUCCESS;
	}
	uint8_t *w = mqtt_draft_begin(&d);
	if (!w)
		return 0;
	if (reasons && !(d.short_form && d.shortened_by))
		w = mqtt_put_u8(w, reason);
	mqtt_draft_props(&d, w);
	return mqtt_draft_end(&d);
}

size_t mqtt_encode_disconnect(struct buf *out, const struct mqtt_peer *to, const struct mqtt_disconnect *p)
{
	/* Before 5.0 a server just closes. */
	return to->version == MQTT_5 || to->server ? encode_reasoned(out, to, MQTT_DISCONNECT, p->reason, &p->props) : 0;
}

size_t mqtt_encode_auth(struct buf *out, const struct mqtt_peer *to, const struct mqtt_auth *p)
{
	return to->version == MQTT_5 ? encode_reasoned(out, to, MQTT_AUTH, p->reason, &p->props) : 0;
}

size_t mqtt_encode_publish(struct buf *out, const struct mqtt_peer *to, const struct mqtt_publish *p)
{
	unsigned flags = (p->dup ? 8u : 0u) | (unsigned)p->qos << 1 | (p->retain ? 1u : 0u);
	struct mqtt_draft d = {
		.out = out, .to = to, .first = (uint8_t)(MQTT_PUBLISH << 4 | flags), .type = MQTT_PUBLISH, .props = &p->props
	};

	d.others = 2 + p->topic.n + (p->qos ? 2u : 0u) + p->payload.n;
	uint8_t *w = p->topic.n > MQTT_STRING_MAX ? NULL : mqtt_draft_begin(&d);
	if (!w)
		return 0;
	w = mqtt_put_str(w, p->topic);
	if (p->qos)
		w = mqtt_put_u16(w, p->packet_id);
	mqtt_put_bytes(mqtt_draft_props(&d, w), p->payload);
	return mqtt_draft_end(&d);
}

static size_t encode_ping(struct buf *out, enum mqtt_type type)
{
	char packet[2] = { (char)first_byte(type), 0 };

	return buf_append(out, packet, sizeof(packet)) ? sizeof(packet) : 0;
}

size_t mqtt_encode_pingresp(struct buf *out)
{
	return encode_ping(out, MQTT_PINGRESP);
}

size_t mqtt_encode_pingreq(struct buf *out)
{
	return encode_ping(out, MQTT_PINGREQ);
}
