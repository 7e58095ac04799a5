/* SPDX-License-Identifier: Apache-2.0
 *
 * subscribing: SUBSCRIBE and UNSUBSCRIBE that are not answered at once: of a client whose session lasts, when the store has them; and of all, when the other
 * brokers have the filters. The client is not read before, so that they reach both in their order. */
#include "common/base/mem.h"
#include "common/mqtt/mqtt_topic.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define RETRY_MS 512u

/* What is told to the store: made, used, and freed again within one function. */
struct request {
	Starling__MqttSubscribeRequest body;
	Starling__MqttFence fence;
	Starling__MqttSubscription *rows, **list;
	char **texts;
	size_t n;
};

static void call(struct mq_subscribing *o);

static void on_retry(struct wheel_timer *t)
{
	struct mq_subscribing *o = list_entry(t, struct mq_subscribing, retry);

	list_remove(&o->node);
	call(o);
}

static void subscribing_free(struct mq_subscribing *o)
{
	list_remove(&o->node);
	mq_client_unref(o->client);
	mq_session_unref(&o->session);
	mem_free(o->payload);
	mem_free(o->reasons);
	mem_free(o);
}

void mq_subscribings_end(struct mq_lasting *l)
{
	list_for_each_safe (n, &l->subscribings) {
		struct mq_subscribing *o = list_entry(n, struct mq_subscribing, node);

		net_timer_cancel(l->broker->net, &o->retry);
		subscribing_free(o);
	}
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

/* The store does not take them: they are none. */
static void refuse(struct mq_subscribing *o, enum mqtt_reason why)
{
	struct str rest = str_make(o->payload, o->payload_n);
	struct mqtt_subscription sub;

	for (uint32_t i = 0; i < o->count; i++) {
		if (!o->remove && mqtt_subscribe_next(&rest, o->client->peer.version, &sub) &&
		    (uint8_t)o->reasons[i] < MQTT_UNSPECIFIED_ERROR)
			mq_subs_remove(o->session, sub.group, sub.topic);
		o->reasons[i] = (char)why;
		o->reasons[o->count + i] = 0;
	}
}

static void answer(struct mq_subscribing *o)
{
	if (o->client->state != MQ_LIVE)
		return;
	mq_client_ref(o->client);
	mq_suback(o->client, o);
	mq_client_hold(o->client, MQ_HOLD_SUBSCRIBE, false);
	mq_client_unref(o->client);
}

static void on_told(void *ctx, enum mqtt_reason reason)
{
	struct mq_subscribing *o = ctx;

	if (reason != MQTT_SERVER_SHUTTING_DOWN)
		answer(o);
	subscribing_free(o);
}

/* Whoever publishes from now on, at whatever broker, reaches it. */
static void tell_peers(struct mq_subscribing *o)
{
	struct mq_wait *wait = mq_wait_new(on_told, o);

	if (!o->remove)
		mq_told(o->session->tenant->broker, wait);
	mq_wait_close(wait, MQTT_SUCCESS);
}

static void on_stored(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct mq_subscribing *o = ctx;
	struct mq_session *s = o->session;

	(void)reply;
	if (s->ended) {
		subscribing_free(o);
		return;
	}
	if (result->code == STARLING__CODE__CODE_FENCED || result->code == STARLING__CODE__CODE_NOT_FOUND) {
		mq_lasting_lost(s);
		subscribing_free(o);
		return;
	}
	if (mq_wire_passing(result->code)) {
		metric_inc(&mq_metrics.store_failed);
		list_push_back(&s->lasting->subscribings, &o->node);
		net_timer_set(s->lasting->broker->net, &o->retry, RETRY_MS);
		return;
	}
	if (!ipc_ok(result)) {
		log_info(s->tenant->broker->log, "the store refuses subscriptions: %s %s", ipc_code_name(result->code), result->text);
		refuse(o, result->code == STARLING__CODE__CODE_LIMIT && !o->remove ? MQTT_QUOTA_EXCEEDED : MQTT_UNSPECIFIED_ERROR);
	}
	tell_peers(o);
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

static char *text_of(struct str s)
{
	return mem_strndup(s.p, s.n);
}

static void add_rows(struct request *r, const struct mq_subscribing *o)
{
	struct str rest = str_make(o->payload, o->payload_n);
	Starling__MqttSubscription empty = STARLING__MQTT_SUBSCRIPTION__INIT;
	struct mqtt_subscription sub;

	for (uint32_t i = 0; mq_subscription_next(o->client, &rest, &sub); i++) {
		Starling__MqttSubscription *row = &r->rows[r->n];

		if ((uint8_t)o->reasons[i] >= MQTT_UNSPECIFIED_ERROR)
			continue;
		*row = empty;
		row->filter = r->texts[r->n] = text_of(sub.filter);
		row->options = (uint32_t)(sub.qos | sub.no_local << 2 | sub.retain_as_published << 3 | sub.retain_handling << 4);
		row->identifier = o->identifier;
		r->list[r->n++] = row;
	}
	r->body.add = r->list;
	r->body.n_add = r->n;
}

static void add_removals(struct request *r, const struct mq_subscribing *o)
{
	struct str rest = str_make(o->payload, o->payload_n), filter;

	while (mqtt_unsubscribe_next(&rest, &filter))
		r->texts[r->n++] = text_of(filter);
	r->body.remove = r->texts;
	r->body.n_remove = r->n;
}

static void call(struct mq_subscribing *o)
{
	Starling__MqttSubscribeRequest body = STARLING__MQTT_SUBSCRIBE_REQUEST__INIT;
	Starling__MqttFence fence = STARLING__MQTT_FENCE__INIT;
	struct mq_lasting *l = o->session->lasting;
	struct ipc_opts opts = mq_wire_opts(l->broker);
	struct request r = { .body = body, .fence = fence };

	r.rows = mem_alloc(o->count * sizeof(*r.rows));
	r.list = mem_alloc(o->count * sizeof(*r.list));
	r.texts = mem_alloc(o->count * sizeof(*r.texts));
	r.fence.session = l->fence.session;
	r.fence.epoch = l->fence.epoch;
	r.body.fence = &r.fence;
	if (o->remove)
		add_removals(&r, o);
	else
		add_rows(&r, o);
	call_storage_mqtt_subscribe(l->broker->bus, ipc_any("storage"), &opts, &r.body, on_stored, o);
	for (size_t i = 0; i < r.n; i++)
		mem_free(r.texts[i]);
	mem_free(r.texts);
	mem_free(r.list);
	mem_free(r.rows);
}

void mq_subscribing_begin(struct mq_subscribing *o)
{
	list_init(&o->node);
	wheel_timer_init(&o->retry, on_retry);
	mq_client_hold(o->client, MQ_HOLD_SUBSCRIBE, true);
	if (o->session->lasts)
		call(o);
	else
		tell_peers(o);
}
