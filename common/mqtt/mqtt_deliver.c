/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_deliver.h"

#include "common/mqtt/mqtt_frame.h"
#include "common/mqtt/mqtt_writer.h"

/* The sizes of one packet. */
struct plan {
	struct str topic; /* as written */
	struct str tail;  /* what is shared behind the own properties */
	size_t own_props; /* bytes; before 5.0 none, nor a length */
	size_t props;     /* own and passed on */
	size_t body, size;
};

/* SIZE_MAX: a subscription identifier is none. */
static size_t own_props_size(const struct mqtt_delivery *d)
{
	size_t size = (d->has_expiry ? 5u : 0u) + (d->topic_alias ? 3u : 0u);

	for (uint32_t i = 0; i < d->subscription_id_count; i++) {
		uint32_t id = d->subscription_ids[i];

		if (id == 0 || id > MQTT_VARINT_MAX)
			return SIZE_MAX;
		size += 1 + mqtt_varint_size(id);
	}
	return size;
}

/* False: more than MQTT allows, or nothing that it allows. */
static bool make_plan(struct plan *p, unsigned version, const struct mqtt_message *m, const struct mqtt_delivery *d)
{
	bool new = version == MQTT_5;

	*p = (struct plan){ .topic = m->topic, .tail = m->props_and_payload };
	if (m->topic.n > MQTT_STRING_MAX || m->props_and_payload.n > MQTT_VARINT_MAX || m->props_size > m->props_and_payload.n)
		return false;
	if (new) {
		p->own_props = own_props_size(d);
		if (p->own_props > MQTT_VARINT_MAX)
			return false;
		p->props = p->own_props + m->props_size;
		if (d->topic_alias && d->alias_known)
			p->topic.n = 0;
	} else if (m->props_size) {
		p->tail = str_make(p->tail.p + m->props_size, p->tail.n - m->props_size);
	}
	p->body = 2 + p->topic.n + (d->qos ? 2u : 0u) + (new ? mqtt_varint_size(p->props) + p->own_props : 0u) + p->tail.n;
	if (p->body > MQTT_VARINT_MAX)
		return false;
	p->size = 1 + mqtt_varint_size(p->body) + p->body;
	return true;
}

/* Up to the topic. */
static uint8_t *put_head(uint8_t *w, const struct plan *p, const struct mqtt_delivery *d)
{
	unsigned flags = (d->dup && d->qos ? 8u : 0u) | (unsigned)d->qos << 1 | (d->retain ? 1u : 0u);

	w = mqtt_put_u8(w, MQTT_PUBLISH << 4 | flags);
	w += mqtt_varint_write((uint32_t)p->body, w);
	return mqtt_put_u16(w, (unsigned)p->topic.n);
}

/* Between topic and tail. The expiry is the first of the properties: templates rely on it. */
static uint8_t *put_own(uint8_t *w, const struct plan *p, unsigned version, const struct mqtt_delivery *d)
{
	if (d->qos)
		w = mqtt_put_u16(w, d->packet_id);
	if (version != MQTT_5)
		return w;
	w += mqtt_varint_write((uint32_t)p->props, w);
	if (d->has_expiry)
		w = mqtt_put_u32(mqtt_put_u8(w, MQTT_PROP_MESSAGE_EXPIRY), d->expiry);
	if (d->topic_alias)
		w = mqtt_put_u16(mqtt_put_u8(w, MQTT_PROP_TOPIC_ALIAS), d->topic_alias);
	for (uint32_t i = 0; i < d->subscription_id_count; i++) {
		w = mqtt_put_u8(w, MQTT_PROP_SUBSCRIPTION_ID);
		w += mqtt_varint_write(d->subscription_ids[i], w);
	}
	return w;
}

static bool too_large(const struct plan *p, const struct mqtt_peer *to)
{
	return to->packet_max && p->size > to->packet_max;
}

size_t mqtt_deliver_size(unsigned version, const struct mqtt_message *m, const struct mqtt_delivery *d)
{
	struct plan p;

	return make_plan(&p, version, m, d) ? p.size : 0;
}

size_t mqtt_deliver(struct buf *out, const struct mqtt_peer *to, const struct mqtt_message *m, const struct mqtt_delivery *d)
{
	struct plan p;
	char *room;

	if (!make_plan(&p, to->version, m, d) || too_large(&p, to) || !(room = buf_reserve(out, p.size)))
		return 0;
	uint8_t *w = put_head((uint8_t *)room, &p, d);
	w = put_own(mqtt_put_bytes(w, p.topic), &p, to->version, d);
	mqtt_put_bytes(w, p.tail);
	buf_commit(out, p.size);
	return p.size;
}

bool mqtt_deliver_pieces(struct mqtt_pieces *out, const struct mqtt_peer *to, const struct mqtt_message *m, const struct mqtt_delivery *d)
{
	struct plan p;

	if ((to->version == MQTT_5 && d->subscription_id_count > MQTT_DELIVER_IDS_MAX) || !make_plan(&p, to->version, m, d) ||
	    too_large(&p, to))
		return false;
	uint8_t *second = put_head(out->own, &p, d), *end = put_own(second, &p, to->version, d);
	out->piece[0] = str_make(out->own, (size_t)(second - out->own));
	out->piece[1] = p.topic;
	out->piece[2] = str_make(second, (size_t)(end - second));
	out->piece[3] = p.tail;
	out->size = p.size;
	return true;
}

bool mqtt_template_init(struct mqtt_template *t, unsigned version, const struct mqtt_message *m, const struct mqtt_delivery *d)
{
	struct mqtt_peer to = { .version = (uint8_t)version };
	struct mqtt_delivery plain = { .qos = d->qos, .retain = d->retain, .has_expiry = d->has_expiry, .expiry = d->expiry };
	struct plan p;

	*t = (struct mqtt_template){ 0 };
	if (!make_plan(&p, version, m, &plain) || !mqtt_deliver(&t->packet, &to, m, &plain))
		return false;
	uint32_t at = (uint32_t)(p.size - p.body + 2 + p.topic.n);
	if (d->qos) {
		t->id_at = at;
		at += 2;
	}
	if (version == MQTT_5 && d->has_expiry)
		t->expiry_at = at + (uint32_t)mqtt_varint_size(p.props) + 1;
	return true;
}

void mqtt_template_fini(struct mqtt_template *t)
{
	buf_fini(&t->packet);
}

size_t mqtt_template_deliver(struct buf *out, const struct mqtt_peer *to, const struct mqtt_template *t, const struct mqtt_delivery *d)
{
	struct str packet = buf_str(&t->packet);
	char *room = to->packet_max && packet.n > to->packet_max ? NULL : buf_reserve(out, packet.n);

	if (!room)
		return 0;
	mqtt_put_bytes((uint8_t *)room, packet);
	if (t->id_at) {
		mqtt_put_u16((uint8_t *)room + t->id_at, d->packet_id);
		if (d->dup)
			room[0] |= 8;
	}
	if (t->expiry_at)
		mqtt_put_u32((uint8_t *)room + t->expiry_at, d->expiry);
	buf_commit(out, packet.n);
	return packet.n;
}
