/* SPDX-License-Identifier: Apache-2.0
 *
 * subscribe: SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0 sections 3.8 to 3.11). */
#include "common/base/mem.h"
#include "common/mqtt/mqtt_topic.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/rights.h"
#include "services/mqtt-broker/several.h"

#define REASONS_MAX 65536u /* more cannot be in a packet of limits.packet_size at its default; a longer one is refused */

static bool too_many(uint32_t count, struct mqtt_error *e)
{
	if (count <= REASONS_MAX)
		return false;
	*e = (struct mqtt_error){ .reason = MQTT_IMPLEMENTATION_SPECIFIC, .why = "more than 65536 topic filters in one packet" };
	return true;
}

/* Retain handling 1: only where there was none (section 3.8.3.1). To a shared subscription none are sent (section 4.8.2). */
bool mq_subscription_next(const struct mq_client *c, struct str *rest, struct mqtt_subscription *out)
{
	if (!mqtt_subscribe_next(rest, c->peer.version, out))
		return false;
	out->retain_as_published |= c->bridge;
	out->no_local |= c->bridge && out->group.n == 0;
	return true;
}

static bool wants_retained(const struct mqtt_subscription *s, enum index_subs_change change)
{
	return s->group.n == 0 && s->retain_handling < 2 && (s->retain_handling == 0 || change != INDEX_SUBS_REPLACED);
}

static enum mqtt_reason subscribe(struct mq_client *c, const struct mqtt_subscription *s, uint32_t identifier, bool *out_retained)
{
	const struct mq_config *cfg = c->broker->config;
	struct index_subscription options = {
		.identifier = identifier, .qos = s->qos, .no_local = s->no_local, .retain_as_published = s->retain_as_published
	};
	enum index_subs_change change;

	*out_retained = false;
	if (s->levels > (uint64_t)cfg->topic_levels)
		return MQTT_TOPIC_FILTER_INVALID;
	if (!mq_client_allows(c, MQ_ACCESS_SUBSCRIBE, s->topic)) {
		metric_inc(&mq_metrics.denied_subscribe);
		return MQTT_NOT_AUTHORIZED;
	}
	change = mq_subs_add(c->session, s->group, s->topic, &options);
	if (change == INDEX_SUBS_REFUSED)
		return MQTT_TOPIC_FILTER_INVALID;
	/* Only now is it known whether it replaces one, which is always allowed ([MQTT-3.8.4-3]). */
	if (change != INDEX_SUBS_REPLACED && (!mq_quota_subscribed(c) || c->session->subscriber.count > (uint64_t)cfg->subscriptions)) {
		mq_subs_remove(c->session, s->group, s->topic);
		mq_quota_subscribed(c);
		return MQTT_QUOTA_EXCEEDED;
	}
	*out_retained = wants_retained(s, change);
	return (enum mqtt_reason)s->qos;
}

/* SUBACK first, then what is retained: a client may take it either way, but most expect this. */
static void replay(struct mq_client *c, const struct mq_subscribing *o)
{
	struct str rest = str_make(o->payload, o->payload_n);
	struct mqtt_subscription s;

	for (uint32_t i = 0; mqtt_subscribe_next(&rest, c->peer.version, &s); i++) {
		if (o->reasons[o->count + i])
			mq_replay_begin(c->session, s.topic, s.qos, o->identifier);
	}
}

void mq_suback(struct mq_client *c, const struct mq_subscribing *o)
{
	struct mqtt_suback ack = { .packet_id = o->packet_id, .reasons = str_make(o->reasons, o->count) };
	struct buf *out = conn_output(c->conn);

	if (o->remove && c->peer.version != MQTT_5)
		ack.reasons = (struct str){ 0 };
	if (!(o->remove ? mqtt_encode_unsuback(out, &c->peer, &ack) : mqtt_encode_suback(out, &c->peer, &ack)))
		mq_client_end_later(c, MQTT_PACKET_TOO_LARGE);
	if (!o->remove)
		replay(c, o);
}

/* At once, or when it is in the store: then with a copy of all that is needed. */
static void answer(struct mq_client *c, struct mq_subscribing *o, bool changed)
{
	struct mq_subscribing *kept;

	if (!changed || (!c->session->lasts && (o->remove || !c->broker->several->peer_n))) {
		mq_suback(c, o);
		return;
	}
	kept = mem_memdup(o, sizeof(*o));
	kept->session = mq_session_ref(c->session);
	kept->client = mq_client_ref(c);
	kept->payload = mem_memdup(o->payload, o->payload_n);
	kept->reasons = mem_memdup(o->reasons, 2 * (size_t)o->count);
	mq_subscribing_begin(kept);
}

bool mq_on_subscribe(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct buf *scratch = &c->broker->scratch;
	struct mq_subscribing o = { 0 };
	struct mqtt_subscribe p;
	struct mqtt_subscription s;
	bool changed = false;
	struct str rest;

	if (!mqtt_decode_subscribe(f, &c->peer, &p, e) || too_many(p.count, e))
		return false;
	rest = p.props.many;
	if (mqtt_props_has(&p.props, MQTT_PROP_SUBSCRIPTION_ID))
		mqtt_props_next_subscription_id(&rest, &o.identifier);
	buf_clear(scratch);
	o.reasons = buf_reserve(scratch, 2 * (size_t)p.count);
	o.count = p.count;
	o.packet_id = p.packet_id;
	o.payload = (char *)(uintptr_t)p.payload.p;
	o.payload_n = (uint32_t)p.payload.n;
	rest = p.payload;
	for (uint32_t i = 0; mq_subscription_next(c, &rest, &s); i++) {
		enum mqtt_reason reason;
		bool retained;

		reason = subscribe(c, &s, o.identifier, &retained);
		changed |= reason < MQTT_UNSPECIFIED_ERROR;
		o.reasons[i] = (char)reason;
		o.reasons[o.count + i] = (char)retained;
	}
	answer(c, &o, changed);
	return true;
}

bool mq_on_unsubscribe(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct buf *scratch = &c->broker->scratch;
	struct mq_subscribing o = { .remove = true };
	struct mqtt_unsubscribe p;
	struct str rest, filter;
	bool changed = false;

	if (!mqtt_decode_unsubscribe(f, &c->peer, &p, e) || too_many(p.count, e))
		return false;
	buf_clear(scratch);
	o.reasons = buf_reserve(scratch, 2 * (size_t)p.count);
	o.count = p.count;
	o.packet_id = p.packet_id;
	o.payload = (char *)(uintptr_t)p.payload.p;
	o.payload_n = (uint32_t)p.payload.n;
	memset(o.reasons, 0, 2 * (size_t)p.count);
	rest = p.payload;
	for (uint32_t i = 0; mqtt_unsubscribe_next(&rest, &filter); i++) {
		enum index_subs_change change = INDEX_SUBS_NONE;
		struct mqtt_filter parts;

		if (mqtt_topic_filter_parse(filter, 0, &parts) == MQTT_RULE_NONE)
			change = mq_subs_remove(c->session, parts.group, parts.topic);
		changed |= change == INDEX_SUBS_REMOVED || change == INDEX_SUBS_LAST;
		o.reasons[i] =
		        (char)(change == INDEX_SUBS_REMOVED || change == INDEX_SUBS_LAST ? MQTT_SUCCESS : MQTT_NO_SUBSCRIPTION_EXISTED);
	}
	mq_quota_subscribed(c);
	answer(c, &o, changed);
	return true;
}
