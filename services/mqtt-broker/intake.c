/* SPDX-License-Identifier: Apache-2.0
 *
 * intake: messages with QoS 2 from a client whose session lasts (MQTT 5.0 section 4.3.3). First the store remembers the packet identifier and gives the message
 * a name, then it is routed, then PUBREC goes out. Who sends it again, to whatever broker, has it routed under the same name, and no queue takes it twice. */
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/wire.h"

#define RETRY_MS 512u

struct mq_intake {
	struct list_node node; /* of the session's */
	struct mq_session *session;
	struct mq_client *client; /* who gets PUBREC; its session may have another one by now */
	struct mq_message *message;
	struct wheel_timer retry;
	uint64_t number; /* among the client's answers */
	uint64_t key_origin, key_number;
	uint16_t packet_id;
	bool retain, again, named, routed;
};

static void call(struct mq_intake *in);

static void on_retry(struct wheel_timer *t)
{
	call(list_entry(t, struct mq_intake, retry));
}

static void intake_free(struct mq_intake *in)
{
	list_remove(&in->node);
	mq_message_unref(&in->message);
	mq_client_unref(in->client);
	mq_session_unref(&in->session);
	mem_free(in);
}

/* Those that wait for an answer of the store end when it comes. */
void mq_intakes_end(struct mq_lasting *l)
{
	list_for_each_safe (n, &l->intakes) {
		struct mq_intake *in = list_entry(n, struct mq_intake, node);
		bool waits = in->routed || (!in->named && list_unlinked(&in->retry.node));

		list_remove(&in->node);
		net_timer_cancel(l->broker->net, &in->retry);
		if (!waits)
			intake_free(in);
	}
}

/* --- the way ------------------------------------------------------------------------------------------------------ */

/* Refused, the exchange is over (section 4.3.3); before 5.0 nothing can be refused, and it goes on. */
static void finish(struct mq_intake *in, enum mqtt_reason reason)
{
	struct mq_session *s = in->session;

	if (!s->ended && reason >= MQTT_UNSPECIFIED_ERROR && in->client->peer.version == MQTT_5) {
		mq_received_remove(&s->received, in->packet_id);
		mq_release(s, NULL, in->packet_id);
	}
	list_remove(&in->node);
	mq_publish_done(in->client, in->number, reason);
	intake_free(in);
}

static void on_routed(void *ctx, enum mqtt_reason reason)
{
	finish(ctx, reason);
}

static void route(struct mq_intake *in)
{
	struct mq_session *s = in->session;
	struct mq_publication p = { .m = in->message->m, .expires_ms = in->message->expires_ms, .qos = 2, .retain = in->retain, .from = s };
	enum mqtt_reason reason;
	struct mq_wait *wait;

	p.kept = mq_message_ref(in->message);
	p.key_origin = in->key_origin;
	p.key_number = in->key_number;
	p.again = in->again;
	in->routed = true;
	wait = mq_route_wait(s->tenant, &p, &reason);
	mq_publication_end(&p);
	if (wait) {
		wait->fn = on_routed;
		wait->ctx = in;
	} else {
		finish(in, reason);
	}
}

/* In the order in which they came ([MQTT-4.6.0-6]): who has no name yet holds back those behind it. */
static void route_named(struct mq_session *s)
{
	mq_session_ref(s);
	for (bool more = true; more && !s->ended;) {
		more = false;
		list_for_each (n, &s->lasting->intakes) {
			struct mq_intake *in = list_entry(n, struct mq_intake, node);

			if (in->routed)
				continue;
			if (in->named) {
				route(in);
				more = true;
			}
			break;
		}
	}
	mq_session_unref(&s);
}

/* --- the name ----------------------------------------------------------------------------------------------------- */

static void on_received(const struct ipc_result *result, const Starling__MqttReceiveReply *reply, void *ctx)
{
	struct mq_intake *in = ctx;
	struct mq_session *s = in->session;

	if (s->ended) {
		intake_free(in);
	} else if (ipc_ok(result)) {
		in->key_origin = reply->key_origin;
		in->key_number = reply->key_number;
		in->again = reply->again;
		in->named = true;
		route_named(s);
	} else if (result->code == STARLING__CODE__CODE_FENCED || result->code == STARLING__CODE__CODE_NOT_FOUND) {
		list_remove(&in->node);
		mq_lasting_lost(s);
		intake_free(in);
	} else {
		metric_inc(&mq_metrics.store_failed);
		net_timer_set(s->lasting->broker->net, &in->retry, RETRY_MS);
	}
}

static void call(struct mq_intake *in)
{
	Starling__MqttReceiveRequest request = STARLING__MQTT_RECEIVE_REQUEST__INIT;
	Starling__MqttFence fence = STARLING__MQTT_FENCE__INIT;
	struct mq_lasting *l = in->session->lasting;
	struct ipc_opts opts = mq_wire_opts(l->broker);

	fence.session = l->fence.session;
	fence.epoch = l->fence.epoch;
	request.fence = &fence;
	request.packet = in->packet_id;
	call_storage_mqtt_receive(l->broker->bus, ipc_any("storage"), &opts, &request, on_received, in);
}

void mq_intake(struct mq_client *c, struct mq_publication *p, uint16_t packet_id)
{
	struct mq_intake *in = mem_new(struct mq_intake);
	struct mq_session *s = c->session;

	in->session = mq_session_ref(s);
	in->client = mq_client_ref(c);
	in->message = mq_publication_keep(p);
	in->retain = p->retain;
	in->packet_id = packet_id;
	in->number = mq_acks_push(&c->acks, MQTT_PUBREC, packet_id);
	wheel_timer_init(&in->retry, on_retry);
	list_push_back(&s->lasting->intakes, &in->node);
	mq_received_add(&s->received, packet_id);
	mq_received_remove(&s->lasting->unsure, packet_id);
	call(in);
}

bool mq_intake_again(struct mq_client *c, uint16_t packet_id)
{
	list_for_each (n, &c->session->lasting->intakes) {
		struct mq_intake *in = list_entry(n, struct mq_intake, node);

		if (in->packet_id != packet_id)
			continue;
		if (in->client != c) {
			mq_client_unref(in->client);
			in->client = mq_client_ref(c);
			in->number = mq_acks_push(&c->acks, MQTT_PUBREC, packet_id);
		}
		return true;
	}
	return false;
}
