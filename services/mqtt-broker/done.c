/* SPDX-License-Identifier: Apache-2.0
 *
 * done: what a client has acknowledged, told to the store: all of a turn of the loop in one call, and no second call before the first has its answer. PUBREL
 * goes out when the store knows of PUBREC (docs/decisions/0035-mqtt-broker.md). */
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/wire.h"

#define AT_ONCE  1000u /* of each: the most that the store takes */
#define RETRY_MS 512u

static void tell(struct mq_session *s);

/* To who still waits for it: after a reconnect it is read from the store, and released then. */
static void release(struct mq_session *s, uint64_t seq)
{
	struct mq_client *c = s->client;
	uint16_t id = mq_inflight_id(seq);

	if (!c || c->state != MQ_LIVE || mq_inflight_get(&s->inflight, id) != MQ_FLIGHT_RECEIVED)
		return;
	mq_inflight_set(&s->inflight, id, MQ_FLIGHT_RELEASED);
	mqtt_encode_short_ack(conn_output(c->conn), &c->peer, MQTT_PUBREL, id, MQTT_SUCCESS);
}

static void on_told(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct mq_session *s = ctx;
	struct mq_lasting *l = s->lasting;

	(void)reply;
	if (s->ended) {
		mq_session_unref(&s);
		return;
	}
	if (ipc_ok(result)) {
		l->telling = false;
		l->queued -= l->told.n < l->queued ? l->told.n : l->queued;
		for (uint32_t i = 0; i < l->told_got.n; i++)
			release(s, l->told_got.items[i]);
		mq_news_fini(&l->told);
		mq_news_fini(&l->told_got);
		tell(s);
		mq_stored_more(s);
	} else if (result->code == STARLING__CODE__CODE_FENCED || result->code == STARLING__CODE__CODE_NOT_FOUND) {
		mq_lasting_lost(s);
	} else {
		metric_inc(&mq_metrics.store_failed);
		net_timer_set(l->broker->net, &l->tell_timer, RETRY_MS);
	}
	mq_session_unref(&s);
}

static void call(struct mq_session *s)
{
	Starling__MqttDoneRequest request = STARLING__MQTT_DONE_REQUEST__INIT;
	Starling__MqttFence fence = STARLING__MQTT_FENCE__INIT;
	struct mq_lasting *l = s->lasting;
	struct ipc_opts opts = mq_wire_opts(l->broker);

	fence.session = l->fence.session;
	fence.epoch = l->fence.epoch;
	request.fence = &fence;
	request.done = l->told.items;
	request.n_done = l->told.n;
	request.received = l->told_got.items;
	request.n_received = l->told_got.n;
	call_storage_mqtt_done(l->broker->bus, ipc_any("storage"), &opts, &request, on_told, mq_session_ref(s));
}

static void tell(struct mq_session *s)
{
	struct mq_lasting *l = s->lasting;

	if (l->telling || (l->done.n == 0 && l->got.n == 0))
		return;
	mq_news_move(&l->told, &l->done, AT_ONCE);
	mq_news_move(&l->told_got, &l->got, AT_ONCE);
	l->telling = true;
	call(s);
}

void mq_done_on_task(struct net_task *t)
{
	tell(list_entry(t, struct mq_lasting, tell_task)->session);
}

void mq_done_on_timer(struct wheel_timer *t)
{
	call(list_entry(t, struct mq_lasting, tell_timer)->session);
}

void mq_done(struct mq_session *s, uint64_t seq)
{
	if (seq > s->lasting->passed)
		s->lasting->passed = seq; /* they go out in order */
	mq_news_add(&s->lasting->done, seq);
	net_defer(s->lasting->broker->net, &s->lasting->tell_task);
}

void mq_got(struct mq_session *s, uint64_t seq)
{
	mq_news_add(&s->lasting->got, seq);
	net_defer(s->lasting->broker->net, &s->lasting->tell_task);
}
