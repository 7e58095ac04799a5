/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/intake.h"

#include "common/base/mem.h"
#include "common/mqtt/mqtt_encode.h"
#include "services/mqtt-gateway/gateway.h"
#include "services/mqtt-gateway/metrics.h"

void intake_init(struct intake *in, struct gateway *g)
{
	*in = (struct intake){ .gateway = g };
	list_init(&in->entries);
	letters_init(&in->letters, g);
}

static void entry_free(struct intake *in, struct entry *e)
{
	list_remove(&e->node);
	in->count--;
	mem_free(e);
}

static void forget_entries(struct intake *in)
{
	while (!list_empty(&in->entries))
		entry_free(in, list_entry(in->entries.next, struct entry, node));
}

void intake_fini(struct intake *in)
{
	letters_fini(&in->letters);
	forget_entries(in);
}

/* --- acknowledgements --------------------------------------------------------------------------------------------- */

static void acknowledge(struct intake *in)
{
	const struct mqtt_client *c = &in->gateway->link.client;

	while (!list_empty(&in->entries)) {
		struct entry *e = list_entry(in->entries.next, struct entry, node);

		if (e->open > 0)
			return;
		if (c->state == MQTT_CLIENT_LIVE)
			mqtt_encode_short_ack(gateway_output(in->gateway), &c->peer, MQTT_PUBACK, e->packet_id, MQTT_SUCCESS);
		entry_free(in, e);
	}
}

void intake_settled(struct intake *in, struct entry *e)
{
	e->open--;
	acknowledge(in);
}

static struct entry *entry_new(struct intake *in, const struct mqtt_publish *p, uint32_t open)
{
	struct entry *e = mem_new(struct entry);

	e->packet_id = p->packet_id;
	e->open = open;
	list_push_back(&in->entries, &e->node);
	in->count++;
	return e;
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static const struct {
	struct metric *count;
	const char *text;
} troubles[] = {
	[TO_USER_EMPTY] = { &gateway_metrics.empty, "a message without text" },
	[TO_USER_PAYLOAD] = { &gateway_metrics.payload, "a payload that is not what the rule wants" },
	[TO_USER_SIZE] = { &gateway_metrics.too_large, "a text that is too long" },
	[TO_USER_ADDRESS] = { &gateway_metrics.address, "a topic or payload that gives no valid address" },
};

static void tell_trouble(struct intake *in, struct rule *r, enum to_user_result result, struct str topic)
{
	metric_inc(troubles[result].count);
	gateway_say_once(in->gateway, r, 1u << result, "%s (topic %.*s)", troubles[result].text, topic.n > 100 ? 100 : (int)topic.n,
	                 topic.p);
}

static void send_all(struct intake *in, struct rule *r, const struct mqtt_publish *p, const struct to_user *m)
{
	struct entry *e = p->qos > 0 ? entry_new(in, p, (uint32_t)m->to_count) : NULL;

	/* One address of several. */
	if (m->to_count < r->to_count)
		tell_trouble(in, r, TO_USER_ADDRESS, p->topic);
	for (size_t i = 0; i < m->to_count; i++)
		letter_send(&in->letters, r, m, i, e, p->dup);
}

void intake_publish(struct intake *in, const struct mqtt_publish *p)
{
	struct gateway *g = in->gateway;
	enum to_user_result result = TO_USER_EMPTY;
	struct to_user m = { 0 };
	struct str filter;
	struct rule *r = rules_for_topic(g->rules, p->topic, &filter);

	if (!r) {
		metric_inc(&gateway_metrics.no_rule);
	} else if (p->qos == 0 && in->letters.count >= (uint32_t)g->config->window) {
		metric_inc(&gateway_metrics.slow);
	} else {
		result = to_user_make(r, filter, p, (size_t)g->config->body_bytes, &m);
		if (result == TO_USER_OK)
			send_all(in, r, p, &m);
		else
			tell_trouble(in, r, result, p->topic);
	}
	/* It has its place in line: nothing is acknowledged before what came before it. */
	if (result != TO_USER_OK && p->qos > 0) {
		entry_new(in, p, 0);
		acknowledge(in);
	}
	to_user_fini(&m);
}

void intake_disconnected(struct intake *in)
{
	letters_forget(&in->letters);
	forget_entries(in);
}

bool intake_idle(const struct intake *in)
{
	return list_empty(&in->entries) && in->letters.count == 0;
}
