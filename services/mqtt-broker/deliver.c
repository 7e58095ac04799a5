/* SPDX-License-Identifier: Apache-2.0
 *
 * deliver: one message to one session: at once into its connection's output, or into its queue as long as window or connection are full (MQTT 5.0
 * sections 4.4 and 4.9). Of a session that ends with its connection nothing is ever sent again, so what is in flight needs no message, only a number. The
 * queue of one that lasts is the store's (stored.c). */
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/queueing.h"

static bool output_full(const struct mq_session *s)
{
	return conn_queued(s->client->conn) >= (uint64_t)s->tenant->broker->config->output_bytes;
}

bool mq_deliver_blocked(const struct mq_session *s)
{
	return !s->client || mq_inflight_count(&s->inflight) >= s->receive_max || !mq_inflight_has_room(&s->inflight) || output_full(s);
}

bool mq_deliver_write(struct mq_session *s, const struct mqtt_message *m, struct mqtt_delivery *d, const struct mqtt_template *tmpl)
{
	struct mq_client *c = s->client;
	struct buf *out = conn_output(c->conn);
	size_t n;

	if (c->alias_max)
		mq_aliases_choose(&mq_client_more(c)->aliases_out, c->alias_max, m->topic, d);
	n = tmpl && !d->topic_alias ? mqtt_template_deliver(out, &c->peer, tmpl, d) : mqtt_deliver(out, &c->peer, m, d);
	if (n == 0) {
		metric_inc(&mq_metrics.dropped_large);
		return false;
	}
	if (c->alias_max)
		mq_aliases_sent(&c->more->aliases_out, c->alias_max, m->topic, d);
	metric_inc(&mq_metrics.publish_out);
	return true;
}

static void send_message(struct mq_session *s, const struct mqtt_message *m, struct mqtt_delivery *d, const struct mqtt_template *tmpl)
{
	if (d->qos)
		d->packet_id = mq_inflight_add(&s->inflight, d->qos);
	if (!mq_deliver_write(s, m, d, tmpl) && d->qos)
		mq_inflight_set(&s->inflight, d->packet_id, MQ_FLIGHT_NONE);
}

static bool queue_full(const struct mq_session *s)
{
	const struct mq_config *cfg = s->tenant->broker->config;

	return mq_queue_count(&s->queue) >= (uint64_t)cfg->queue_messages || mq_queue_bytes(&s->queue) >= (uint64_t)cfg->queue_bytes;
}

static void enqueue(struct mq_session *s, struct mq_publication *p, const struct mqtt_delivery *d)
{
	if (queue_full(s)) {
		metric_inc(&mq_metrics.dropped_queue);
		if (s->tenant->broker->config->queue_full == MQ_FULL_DISCONNECT)
			mq_client_end_later(s->client, MQTT_QUOTA_EXCEEDED);
		if (s->tenant->broker->config->queue_full != MQ_FULL_DROP_OLD)
			return;
		mq_queue_pop(&s->queue);
	}
	mq_queue_push(&s->queue, mq_publication_keep(p), d);
}

void mq_deliver(struct mq_session *s, struct mq_publication *p, const struct mqtt_delivery *d, struct mqtt_template *tmpl)
{
	struct mqtt_delivery one = *d;

	if (s->lasts && d->qos > 0) {
		if (mq_full_has_room(s)) {
			struct mq_queueing *q = mq_queueing_new(s->tenant, p, 1, false, NULL);

			mq_queueing_add(q, s, d);
			mq_queueing_send(q);
		}
		return;
	}
	if (!s->client)
		return;
	if (d->qos == 0 && !p->asked && output_full(s))
		metric_inc(&mq_metrics.dropped_slow);
	else if (d->qos == 0)
		send_message(s, &p->m, &one, tmpl);
	else if (mq_queue_count(&s->queue) > 0 || mq_deliver_blocked(s))
		enqueue(s, p, d);
	else
		send_message(s, &p->m, &one, tmpl);
}

void mq_deliver_more(struct mq_session *s)
{
	if (s->lasts) {
		mq_stored_more(s);
		return;
	}
	while (mq_queue_count(&s->queue) > 0 && !mq_deliver_blocked(s)) {
		struct mqtt_delivery d = { 0 };
		const struct mq_queued *item = mq_queue_first(&s->queue, &d);

		if (mq_message_expiry(item->message->expires_ms, net_now(s->tenant->broker->net), &d))
			send_message(s, &item->message->m, &d, NULL);
		else
			metric_inc(&mq_metrics.dropped_expired);
		mq_queue_pop(&s->queue);
	}
	mq_replay_wake(s);
}
