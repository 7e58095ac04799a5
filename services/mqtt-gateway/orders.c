/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/orders.h"

#include "common/base/mem.h"
#include "common/mqtt/mqtt_encode.h"
#include "services/mqtt-gateway/metrics.h"
#include "services/mqtt-gateway/stanza.h"

#define LOOK_MS    1000u
#define ID_MAX     60000u            /* beyond them is the SUBSCRIBE's (gateway.h) */
#define OUTPUT_MAX ((size_t)1 << 20) /* bytes that wait in the connection: a broker that is slow is not given more */

struct order {
	struct list_node node;
	struct request *request; /* NULL: it took too long, and was answered; only its packet identifier is in use */
	uint16_t packet_id;      /* 0: none yet, or QoS 0 */
	bool sent;               /* over this connection */
	uint8_t qos;
	bool retain;
	uint64_t since_ms;
	size_t size;               /* in memory, with its request's stanza */
	struct str topic, payload; /* behind it */
};

static struct order *order_of(struct list_node *n)
{
	return list_entry(n, struct order, node);
}

static void order_free(struct orders *o, struct order *i)
{
	list_remove(&i->node);
	o->count--;
	o->bytes -= i->size;
	o->inflight -= i->sent && i->qos > 0;
	mem_free(i);
}

/* Its request is the caller's. */
static struct request *take_request(struct order *i)
{
	struct request *r = i->request;

	i->request = NULL;
	return r;
}

/* --- to the broker ------------------------------------------------------------------------------------------------ */

static bool id_used(const struct orders *o, uint16_t id)
{
	list_for_each (n, &o->all) {
		if (order_of(n)->packet_id == id)
			return true;
	}
	return false;
}

/* So few are in flight that there is always a free one. */
static uint16_t next_id(struct orders *o)
{
	do
		o->last_id = (uint16_t)(o->last_id >= ID_MAX ? 1 : o->last_id + 1);
	while (id_used(o, o->last_id));
	return o->last_id;
}

static size_t pending(const struct buf *b)
{
	return b->n - b->start;
}

static bool may_send(const struct orders *o)
{
	struct gateway *g = o->gateway;
	const struct mqtt_client *c = &g->link.client;
	uint32_t window = (uint32_t)g->config->window;

	if (g->state != GATEWAY_UP || c->state != MQTT_CLIENT_LIVE || pending(gateway_output(g)) > OUTPUT_MAX)
		return false;
	return o->inflight < (c->receive_max < window ? c->receive_max : window);
}

/* False: the broker takes none that is so large. */
static bool write_order(struct orders *o, struct order *i)
{
	const struct mqtt_client *c = &o->gateway->link.client;
	struct mqtt_publish p = { .topic = i->topic, .payload = i->payload };
	bool had = i->packet_id > 0;

	p.qos = i->qos < c->qos_max ? i->qos : c->qos_max;
	p.retain = i->retain && c->retains;
	p.dup = had && c->present;
	if (p.qos > 0 && !had)
		i->packet_id = next_id(o);
	p.packet_id = p.qos > 0 ? i->packet_id : 0;
	i->qos = p.qos;
	return mqtt_encode_publish(gateway_output(o->gateway), &c->peer, &p) > 0;
}

static void orders_send(struct orders *o)
{
	list_for_each_safe (n, &o->all) {
		struct order *i = order_of(n);
		struct request *r;

		if (i->sent)
			continue;
		if (!may_send(o))
			return;
		if (!write_order(o, i)) {
			metric_inc(&gateway_metrics.refused_size);
			r = take_request(i);
			order_free(o, i);
			request_error(r, "not-acceptable", "The text is too long.");
		} else if (i->qos > 0) {
			i->sent = true;
			o->inflight++;
		} else {
			metric_inc(&gateway_metrics.to_topic);
			r = take_request(i);
			order_free(o, i);
			request_handled(r);
		}
	}
}

void order_new(struct orders *o, struct request *r, const struct rule *rule, struct str topic, struct str payload)
{
	struct gateway *g = o->gateway;
	size_t size = sizeof(struct order) + topic.n + payload.n + r->bytes.n;
	struct order *i;
	char *text;

	if (o->count >= (uint32_t)g->config->orders || o->bytes + size > (size_t)g->config->orders_bytes) {
		metric_inc(&gateway_metrics.refused_busy);
		request_error(r, "resource-constraint", "Too many messages wait here.");
		return;
	}
	i = mem_zalloc(sizeof(*i) + topic.n + payload.n + 1);
	text = (char *)(i + 1);
	memcpy(text, topic.p, topic.n);
	memcpy(text + topic.n, payload.p, payload.n);
	i->topic = str_make(text, topic.n);
	i->payload = str_make(text + topic.n, payload.n);
	i->request = r;
	i->qos = rule->qos;
	i->retain = rule->retain;
	i->since_ms = net_now(g->net);
	i->size = size;
	list_push_back(&o->all, &i->node);
	o->count++;
	o->bytes += size;
	orders_send(o);
}

/* --- from the broker ---------------------------------------------------------------------------------------------- */

static const struct {
	uint8_t reason;
	const char *condition, *text;
} refusals[] = {
	{ MQTT_NOT_AUTHORIZED, "not-allowed", "The broker's rules do not allow this topic." },
	{ MQTT_QUOTA_EXCEEDED, "resource-constraint", "The broker takes no more." },
	{ MQTT_PACKET_TOO_LARGE, "not-acceptable", "The text is too long." },
	{ 0, "service-unavailable", "The broker does not take it." },
};

static void answer(struct request *r, uint8_t reason)
{
	size_t i = 0;

	if (reason < MQTT_UNSPECIFIED_ERROR) {
		metric_inc(&gateway_metrics.to_topic);
		request_handled(r);
		return;
	}
	while (refusals[i].reason && refusals[i].reason != reason)
		i++;
	metric_inc(&gateway_metrics.refused_broker);
	request_error(r, refusals[i].condition, refusals[i].text);
}

bool orders_acked(struct orders *o, const struct mqtt_ack *a)
{
	list_for_each (n, &o->all) {
		struct order *i = order_of(n);
		struct request *r;

		if (!i->sent || i->packet_id != a->packet_id)
			continue;
		r = take_request(i);
		order_free(o, i);
		if (r)
			answer(r, a->reason);
		orders_send(o);
		return true;
	}
	return false;
}

void orders_connected(struct orders *o)
{
	orders_send(o);
}

void orders_disconnected(struct orders *o)
{
	list_for_each_safe (n, &o->all) {
		struct order *i = order_of(n);

		o->inflight -= i->sent && i->qos > 0;
		i->sent = false;
		if (!i->request)
			order_free(o, i);
	}
}

/* --- too long ------------------------------------------------------------------------------------------------------ */

/* Who waits is told. What was sent may arrive all the same. */
static void on_expiry(struct wheel_timer *t)
{
	struct orders *o = list_entry(t, struct orders, expiry);
	struct gateway *g = o->gateway;

	list_for_each_safe (n, &o->all) {
		struct order *i = order_of(n);
		struct request *r;

		if (!i->request || net_now(g->net) - i->since_ms < (uint64_t)g->config->publish_ms)
			continue;
		r = take_request(i);
		if (!i->sent)
			order_free(o, i);
		metric_inc(&gateway_metrics.refused_timeout);
		request_error(r, "remote-server-timeout", "The MQTT broker does not answer.");
	}
	orders_send(o);
	net_timer_set(g->net, &o->expiry, LOOK_MS);
	gateway_look(g);
}

void orders_init(struct orders *o, struct gateway *g)
{
	*o = (struct orders){ .gateway = g };
	list_init(&o->all);
	wheel_timer_init(&o->expiry, on_expiry);
	net_timer_set(g->net, &o->expiry, LOOK_MS);
}

/* Whoever sent them gets an error from who passed them on. */
void orders_fini(struct orders *o)
{
	net_timer_cancel(o->gateway->net, &o->expiry);
	while (!list_empty(&o->all)) {
		struct order *i = order_of(o->all.next);
		struct request *r = take_request(i);

		order_free(o, i);
		if (!r)
			continue;
		r->code = STARLING__CODE__CODE_UNAVAILABLE;
		request_handled(r);
	}
}
