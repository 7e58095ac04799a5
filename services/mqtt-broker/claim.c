/* SPDX-License-Identifier: Apache-2.0
 *
 * claim: before CONNACK a client identifier is taken from all other brokers (MQTT 5.0 section 3.1.4, [MQTT-3.1.4-3]). With the few that there are, asking all
 * costs no more than keeping one informed, and nothing has to be handed over when one comes or goes. */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define RETRY_MS 256u

/* What one broker is asked. */
struct question {
	struct list_node node; /* of the broker's */
	struct mq_claim *claim;
	uint64_t instance;
	struct wheel_timer retry;
};

static void ask(struct question *q);

struct mq_claim *mq_claim_find(struct mq_tenant *t, struct str id)
{
	list_for_each (n, &t->broker->several->claims) {
		struct mq_claim *o = list_entry(n, struct mq_claim, node);

		if (o->tenant == t && str_eq(o->id, id))
			return o;
	}
	return NULL;
}

static void let_go(struct mq_claim *o)
{
	struct mq_client *c = o->client;

	o->client = NULL;
	if (!c)
		return;
	c->login->claim = NULL;
	mq_client_unref(c);
}

static void claim_free(struct mq_claim *o)
{
	let_go(o);
	list_remove(&o->node);
	mem_free((char *)(uintptr_t)o->id.p);
	mem_free(o->name);
	mem_free(o->user);
	mem_free(o);
}

/* All have answered. A session that was let go for a client that is gone is nobody's: it is taken all the same. */
static void done(struct mq_claim *o)
{
	struct mq_broker *b = o->broker;
	struct mq_client *c = o->client ? mq_client_ref(o->client) : NULL;
	bool known = o->known || b->several->unsettled;
	struct mq_sent sent = o->sent;

	if (!c && o->known && !o->lost && !b->stopped)
		mq_adopt_name(b, o->name);
	claim_free(o);
	if (c && c->state != MQ_CLOSING && !b->stopped)
		mq_connect_claimed(c, known, sent);
	if (c)
		mq_client_unref(c);
	mq_claimed_look(b);
}

static void end_client(struct mq_claim *o, enum mqtt_reason reason, const char *text)
{
	struct mq_client *c = o->client;

	if (!c)
		return;
	mq_client_ref(c);
	let_go(o);
	mq_connect_refuse(c, reason, text);
	mq_client_unref(c);
}

static void question_end(struct question *q)
{
	struct mq_claim *o = q->claim;

	net_timer_cancel(o->broker->net, &q->retry);
	list_remove(&q->node);
	mem_free(q);
	if (--o->open == 0)
		done(o);
}

static void on_retry(struct wheel_timer *t)
{
	ask(list_entry(t, struct question, retry));
}

static void on_claimed(const struct ipc_result *result, const Starling__MqttClaimReply *reply, void *ctx)
{
	struct question *q = ctx;
	struct mq_claim *o = q->claim;

	if (ipc_ok(result)) {
		o->known |= reply->known;
		if (reply->sent)
			o->sent = (struct mq_sent){ true, reply->sent->perhaps, reply->sent->certainly };
		if (reply->refused) {
			end_client(o, MQTT_CLIENT_ID_INVALID, "another user has this client identifier");
		} else if (reply->lost) {
			o->lost = true;
			end_client(o, MQTT_SESSION_TAKEN_OVER, "");
		}
	} else if (!mq_peer_lost(o->broker, q->instance)) {
		net_timer_set(o->broker->net, &q->retry, RETRY_MS);
		return;
	}
	question_end(q);
}

static void ask(struct question *q)
{
	struct mq_claim *o = q->claim;
	Starling__MqttClaimRequest request = STARLING__MQTT_CLAIM_REQUEST__INIT;
	struct ipc_opts opts = mq_wire_opts(o->broker);

	if (mq_peer_lost(o->broker, q->instance)) {
		question_end(q);
		return;
	}
	request.name = o->name;
	request.since_us = o->since_us;
	request.user = o->user;
	call_mqtt_claim(o->broker->bus, ipc_instance(q->instance), &opts, &request, on_claimed, q);
}

void mq_claim(struct mq_client *c)
{
	struct mq_broker *b = c->broker;
	struct mq_claim *o = mq_claim_find(c->tenant, c->login->id);

	if (c->state != MQ_LOGIN)
		mq_client_set_state(c, MQ_LOGIN);
	if (o) { /* [MQTT-3.1.4-3]; what is being asked is asked for this one now */
		end_client(o, MQTT_SESSION_TAKEN_OVER, "");
		o->client = mq_client_ref(c);
		c->login->claim = o;
		return;
	}
	o = mem_new(struct mq_claim);
	o->broker = b;
	o->client = mq_client_ref(c);
	o->tenant = c->tenant;
	o->id = str_make(mem_strndup(c->login->id.p, c->login->id.n), c->login->id.n);
	o->name = mq_wire_name(c->tenant, o->id);
	o->user = mem_strdup(c->login->user ? c->login->user : "");
	o->since_us = clock_wall_us();
	o->open = 1;
	c->login->claim = o;
	list_push_back(&b->several->claims, &o->node);
	list_for_each (n, &b->several->peers) {
		struct question *q = mem_new(struct question);

		list_push_back(&b->several->questions, &q->node);
		q->claim = o;
		q->instance = list_entry(n, struct mq_peer, node)->instance;
		wheel_timer_init(&q->retry, on_retry);
		o->open++;
		ask(q);
	}
	if (--o->open == 0)
		done(o);
}

void mq_claim_abandon(struct mq_client *c)
{
	if (c->login && c->login->claim)
		let_go(c->login->claim);
}

/* The bus has ended: no answer comes any more. */
void mq_claims_end(struct mq_broker *b)
{
	list_for_each_safe (n, &b->several->questions) {
		struct question *q = list_entry(n, struct question, node);

		net_timer_cancel(b->net, &q->retry);
		list_remove(&q->node);
		mem_free(q);
	}
	list_for_each_safe (n, &b->several->claims)
		claim_free(list_entry(n, struct mq_claim, node));
}
