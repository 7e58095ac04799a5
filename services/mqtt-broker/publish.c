/* SPDX-License-Identifier: Apache-2.0
 *
 * publish: PUBLISH from a client (MQTT 5.0 section 3.3), and PUBREL. A message with QoS 2 is handed out when it comes; its packet identifier stays until
 * PUBREL, so that none is handed out twice (section 4.3.3). */
#include "common/mqtt/mqtt_rule.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/mq.h"

/* --- acknowledgements --------------------------------------------------------------------------------------------- */

static void flush_acks(struct mq_client *c)
{
	struct mq_ack ack;

	while (mq_acks_next(&c->acks, &ack))
		mqtt_encode_short_ack(conn_output(c->conn), &c->peer, (enum mqtt_type)ack.type, ack.packet_id, ack.reason);
}

void mq_publish_done(struct mq_client *c, uint64_t number, enum mqtt_reason reason)
{
	if (c->state != MQ_LIVE)
		return;
	mq_acks_done(&c->acks, number, reason);
	flush_acks(c);
}

/* An answer that is known at once; those before it may have to go first. */
static void answer(struct mq_client *c, enum mqtt_type type, uint16_t packet_id, enum mqtt_reason reason)
{
	if (mq_acks_count(&c->acks) == 0)
		mqtt_encode_short_ack(conn_output(c->conn), &c->peer, type, packet_id, (uint8_t)reason);
	else
		mq_publish_done(c, mq_acks_push(&c->acks, type, packet_id), reason);
}

/* --- PUBLISH ------------------------------------------------------------------------------------------------------ */

/* The alias is the connection's own (section 3.3.2.3.4); that it is in its range the decoder has checked. */
static bool resolve_topic(struct mq_client *c, struct mqtt_publish *p, struct mqtt_error *e)
{
	if (!p->props.topic_alias)
		return true;
	if (p->topic.n > 0) {
		mq_aliases_set(&c->aliases_in, p->props.topic_alias, p->topic);
		return true;
	}
	p->topic = mq_aliases_get(&c->aliases_in, p->props.topic_alias);
	if (p->topic.p)
		return true;
	*e = (struct mqtt_error){ .reason = MQTT_PROTOCOL_ERROR, .why = "section 3.3.2.3.4: a Topic Alias that was not set" };
	return false;
}

/* What is passed on as it is, and the payload, in one piece: the packet's own bytes when it has no such properties. */
static void make_publication(struct mq_client *c, const struct mqtt_publish *p, struct mq_publication *out)
{
	struct buf *scratch = &c->broker->scratch;

	*out = (struct mq_publication){
		.m = { .topic = p->topic, .props_and_payload = p->payload }, .qos = p->qos, .retain = p->retain, .from = c->session
	};
	if (mqtt_props_has(&p->props, MQTT_PROP_MESSAGE_EXPIRY)) {
		/* 0 s: whoever does not get it at once does not get it. */
		out->expires_ms = net_now(c->broker->net) + p->props.message_expiry * 1000ull;
	}
	if (!(p->props.has & ~(1ull << MQTT_PROP_MESSAGE_EXPIRY | 1ull << MQTT_PROP_TOPIC_ALIAS)))
		return;
	buf_clear(scratch);
	mqtt_props_write_forwarded(scratch, &p->props);
	out->m.props_size = (uint32_t)(scratch->n - scratch->start);
	buf_append_str(scratch, p->payload);
	out->m.props_and_payload = buf_str(scratch);
}

/* Hands it out, if it may be. */
static enum mqtt_reason route(struct mq_client *c, const struct mqtt_publish *p)
{
	struct mq_access_who who = { c->id, c->user ? str_from(c->user) : (struct str){ 0 } };
	struct mq_publication publication;
	enum mqtt_reason reason;

	if (!mq_access_allows(c->broker->access, MQ_ACCESS_PUBLISH, &who, p->topic)) {
		metric_inc(&mq_metrics.denied_publish);
		return MQTT_NOT_AUTHORIZED;
	}
	make_publication(c, p, &publication);
	if (p->retain && !mq_retained_set(c->tenant, &publication)) {
		mq_publication_end(&publication);
		return MQTT_QUOTA_EXCEEDED;
	}
	reason = mq_publish(c->tenant, &publication) ? MQTT_SUCCESS : MQTT_NO_MATCHING_SUBSCRIBERS;
	mq_publication_end(&publication);
	return reason;
}

static bool on_qos1(struct mq_client *c, const struct mqtt_publish *p)
{
	answer(c, MQTT_PUBACK, p->packet_id, route(c, p));
	return true;
}

static bool on_qos2(struct mq_client *c, const struct mqtt_publish *p, struct mqtt_error *e)
{
	struct mq_received *received = &c->session->received;
	enum mqtt_reason reason;

	if (mq_received_has(received, p->packet_id)) {
		answer(c, MQTT_PUBREC, p->packet_id, MQTT_SUCCESS); /* [MQTT-4.3.3-10]: it is the same message */
		return true;
	}
	if (received->n >= (uint64_t)c->broker->config->inflight_in) {
		*e = (struct mqtt_error){ .reason = MQTT_RECEIVE_MAX_EXCEEDED, .why = "[MQTT-3.3.4-7] more messages than Receive Maximum" };
		return false;
	}
	reason = route(c, p);
	if (c->state != MQ_LIVE)
		return true;
	/* Refused, the exchange is over (section 4.3.3); before 5.0 nothing can be refused, and it goes on. */
	if (reason < MQTT_UNSPECIFIED_ERROR || c->peer.version != MQTT_5)
		mq_received_add(received, p->packet_id);
	answer(c, MQTT_PUBREC, p->packet_id, reason);
	return true;
}

bool mq_on_publish(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct mqtt_publish p;

	if (!mqtt_decode_publish(f, &c->peer, &p, e) || !resolve_topic(c, &p, e))
		return false;
	mq_client_count_message(c);
	if (p.qos == 2)
		return on_qos2(c, &p, e);
	if (p.qos == 1)
		return on_qos1(c, &p);
	route(c, &p);
	return true;
}

/* Unknown identifiers are answered too: the client has lost nothing by that (section 3.7.2.1). */
bool mq_on_pubrel(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct mqtt_ack p;

	if (!mqtt_decode_ack(f, &c->peer, &p, e))
		return false;
	answer(c, MQTT_PUBCOMP, p.packet_id,
	       mq_received_remove(&c->session->received, p.packet_id) ? MQTT_SUCCESS : MQTT_PACKET_ID_NOT_FOUND);
	return true;
}
