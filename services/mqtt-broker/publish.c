/* SPDX-License-Identifier: Apache-2.0
 *
 * publish: PUBLISH from a client (MQTT 5.0 section 3.3), and PUBREL. A message with QoS 2 is handed out when it comes; its packet identifier stays until
 * PUBREL, so that none is handed out twice (section 4.3.3). Of a client whose session lasts the store keeps that (intake.c). The answer goes out when the
 * message is where it must be; on a listener that is relaxed, at once. */
#include "common/base/mem.h"
#include "common/mqtt/mqtt_rule.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/rights.h"

/* --- acknowledgements --------------------------------------------------------------------------------------------- */

static void flush_acks(struct mq_client *c)
{
	struct mq_ack ack;

	while (mq_acks_next(&c->acks, &ack))
		mqtt_encode_short_ack(conn_output(c->conn), &c->peer, (enum mqtt_type)ack.type, ack.packet_id, ack.reason);
	if (c->holds & MQ_HOLD_ACKS && mq_acks_count(&c->acks) < (uint64_t)c->broker->config->inflight_in)
		mq_client_hold(c, MQ_HOLD_ACKS, false);
}

void mq_publish_done(struct mq_client *c, uint64_t number, enum mqtt_reason reason)
{
	if (c->state != MQ_LIVE)
		return;
	mq_acks_done(&c->acks, number, reason);
	flush_acks(c);
}

void mq_answer(struct mq_client *c, enum mqtt_type type, uint16_t packet_id, enum mqtt_reason reason)
{
	if (mq_acks_count(&c->acks) == 0)
		mqtt_encode_short_ack(conn_output(c->conn), &c->peer, type, packet_id, (uint8_t)reason);
	else
		mq_publish_done(c, mq_acks_push(&c->acks, type, packet_id), reason);
}

/* Those of 3.x know no Receive Maximum: they are not read while so much is unanswered. */
static void gate(struct mq_client *c)
{
	mq_storing_gate(c);
	if (c->state == MQ_LIVE && mq_acks_count(&c->acks) >= (uint64_t)c->broker->config->inflight_in)
		mq_client_hold(c, MQ_HOLD_ACKS, true);
}

/* --- PUBLISH ------------------------------------------------------------------------------------------------------ */

/* The alias is the connection's own (section 3.3.2.3.4); that it is in its range the decoder has checked. */
static bool resolve_topic(struct mq_client *c, struct mqtt_publish *p, struct mqtt_error *e)
{
	if (!p->props.topic_alias)
		return true;
	if (p->topic.n > 0) {
		mq_aliases_set(&mq_client_more(c)->aliases_in, c->peer.topic_alias_max, p->props.topic_alias, p->topic);
		return true;
	}
	p->topic = mq_aliases_get(&mq_client_more(c)->aliases_in, p->props.topic_alias);
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

static bool allowed(struct mq_client *c, struct str topic)
{
	if (mq_client_allows(c, MQ_ACCESS_PUBLISH, topic))
		return true;
	metric_inc(&mq_metrics.denied_publish);
	return false;
}

/* Whose answer waits for the store. */
struct waiting {
	struct mq_client *client;
	uint64_t number;
	uint16_t packet_id;
	bool twice; /* QoS 2 */
};

/* Refused, the exchange is over (section 4.3.3); before 5.0 nothing can be refused, and it goes on. */
static void settle_qos2(struct mq_client *c, uint16_t packet_id, enum mqtt_reason reason)
{
	if (c->session && reason >= MQTT_UNSPECIFIED_ERROR && c->peer.version == MQTT_5)
		mq_received_remove(&c->session->received, packet_id);
}

static void on_stored(void *ctx, enum mqtt_reason reason)
{
	struct waiting *w = ctx;

	if (w->twice)
		settle_qos2(w->client, w->packet_id, reason);
	mq_publish_done(w->client, w->number, reason);
	mq_client_unref(w->client);
	mem_free(w);
}

static void wait_for_store(struct mq_client *c, const struct mqtt_publish *p, struct mq_wait *wait)
{
	struct waiting *w = mem_new(struct waiting);

	w->client = mq_client_ref(c);
	w->packet_id = p->packet_id;
	w->twice = p->qos == 2;
	w->number = mq_acks_push(&c->acks, w->twice ? MQTT_PUBREC : MQTT_PUBACK, p->packet_id);
	wait->fn = on_stored;
	wait->ctx = w;
}

static void on_once(struct mq_client *c, const struct mqtt_publish *p)
{
	enum mqtt_type type = p->qos == 2 ? MQTT_PUBREC : MQTT_PUBACK;
	enum mqtt_reason reason = MQTT_NOT_AUTHORIZED;
	struct mq_publication publication;
	struct mq_wait *wait = NULL;

	if (allowed(c, p->topic)) {
		make_publication(c, p, &publication);
		wait = mq_route_wait(c->tenant, &publication, &reason);
		mq_publication_end(&publication);
	}
	if (wait && !mq_client_port(c)->relaxed) {
		wait_for_store(c, p, wait);
		return;
	}
	if (p->qos == 2)
		settle_qos2(c, p->packet_id, reason);
	if (c->state == MQ_LIVE)
		mq_answer(c, type, p->packet_id, reason);
}

static bool on_qos2(struct mq_client *c, const struct mqtt_publish *p, struct mqtt_error *e)
{
	struct mq_session *s = c->session;
	struct mq_publication publication;

	if (mq_received_has(&s->received, p->packet_id)) {
		/* [MQTT-4.3.3-10]: it is the same message. */
		if (!s->lasts || !mq_intake_again(c, p->packet_id))
			mq_answer(c, MQTT_PUBREC, p->packet_id, MQTT_SUCCESS);
		return true;
	}
	if (mq_received_count(&s->received) >= (uint64_t)c->broker->config->inflight_in) {
		*e = (struct mqtt_error){ .reason = MQTT_RECEIVE_MAX_EXCEEDED, .why = "[MQTT-3.3.4-7] more messages than Receive Maximum" };
		return false;
	}
	if (s->lasts && (!mq_client_port(c)->relaxed || mq_received_has(&s->lasting->unsure, p->packet_id)) && allowed(c, p->topic)) {
		make_publication(c, p, &publication);
		mq_intake(c, &publication, p->packet_id);
		mq_publication_end(&publication);
		return true;
	}
	mq_received_add(&s->received, p->packet_id);
	on_once(c, p);
	return true;
}

bool mq_on_publish(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct mq_publication publication;
	struct mqtt_publish p;

	if (!mqtt_decode_publish(f, &c->peer, &p, e) || !resolve_topic(c, &p, e))
		return false;
	mq_client_count_message(c);
	if (p.qos == 2) {
		if (!on_qos2(c, &p, e))
			return false;
	} else if (p.qos == 1) {
		on_once(c, &p);
	} else if (allowed(c, p.topic)) {
		make_publication(c, &p, &publication);
		mq_route(c->tenant, &publication, NULL);
		mq_publication_end(&publication);
	}
	gate(c);
	return true;
}

/* Unknown identifiers are answered too: the client has lost nothing by that (section 3.7.2.1). */
bool mq_on_pubrel(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct mqtt_ack p;

	if (!mqtt_decode_ack(f, &c->peer, &p, e))
		return false;
	if (c->session->lasts)
		mq_release(c->session, c, p.packet_id);
	else
		mq_answer(c, MQTT_PUBCOMP, p.packet_id,
		          mq_received_remove(&c->session->received, p.packet_id) ? MQTT_SUCCESS : MQTT_PACKET_ID_NOT_FOUND);
	gate(c);
	return true;
}
