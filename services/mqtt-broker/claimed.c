/* SPDX-License-Identifier: Apache-2.0
 *
 * claimed: a client identifier that another broker claims: whoever is connected under it is disconnected (0x8E), and a session that lasts is let go in the store.
 * What was being written for it need not be waited for: what the store does not take any more is matched anew, as after a crash. */
#include "common/base/mem.h"
#include "ipc/gen/mqtt.server.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define RETRY_MS 256u

struct claimed {
	struct list_node node;
	struct mq_broker *broker;
	struct ipc_call *call;
	struct mq_tenant *tenant;
	struct str id; /* in name */
	char *name, *user;
	int64_t since_us;
	uint64_t from;
	bool ended_client; /* ours that asked for it was the earlier one */
	Starling__MqttSent sent;
	Starling__MqttFence fence;
	struct wheel_timer retry; /* of letting go */
};

static void answer(struct claimed *o, bool known, bool lost, bool refused)
{
	Starling__MqttClaimReply reply = STARLING__MQTT_CLAIM_REPLY__INIT;

	reply.known = known;
	reply.lost = lost;
	reply.refused = refused;
	reply.sent = known && o->sent.base.descriptor ? &o->sent : NULL;
	if (o->broker->stopped)
		ipc_fail(o->call, STARLING__CODE__CODE_UNAVAILABLE, "ends");
	else
		reply_mqtt_claim(o->call, &reply);
	list_remove(&o->node);
	net_timer_cancel(o->broker->net, &o->retry);
	mem_free(o->name);
	mem_free(o->user);
	mem_free(o);
}

/* --- letting go --------------------------------------------------------------------------------------------------- */

static void let_go(struct claimed *o);

static void on_retry(struct wheel_timer *t)
{
	let_go(list_entry(t, struct claimed, retry));
}

static void on_let_go(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct claimed *o = ctx;

	(void)reply;
	if (!o->broker->stopped && mq_wire_passing(result->code))
		net_timer_set(o->broker->net, &o->retry, RETRY_MS);
	else
		answer(o, true, false, false);
}

static void let_go(struct claimed *o)
{
	Starling__MqttCloseRequest request = STARLING__MQTT_CLOSE_REQUEST__INIT;
	struct ipc_opts opts = mq_wire_opts(o->broker);

	request.fence = &o->fence;
	call_storage_mqtt_close(o->broker->bus, ipc_any("storage"), &opts, &request, on_let_go, o);
}

/* Its client goes as if the broker had died: what becomes of its will, whoever opens the session decides. */
static void yield(struct claimed *o, struct mq_session *s)
{
	struct mq_client *c = s->client;

	starling__mqtt_fence__init(&o->fence);
	o->fence.session = s->lasting->fence.session;
	o->fence.epoch = s->lasting->fence.epoch;
	starling__mqtt_sent__init(&o->sent);
	o->sent.perhaps = s->lasting->sent;
	o->sent.certainly = s->lasting->sent_known;
	list_push_back(&o->broker->several->yielding, &o->node);
	mq_ghost_new(s, o->from, o->since_us);
	if (c)
		mq_client_end(c, MQTT_SESSION_TAKEN_OVER, "");
	let_go(o);
}

/* --- who has it --------------------------------------------------------------------------------------------------- */

static bool later(const struct claimed *o, const struct mq_claim *ours)
{
	return o->since_us > ours->since_us || (o->since_us == ours->since_us && o->from > ipc_bus_instance(o->broker->bus));
}

/* A client of ours that asks for it as well: of two the later one. True: the other one's it is. */
static bool beats_ours(struct claimed *o, struct mq_claim *ours)
{
	struct mq_client *c = ours->client;

	if (!c)
		return true;
	if (!later(o, ours))
		return false;
	ours->lost = true;
	mq_connect_refuse(c, MQTT_SESSION_TAKEN_OVER, "");
	return true;
}

/* True: it is answered, or will be. False: something is on its way, and this is to be looked at again behind it. */
static bool look(struct claimed *o)
{
	struct mq_claim *ours = mq_claim_find(o->tenant, o->id);
	struct mq_session *s = mq_names_get(&o->tenant->sessions, o->id);
	struct mq_ghost *g;

	if (ours && !beats_ours(o, ours)) {
		answer(o, false, true, false);
		return true;
	}
	if (s && !mq_session_is_of(s, o->user[0] ? o->user : NULL)) {
		answer(o, false, false, true);
		return true;
	}
	if (s && s->lasting && s->lasting->state == MQ_LASTING_READY && s->lasts && s->lasting->expiry_s > 0 && !s->lasting->opener) {
		yield(o, s);
		return true;
	}
	if (s && s->lasting && s->lasting->opener)
		mq_client_end(s->lasting->opener, MQTT_SESSION_TAKEN_OVER, "");
	if (s && s->client)
		mq_client_end(s->client, MQTT_SESSION_TAKEN_OVER, "");
	if (mq_names_get(&o->tenant->sessions, o->id))
		return false;
	g = mq_ghost_find(o->tenant, o->id);
	if (g && o->since_us >= g->since_us) {
		g->claimant = o->from;
		g->since_us = o->since_us;
	}
	answer(o, g != NULL, false, false);
	return true;
}

void mq_claimed_on_task(struct net_task *t)
{
	struct mq_several *s = list_entry(t, struct mq_several, claimed_task);
	struct list_node now;

	list_take(&s->claimed, &now);
	while (!list_empty(&now)) {
		struct claimed *o = list_entry(now.next, struct claimed, node);

		list_remove(&o->node);
		if (!look(o))
			list_push_back(&s->claimed, &o->node);
	}
}

void mq_claimed_look(struct mq_broker *b)
{
	if (!b->stopped && b->several && !list_empty(&b->several->claimed))
		net_defer(b->net, &b->several->claimed_task);
}

void mq_claimed_end(struct mq_broker *b)
{
	while (!list_empty(&b->several->claimed))
		answer(list_entry(b->several->claimed.next, struct claimed, node), false, false, false);
	while (!list_empty(&b->several->yielding))
		answer(list_entry(b->several->yielding.next, struct claimed, node), false, false, false);
}

void on_mqtt_claim(struct ipc_call *call, const Starling__MqttClaimRequest *request)
{
	struct mq_broker *b = ipc_call_daemon(call);
	Starling__MqttClaimReply none = STARLING__MQTT_CLAIM_REPLY__INIT;
	struct str id;
	struct mq_tenant *t = mq_wire_tenant(b, str_from(request->name), &id);
	struct claimed *o;

	if (!t) {
		reply_mqtt_claim(call, &none);
		return;
	}
	o = mem_new(struct claimed);
	list_init(&o->node);
	wheel_timer_init(&o->retry, on_retry);
	o->broker = b;
	o->call = call;
	o->tenant = t;
	o->name = mem_strdup(request->name);
	o->id = str_make(o->name + t->name.n + 1, id.n);
	o->user = mem_strdup(request->user);
	o->since_us = request->since_us;
	o->from = ipc_call_source(call);
	if (!look(o))
		list_push_back(&b->several->claimed, &o->node);
}
