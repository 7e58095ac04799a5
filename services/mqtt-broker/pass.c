/* SPDX-License-Identifier: Apache-2.0
 *
 * pass: one message on its way to one other broker. With QoS 1 and 2 it is sent again until that has it, or is gone; those behind it wait meanwhile, so that they
 * stay in order. */
#include "common/base/mem.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/route.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define RETRY_MIN_MS 128u
#define RETRY_MAX_MS 2048u

struct mq_pass {
	struct list_node node; /* of the peer's */
	struct mq_peer *peer;  /* NULL: gone, and an answer is awaited */
	struct mq_spread *spread;
	struct mq_wait *wait;
	bool sent, again;
};

/* What is said of a message: made, used and freed again within one function. */
struct request {
	Starling__MqttPublishRequest body;
	struct mq_wire wire;
	char *publisher;
	Starling__MqttGroup *rows, **list;
};

static void fill(struct request *r, struct mq_tenant *t, const struct mq_message *m, unsigned qos, bool retain,
                 const struct mq_session *from)
{
	starling__mqtt_publish_request__init(&r->body);
	mq_wire_init(&r->wire, t, m, qos, retain, false);
	if (from) {
		r->publisher = mq_wire_name(t, from->id);
		r->wire.message.publisher = r->publisher;
	}
	r->body.message = &r->wire.message;
}

static void add_groups(struct request *r, const struct mq_peer *p, const struct mq_pick *picks, uint32_t n)
{
	r->rows = mem_alloc((n + 1) * sizeof(*r->rows));
	r->list = mem_alloc((n + 1) * sizeof(*r->list));
	r->body.groups = r->list;
	for (uint32_t i = 0; i < n; i++) {
		Starling__MqttGroup *row = &r->rows[r->body.n_groups];

		if (picks[i].peer != p || picks[i].done)
			continue;
		starling__mqtt_group__init(row);
		row->filter = picks[i].filter;
		row->group = picks[i].group;
		r->list[r->body.n_groups++] = row;
	}
}

static void request_free(struct request *r)
{
	mq_wire_fini(&r->wire);
	mem_free(r->publisher);
	mem_free(r->rows);
	mem_free(r->list);
}

void mq_pass_once(struct mq_peer *p, struct mq_tenant *t, struct mq_publication *pub, const struct mq_pick *picks, uint32_t n)
{
	struct mq_message view = { .m = pub->m, .expires_ms = pub->expires_ms, .refs = 1 };
	struct ipc_opts opts = mq_wire_opts(p->broker);
	struct request r = { 0 };

	fill(&r, t, &view, pub->qos, pub->retain, pub->from);
	add_groups(&r, p, picks, n);
	opts.payload = r.wire.payload;
	metric_inc(&mq_metrics.peer_sent);
	send_mqtt_publish_once(p->broker->bus, ipc_instance(p->instance), &opts, &r.body);
	request_free(&r);
}

/* --- QoS 1 and 2 -------------------------------------------------------------------------------------------------- */

static void pass_end(struct mq_pass *o, enum mqtt_reason reason)
{
	struct mq_wait *wait = o->wait;

	list_remove(&o->node);
	if (o->peer)
		o->peer->broker->several->pass_n--;
	mem_free(o);
	mq_wait_close(wait, reason);
}

static void take_reply(struct mq_pass *o, const Starling__MqttPublishReply *reply)
{
	struct mq_spread *s = o->spread;

	s->redo |= reply->moved;
	for (uint32_t i = 0; i < s->pick_n; i++) {
		struct mq_pick *pick = &s->picks[i];
		bool missed = false;

		if (pick->peer != o->peer)
			continue;
		for (size_t k = 0; k < reply->n_missed; k++)
			missed |= strcmp(reply->missed[k]->filter, pick->filter) == 0 && strcmp(reply->missed[k]->group, pick->group) == 0;
		pick->done |= !missed;
		s->redo |= missed;
	}
}

static void on_passed(const struct ipc_result *result, const Starling__MqttPublishReply *reply, void *ctx)
{
	struct mq_pass *o = ctx;
	struct mq_peer *p = o->peer;

	if (!p) {
		pass_end(o, MQTT_SUCCESS);
	} else if (ipc_ok(result)) {
		p->pass_wait_ms = 0;
		take_reply(o, reply);
		pass_end(o, MQTT_SUCCESS);
	} else if (result->code == STARLING__CODE__CODE_INVALID) {
		log_error(p->broker->log, "another broker refuses a message: %s", result->text);
		pass_end(o, MQTT_IMPLEMENTATION_SPECIFIC);
	} else {
		o->sent = false;
		o->again |= mq_wire_doubtful(result->code);
		if (p->pass_wait_ms && !list_unlinked(&p->pass_retry.node))
			return;
		p->pass_wait_ms = p->pass_wait_ms ? p->pass_wait_ms * 2 : RETRY_MIN_MS;
		if (p->pass_wait_ms > RETRY_MAX_MS)
			p->pass_wait_ms = RETRY_MAX_MS;
		net_timer_set(p->broker->net, &p->pass_retry, p->pass_wait_ms);
	}
}

static void call(struct mq_pass *o)
{
	const struct mq_spread *s = o->spread;
	struct ipc_opts opts = mq_wire_opts(s->broker);
	struct request r = { 0 };

	fill(&r, s->tenant, s->message, s->qos, s->retain, s->from);
	add_groups(&r, o->peer, s->picks, s->pick_n);
	r.body.key_origin = s->key_origin;
	r.body.key_number = s->key_number;
	r.body.again = s->again || o->again;
	r.body.round = s->round;
	opts.payload = r.wire.payload;
	o->sent = true;
	call_mqtt_publish(s->broker->bus, ipc_instance(o->peer->instance), &opts, &r.body, on_passed, o);
	request_free(&r);
}

void mq_passes_on_retry(struct wheel_timer *t)
{
	struct mq_peer *p = list_entry(t, struct mq_peer, pass_retry);

	list_for_each (n, &p->passes) {
		struct mq_pass *o = list_entry(n, struct mq_pass, node);

		if (o->sent)
			continue;
		metric_inc(&mq_metrics.peer_again);
		call(o);
	}
}

void mq_pass(struct mq_peer *p, struct mq_spread *s)
{
	struct mq_pass *o = mem_new(struct mq_pass);

	o->peer = p;
	o->spread = s;
	p->broker->several->pass_n++;
	metric_inc(&mq_metrics.peer_sent);
	o->wait = s->wait;
	mq_wait_open(o->wait);
	list_push_back(&p->passes, &o->node);
	if (list_unlinked(&p->pass_retry.node))
		call(o);
}

/* What it had not answered is matched anew when its sessions are elsewhere. */
void mq_passes_end(struct mq_peer *p)
{
	while (!list_empty(&p->passes)) {
		struct mq_pass *o = list_entry(p->passes.next, struct mq_pass, node);

		o->spread->redo = true;
		for (uint32_t i = 0; i < o->spread->pick_n; i++) {
			if (o->spread->picks[i].peer == p)
				o->spread->picks[i].peer = NULL;
		}
		o->peer = NULL;
		p->broker->several->pass_n--;
		list_remove(&o->node);
		if (!o->sent)
			pass_end(o, MQTT_SUCCESS);
	}
}
