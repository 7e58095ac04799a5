/* SPDX-License-Identifier: Apache-2.0
 *
 * stored: from a lasting session's queue in the store to its client (MQTT 5.0 sections 4.3 and 4.4). A message has its seq for a number, and the packet
 * identifier follows from that: who comes back gets it under the same one, whatever broker has its session then. */
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/wire.h"

#define PAGE     100u /* rows */
#define RETRY_MS 512u

/* --- into the connection ------------------------------------------------------------------------------------------ */

static void release(struct mq_session *s, uint64_t seq)
{
	uint16_t id = mq_inflight_put(&s->inflight, seq, MQ_FLIGHT_RELEASED);

	mqtt_encode_short_ack(conn_output(s->client->conn), &s->client->peer, MQTT_PUBREL, id, MQTT_SUCCESS);
}

static void publish(struct mq_session *s, const struct mq_item *item, struct mqtt_delivery *d)
{
	struct mq_lasting *l = s->lasting;

	/* What was sent once does not expire [MQTT-4.3.3-7]. */
	if (!mq_message_expiry(item->message->expires_ms, net_now(l->broker->net), d) && item->seq > l->sent_known) {
		metric_inc(&mq_metrics.dropped_expired);
		mq_done(s, item->seq);
		return;
	}
	d->dup = item->seq <= l->sent; /* [MQTT-3.3.1-1] */
	d->packet_id = mq_inflight_put(&s->inflight, item->seq, item->qos == 2 ? MQ_FLIGHT_QOS2 : MQ_FLIGHT_QOS1);
	if (item->seq > l->passed)
		l->passed = item->seq;
	if (item->seq > l->sent)
		l->sent = item->seq;
	if (item->seq > l->sent_known)
		l->sent_known = item->seq;
	if (mq_deliver_write(s, &item->message->m, d, NULL))
		return;
	mq_inflight_set(&s->inflight, d->packet_id, MQ_FLIGHT_NONE);
	mq_done(s, item->seq);
}

static void send_some(struct mq_session *s)
{
	struct mqtt_delivery d = { 0 };
	const struct mq_item *item;

	while ((item = mq_outbox_first(&s->lasting->box, &d))) {
		if (!mq_inflight_fits(&s->inflight, item->seq))
			return;
		/* PUBREL needs no place in the window: it has one (section 4.9). */
		if (item->state == MQ_ITEM_RELEASE)
			release(s, item->seq);
		else if (mq_deliver_blocked(s))
			return;
		else
			publish(s, item, &d);
		mq_outbox_pop(&s->lasting->box);
		d = (struct mqtt_delivery){ 0 };
	}
}

/* --- pages -------------------------------------------------------------------------------------------------------- */

static void take(struct mq_session *s, const Starling__MqttEntry *e, struct str payload)
{
	struct mqtt_delivery d = { .qos = (uint8_t)e->qos, .retain = e->retain };
	struct mq_tenant *tenant;
	struct mq_message *m;

	d.subscription_ids = e->identifiers;
	d.subscription_id_count = (uint32_t)e->n_identifiers;
	if (e->received) {
		mq_outbox_add(&s->lasting->box, e->seq, NULL, &d);
		return;
	}
	m = e->message ? mq_wire_message(s->lasting->broker, e->message, payload, &tenant) : NULL;
	if (m)
		mq_outbox_add(&s->lasting->box, e->seq, m, &d);
	else
		mq_done(s, e->seq); /* what can never be sent does not stay */
}

static void on_page(const struct ipc_result *result, const Starling__MqttFetchReply *reply, void *ctx)
{
	struct mq_session *s = ctx;
	struct mq_lasting *l = s->lasting;

	if (s->ended) {
		mq_session_unref(&s);
		return;
	}
	l->fetching = false;
	if (!ipc_ok(result)) {
		metric_inc(&mq_metrics.store_failed);
		net_timer_set(l->broker->net, &l->retry, RETRY_MS);
	} else if (s->client && l->fetch_to) {
		struct str payload = reply->n_entries == 1 ? result->payload : (struct str){ 0 };

		for (size_t i = 0; i < reply->n_entries && reply->entries[i]->seq <= l->fetch_to; i++) {
			if (reply->entries[i]->seq > l->box.read_to)
				take(s, reply->entries[i], payload);
		}
		if (reply->complete)
			mq_outbox_read(&l->box, l->fetch_to);
		mq_stored_more(s);
	} else {
		mq_stored_more(s);
	}
	mq_session_unref(&s);
}

/* What is still on its way to the store may be committed in any order: a page is read only as far as all is settled. */
static uint64_t settled_to(const struct mq_lasting *l)
{
	return mq_pending_first(l) - 1;
}

static void read_page(struct mq_session *s)
{
	Starling__MqttFetchRequest request = STARLING__MQTT_FETCH_REQUEST__INIT;
	struct mq_lasting *l = s->lasting;
	struct ipc_opts opts = mq_wire_opts(l->broker);
	uint64_t to = settled_to(l);

	if (l->fetching || !l->box.behind || l->box.count >= PAGE / 2 || to <= l->box.read_to)
		return;
	/* What the client has acknowledged is not to be read again. */
	if (l->box.read_to == 0 && (l->telling || l->done.n > 0 || l->got.n > 0))
		return;
	l->fetching = true;
	l->fetch_to = to;
	request.session = l->fence.session;
	request.after = l->box.read_to;
	request.limit = PAGE;
	call_storage_mqtt_fetch(l->broker->bus, ipc_any("storage"), &opts, &request, on_page, mq_session_ref(s));
}

void mq_stored_more(struct mq_session *s)
{
	struct mq_lasting *l = s->lasting;

	if (s->ended)
		return;
	mq_full_trim(s);
	if (!s->client || s->client->state != MQ_LIVE)
		return;
	send_some(s);
	/* Nothing is behind: what would be read is known not to be there. */
	if (l->box.behind && settled_to(l) <= l->box.read_to && list_empty(&l->pending))
		mq_outbox_read(&l->box, l->box.read_to);
	read_page(s);
	mq_replay_wake(s);
}

void mq_stored_begin(struct mq_session *s)
{
	struct mq_lasting *l = s->lasting;

	mq_outbox_rewind(&l->box);
	l->fetch_to = 0; /* a page that is on its way is of the connection before */
	mq_stored_more(s);
}
