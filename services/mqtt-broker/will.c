/* SPDX-License-Identifier: Apache-2.0
 *
 * will: what a client leaves to be published when it goes without a goodbye (MQTT 5.0 section 3.1.2.5). When it is due, session.c and away.c know. */
#include "common/base/mem.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/mq.h"
#include "services/mqtt-broker/route.h"

struct mq_will *mq_will_new(struct mq_client *c, const struct mqtt_will *w)
{
	struct mq_will *will = mem_new(struct mq_will);
	struct buf *scratch = &c->broker->scratch;
	struct mqtt_message m = { .topic = w->topic };

	buf_clear(scratch);
	mqtt_props_write_forwarded(scratch, &w->props);
	m.props_size = (uint32_t)(scratch->n - scratch->start);
	buf_append_str(scratch, w->payload);
	m.props_and_payload = buf_str(scratch);
	will->message = mq_message_new(&m, 0);
	will->qos = w->qos;
	will->retain = w->retain;
	will->expires = mqtt_props_has(&w->props, MQTT_PROP_MESSAGE_EXPIRY);
	will->expiry_s = w->props.message_expiry;
	return will;
}

void mq_will_free(struct mq_will **will)
{
	if (!*will)
		return;
	mq_message_unref(&(*will)->message);
	mem_free(*will);
	*will = NULL;
}

/* Its life begins now (section 3.1.3.2.4), and its rights are those of now. */
void mq_will_send(struct mq_session *s, struct mq_will **out, struct mq_wait *wait)
{
	struct mq_access_who who = { s->id, s->user ? str_from(s->user) : (struct str){ 0 } };
	struct mq_broker *b = s->tenant->broker;
	struct mq_will *w = *out;
	struct mq_publication p = { .m = w->message->m, .qos = w->qos, .retain = w->retain };

	if (w->expires)
		w->message->expires_ms = p.expires_ms = net_now(b->net) + w->expiry_s * 1000ull;
	if (mq_access_allows(b->access, MQ_ACCESS_PUBLISH, &who, p.m.topic)) {
		metric_inc(&mq_metrics.wills);
		p.kept = mq_message_ref(w->message);
		mq_route(s->tenant, &p, wait);
		mq_publication_end(&p);
	} else {
		metric_inc(&mq_metrics.denied_publish);
	}
	mq_will_free(out);
}
