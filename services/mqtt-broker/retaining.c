/* SPDX-License-Identifier: Apache-2.0
 *
 * retaining: a retained message that the store has, on its way to the other brokers; and theirs. Of several versions the highest counts, in whatever order they
 * come; those of messages that were taken away are remembered for a while. */
#include "common/base/mem.h"
#include "ipc/gen/mqtt.server.h"
#include "services/mqtt-broker/retain.h"
#include "services/mqtt-broker/route.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define RETRY_MS 256u

struct telling {
	struct list_node node;
	struct mq_broker *broker;
	struct mq_tenant *tenant;
	struct mq_message *message;
	struct mq_wait *wait;
	uint64_t instance, version;
	struct wheel_timer retry;
	uint8_t qos;
};

static void call(struct telling *o);

static void telling_end(struct telling *o, enum mqtt_reason reason)
{
	struct mq_wait *wait = o->wait;

	list_remove(&o->node);
	net_timer_cancel(o->broker->net, &o->retry);
	mq_message_unref(&o->message);
	mem_free(o);
	mq_wait_close(wait, reason);
}

static void on_retry(struct wheel_timer *t)
{
	call(list_entry(t, struct telling, retry));
}

static void on_told(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct telling *o = ctx;

	(void)reply;
	if (ipc_ok(result) || mq_peer_lost(o->broker, o->instance))
		telling_end(o, MQTT_SUCCESS);
	else
		net_timer_set(o->broker->net, &o->retry, RETRY_MS);
}

static void call(struct telling *o)
{
	Starling__MqttRetainedNews news = STARLING__MQTT_RETAINED_NEWS__INIT;
	Starling__MqttRetained retained = STARLING__MQTT_RETAINED__INIT;
	struct ipc_opts opts = mq_wire_opts(o->broker);
	struct mq_wire wire;

	if (mq_peer_lost(o->broker, o->instance)) {
		telling_end(o, MQTT_SUCCESS);
		return;
	}
	mq_wire_init(&wire, o->tenant, o->message, o->qos, true, true);
	retained.version = o->version;
	retained.message = &wire.message;
	news.retained = &retained;
	call_mqtt_retained(o->broker->bus, ipc_instance(o->instance), &opts, &news, on_told, o);
	mq_wire_fini(&wire);
}

void mq_retained_tell(struct mq_tenant *t, struct mq_message *message, unsigned qos, uint64_t version, struct mq_wait *wait)
{
	struct mq_broker *b = t->broker;

	list_for_each_safe (n, &b->several->peers) {
		struct telling *o = mem_new(struct telling);

		o->broker = b;
		o->tenant = t;
		o->message = mq_message_ref(message);
		o->qos = (uint8_t)qos;
		o->version = version;
		o->instance = list_entry(n, struct mq_peer, node)->instance;
		o->wait = wait;
		mq_wait_open(wait);
		wheel_timer_init(&o->retry, on_retry);
		list_push_back(&b->several->retaining, &o->node);
		call(o);
	}
}

void mq_retained_tell_end(struct mq_broker *b)
{
	while (!list_empty(&b->several->retaining))
		telling_end(list_entry(b->several->retaining.next, struct telling, node), MQTT_SERVER_SHUTTING_DOWN);
}

void on_mqtt_retained(struct ipc_call *call_, const Starling__MqttRetainedNews *request)
{
	static const Starling__Empty empty = STARLING__EMPTY__INIT;
	struct mq_broker *b = ipc_call_daemon(call_);
	const Starling__MqttRetained *r = request->retained;
	struct mq_tenant *t;
	struct mq_message *m = r && r->message ? mq_wire_message(b, r->message, (struct str){ 0 }, &t) : NULL;

	if (m && !mq_retain_other(t, m, r->message->qos & 3, r->version))
		mq_retained_load(t, m, r->message->qos & 3, r->version);
	reply_mqtt_retained(call_, &empty);
}
