/* SPDX-License-Identifier: Apache-2.0
 *
 * broker: the connection to our broker: one session that lasts, in which what comes waits while we are away (MQTT 5.0 section 4.1). */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/mqtt/mqtt_encode.h"
#include "common/mqtt/mqtt_reason.h"
#include "services/mqtt-gateway/gateway.h"
#include "services/mqtt-gateway/metrics.h"

#define STEADY_MS 10000u /* who was up for so long begins with the shortest wait again */

struct buf *gateway_output(struct gateway *g)
{
	return g->link.client.events->output(&g->link.client, g->link.client.ctx);
}

/* --- the end, and trying again ------------------------------------------------------------------------------------ */

void broker_connect(struct gateway *g)
{
	g->state = GATEWAY_OPENING;
	mqtt_link_open(&g->link, &g->party.addresses[0], (uint16_t)g->config->window, false);
}

static void on_retry(struct wheel_timer *t)
{
	broker_connect(list_entry(t, struct gateway, retry));
}

/* Twice as long each time. */
static uint64_t wait_ms(const struct gateway *g)
{
	uint64_t ms = (uint64_t)g->config->retry_min_ms, max = (uint64_t)g->config->retry_max_ms;

	for (uint32_t i = 1; i < g->failures && ms < max; i++)
		ms *= 2;
	if (ms > max)
		ms = max;
	return ms / 2 + random_u64() % (ms / 2 + 1);
}

/* The connection is gone, and nothing of it is on the stack. */
static void settle(struct net_task *t)
{
	struct gateway *g = list_entry(t, struct gateway, settle);

	if (g->state != GATEWAY_CLOSING || g->link.conn)
		return;
	intake_disconnected(&g->intake);
	orders_disconnected(&g->orders);
	if (g->draining || g->next_rules || !g->working) {
		g->state = GATEWAY_ENDED;
		gateway_closed(g);
		return;
	}
	g->state = GATEWAY_WAITING;
	net_timer_set(g->net, &g->retry, wait_ms(g));
}

void broker_close(struct gateway *g)
{
	if (g->state == GATEWAY_CLOSING || g->state == GATEWAY_ENDED)
		return;
	g->state = GATEWAY_CLOSING;
	metric_set(&gateway_metrics.connected, 0);
	net_timer_cancel(g->net, &g->retry);
	mqtt_link_close(&g->link);
	net_defer(g->net, &g->settle);
}

/* Once, and again when it is for another reason. */
static void say(struct gateway *g, enum log_level level, const char *why)
{
	if (g->state == GATEWAY_UP)
		log_write(level, g->log, "down: %s", why);
	else if (strcmp(why, g->why) != 0)
		log_write(level, g->log, "cannot connect: %s", why);
	snprintf(g->why, sizeof(g->why), "%s", why);
}

static struct gateway *gateway_of(struct mqtt_link *l)
{
	return list_entry(l, struct gateway, link);
}

static void on_failed(struct mqtt_link *l, enum log_level level, const char *why)
{
	struct gateway *g = gateway_of(l);
	char text[400];

	if (g->state != GATEWAY_OPENING && g->state != GATEWAY_UP)
		return;
	snprintf(text, sizeof(text), "our broker at %s port %u: %s", l->address->host, (unsigned)l->address->port, why);
	say(g, level, text);
	if (g->state == GATEWAY_UP && net_now(g->net) - g->up_ms >= STEADY_MS)
		g->failures = 0;
	g->failures++;
	metric_inc(&gateway_metrics.failed);
	broker_close(g);
}

static void on_refused(struct mqtt_link *l, enum mqtt_reason reason, const char *why)
{
	/* A broker that is just starting or stopping says so, and is none to look at. */
	bool passing = reason == MQTT_SUCCESS || reason == MQTT_SERVER_UNAVAILABLE || reason == MQTT_SERVER_BUSY ||
	               reason == MQTT_SERVER_SHUTTING_DOWN || reason == MQTT_USE_ANOTHER_SERVER || reason == MQTT_UNSPECIFIED_ERROR;

	on_failed(l, passing ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, why);
}

static void on_closed(struct mqtt_link *l)
{
	net_defer(gateway_of(l)->net, &gateway_of(l)->settle);
}

/* --- the beginning ------------------------------------------------------------------------------------------------ */

/* No Local: what users write to a topic does not come back to users. No retained messages: what was there before a rule is no news. */
static void subscribe(struct gateway *g)
{
	struct mqtt_subscribe p = { .packet_id = GATEWAY_SUBSCRIBE_ID };
	struct buf payload = { 0 };

	for (size_t i = 0; i < g->rules->count; i++) {
		const struct rule *r = &g->rules->items[i];

		for (size_t k = 0; k < r->topic_count; k++) {
			struct mqtt_subscription s = {
				.filter = str_from(r->topics[k]), .qos = r->qos, .no_local = true, .retain_handling = 2
			};

			mqtt_subscribe_add(&payload, MQTT_5, &s);
			p.count++;
		}
	}
	p.payload = buf_str(&payload);
	g->subscribing = p.count > 0;
	if (p.count > 0 && mqtt_encode_subscribe(gateway_output(g), &g->link.client.peer, &p) == 0)
		on_failed(&g->link, LOG_LEVEL_WARN, "the topics do not fit into a packet");
	buf_fini(&payload);
}

static void on_up(struct mqtt_link *l)
{
	struct gateway *g = gateway_of(l);

	g->state = GATEWAY_UP;
	g->up_ms = net_now(g->net);
	g->why[0] = '\0';
	metric_set(&gateway_metrics.connected, 1);
	metric_inc(&gateway_metrics.connects);
	log_info(g->log, "up broker=%s:%u session=%s", l->where, (unsigned)l->address->port, l->client.present ? "present" : "new");
	subscribe(g);
	if (g->state == GATEWAY_UP)
		orders_connected(&g->orders);
}

static void on_suback(struct mqtt_link *l, const struct mqtt_suback *a)
{
	struct gateway *g = gateway_of(l);
	size_t at = 0;

	if (!g->subscribing || a->packet_id != GATEWAY_SUBSCRIBE_ID) {
		on_failed(l, LOG_LEVEL_INFO, "SUBACK that nothing waits for");
		return;
	}
	g->subscribing = false;
	for (size_t i = 0; i < g->rules->count; i++) {
		for (size_t k = 0; k < g->rules->items[i].topic_count; k++) {
			unsigned reason = at < a->reasons.n ? (uint8_t)a->reasons.p[at++] : MQTT_UNSPECIFIED_ERROR;
			const char *name = mqtt_reason_name(reason, MQTT_SUBACK);

			if (reason >= MQTT_UNSPECIFIED_ERROR)
				log_warn(g->log, "rule %s: the broker refuses the subscription to %s: %s", g->rules->items[i].name,
				         g->rules->items[i].topics[k], name ? name : "");
		}
	}
	log_info(g->log, "subscribed");
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

static void on_publish(struct mqtt_link *l, const struct mqtt_publish *p)
{
	struct gateway *g = gateway_of(l);

	/* What is not acknowledged comes again to the next one. */
	if (g->draining)
		return;
	if (p->qos > 1)
		on_failed(l, LOG_LEVEL_INFO, "a QoS that was not asked for");
	else if (p->qos == 1 && g->intake.count >= l->receive_max)
		on_failed(l, LOG_LEVEL_INFO, "more messages at a time than Receive Maximum");
	else
		intake_publish(&g->intake, p);
}

static void on_ack(struct mqtt_link *l, enum mqtt_type type, const struct mqtt_ack *a)
{
	if (type != MQTT_PUBACK || !orders_acked(&gateway_of(l)->orders, a))
		on_failed(l, LOG_LEVEL_INFO, "an acknowledgement that nothing waits for");
	else
		gateway_look(gateway_of(l));
}

void broker_init(struct gateway *g)
{
	static const struct mqtt_link_events events = { on_up, on_failed, on_refused, on_closed, on_publish, on_ack, on_suback };

	g->state = GATEWAY_ENDED;
	wheel_timer_init(&g->retry, on_retry);
	net_task_init(&g->settle, settle);
	mqtt_link_init(&g->link, &g->env, &events, &g->party, NULL);
}

void broker_fini(struct gateway *g)
{
	net_timer_cancel(g->net, &g->retry);
	net_task_cancel(&g->settle);
	mqtt_link_drop(&g->link);
}
