/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/lasting.h"

#include "common/base/mem.h"
#include "common/mqtt/mqtt_topic.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

void mq_news_add(struct mq_news *n, uint64_t item)
{
	if (n->n == n->cap) {
		n->cap = n->cap ? n->cap * 2 : 8;
		n->items = mem_realloc(n->items, n->cap * sizeof(*n->items));
	}
	n->items[n->n++] = item;
}

void mq_news_fini(struct mq_news *n)
{
	mem_free(n->items);
	*n = (struct mq_news){ 0 };
}

void mq_news_move(struct mq_news *to, struct mq_news *from, uint32_t most)
{
	uint32_t n = from->n < most ? from->n : most;

	mq_news_fini(to);
	if (n == from->n) {
		*to = *from;
		*from = (struct mq_news){ 0 };
		return;
	}
	to->items = mem_memdup(from->items, n * sizeof(*to->items));
	to->n = to->cap = n;
	from->n -= n;
	memmove(from->items, from->items + n, from->n * sizeof(*from->items));
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_retry(struct wheel_timer *t)
{
	struct mq_lasting *l = list_entry(t, struct mq_lasting, retry);

	switch (l->state) {
	case MQ_LASTING_OPENING:
		mq_open_call(l->session);
		break;
	case MQ_LASTING_CLOSING:
		mq_lasting_close_call(l->session);
		break;
	default:
		if (l->unsaved)
			mq_lasting_save(l->session);
		mq_stored_more(l->session);
		break;
	}
}

struct mq_lasting *mq_lasting_new(struct mq_session *s)
{
	struct mq_lasting *l = mem_new(struct mq_lasting);

	s->lasting = l;
	l->session = s;
	l->broker = s->tenant->broker;
	l->box.next_seq = 1;
	l->box.behind = true;
	wheel_timer_init(&l->retry, on_retry);
	wheel_timer_init(&l->due, mq_away_on_due);
	wheel_timer_init(&l->tell_timer, mq_done_on_timer);
	wheel_timer_init(&l->release_timer, mq_release_on_timer);
	net_task_init(&l->tell_task, mq_done_on_task);
	list_init(&l->pending);
	list_init(&l->intakes);
	list_init(&l->releases);
	list_init(&l->releasing);
	list_init(&l->subscribings);
	list_push_back(&l->broker->lasting, &l->node);
	l->broker->lasting_count++;
	return l;
}

void mq_lasting_free(struct mq_lasting **out)
{
	struct mq_lasting *l = *out;
	struct net_loop *net = l->broker->net;

	list_remove(&l->node);
	l->broker->lasting_count--;
	mq_open_over(l);
	mq_arrival_end(&l->arrival);
	net_timer_cancel(net, &l->retry);
	net_timer_cancel(net, &l->due);
	net_timer_cancel(net, &l->tell_timer);
	net_timer_cancel(net, &l->release_timer);
	net_task_cancel(&l->tell_task);
	/* They are their messages', and end with those. */
	while (!list_empty(&l->pending))
		list_remove(l->pending.next);
	mq_intakes_end(l);
	mq_releases_end(l);
	mq_subscribings_end(l);
	mq_outbox_fini(&l->box);
	mq_received_fini(&l->unsure);
	mq_news_fini(&l->done);
	mq_news_fini(&l->got);
	mq_news_fini(&l->told);
	mq_news_fini(&l->told_got);
	mem_free(l);
	*out = NULL;
}

void mq_lasting_lost(struct mq_session *s)
{
	struct mq_client *client = s->client, *opener = s->lasting ? s->lasting->opener : NULL;

	if (s->ended)
		return;
	if (client)
		log_info(mq_log(client), "the session is another broker's");
	mq_will_free(&s->will);
	s->elsewhere = true;
	mq_session_end(s);
	mq_peers_doubt(s->tenant->broker);
	if (client)
		mq_client_end(client, MQTT_SESSION_TAKEN_OVER, "");
	/* It asks anew, and learns whose it is. */
	if (opener) {
		opener->login->opening = NULL;
		mq_connect_accept(opener);
	}
}

/* --- from the store ----------------------------------------------------------------------------------------------- */

static void load_subscription(struct mq_session *s, const Starling__MqttSubscription *row)
{
	struct index_subscription options = {
		.identifier = row->identifier,
		.qos = row->options & 3,
		.no_local = row->options >> 2 & 1,
		.retain_as_published = row->options >> 3 & 1,
	};
	struct mqtt_filter parts;

	if (mqtt_topic_filter_parse(str_from(row->filter), 0, &parts) != MQTT_RULE_NONE ||
	    mq_subs_add(s, parts.group, parts.topic, &options) == INDEX_SUBS_REFUSED)
		log_error(s->tenant->broker->log, "a subscription in the store is none filter=%s", row->filter);
}

static struct mq_will *load_will(struct mq_session *s, const Starling__MqttMessage *row)
{
	struct mq_tenant *tenant;
	struct mq_message *m = mq_wire_message(s->tenant->broker, row, (struct str){ 0 }, &tenant);
	struct mq_will *will;

	if (!m)
		return NULL;
	will = mem_new(struct mq_will);
	will->message = m;
	m->expires_ms = 0;
	will->qos = (uint8_t)(row->qos & 3);
	will->retain = row->retain;
	/* Its life begins when it is published (section 3.1.3.2.4): what is in the store is how long it is. */
	will->expires = row->expires_us != 0;
	will->expiry_s = will->expires ? (uint32_t)((row->expires_us - row->time_us) / 1000000) : 0;
	return will;
}

void mq_lasting_load(struct mq_session *s, const Starling__MqttSession *row)
{
	struct mq_lasting *l = s->lasting;

	l->fence = (struct mq_fence){ row->fence->session, row->fence->epoch };
	l->state = MQ_LASTING_READY;
	l->expiry_s = row->expiry_s;
	l->disconnected_us = row->disconnected_us;
	l->will_delay_s = row->will_delay_s;
	l->will_due_us = row->will_due_us;
	l->queued = row->queued;
	l->box.next_seq = row->next_seq ? row->next_seq : 1;
	l->sent = l->box.next_seq - 1;
	mq_full_begin(s);
	l->sent_known = 0;
	if (row->n_subscriptions > 0)
		mq_arrival_begin(s);
	for (size_t i = 0; i < row->n_subscriptions; i++)
		load_subscription(s, row->subscriptions[i]);
	mq_arrival_ready(s);
	for (size_t i = 0; i < row->n_received; i++)
		mq_received_add(&l->unsure, (uint16_t)row->received[i]);
	mq_will_free(&s->will);
	if (row->will)
		s->will = load_will(s, row->will);
}
