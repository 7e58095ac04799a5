/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-bridge/span.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/mqtt/mqtt_reason.h"
#include "services/mqtt-bridge/metrics.h"

#define STEADY_MS 10000u /* who was up for so long begins with the shortest wait again */

static const char *const sides[WAYS] = { "our broker", "the remote broker" };

/* --- trying again ------------------------------------------------------------------------------------------------- */

static void begin(struct span *l)
{
	const struct mqtt_party *remote = &l->bridge->remote;

	l->state = SPAN_REMOTE;
	mqtt_link_open(&l->ends[WAY_IN].link, &remote->addresses[l->next % remote->address_count], (uint16_t)l->env->config->window,
	               !l->no_bit);
}

static void on_retry(struct wheel_timer *t)
{
	begin(list_entry(t, struct span, retry));
}

/* Twice as long each time, and for each link another time, so that many do not come back in step. */
static uint64_t wait_ms(const struct span *l)
{
	uint64_t ms = (uint64_t)l->env->config->retry_min_ms, max = (uint64_t)l->env->config->retry_max_ms;

	for (uint32_t i = 1; i < l->failures && ms < max; i++)
		ms *= 2;
	if (ms > max)
		ms = max;
	return ms / 2 + random_u64() % (ms / 2 + 1);
}

/* Both connections are gone, and nothing of this link is on the stack. */
static void settle(struct net_task *t)
{
	struct span *l = list_entry(t, struct span, settle);

	if (l->state != SPAN_CLOSING || l->ends[WAY_OUT].link.conn || l->ends[WAY_IN].link.conn)
		return;
	if (l->relaying)
		relay_fini(&l->relay);
	l->relaying = false;
	if (l->stopping) {
		l->state = SPAN_STOPPED;
		l->env->on_stopped(l, l->env->ctx);
		return;
	}
	l->state = SPAN_WAITING;
	net_timer_set(l->env->link.net, &l->retry, wait_ms(l));
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void close_both(struct span *l)
{
	if (l->state == SPAN_UP)
		metric_add(&bridge_metrics.up, -1);
	l->state = SPAN_CLOSING;
	net_timer_cancel(l->env->link.net, &l->retry);
	mqtt_link_close(&l->ends[WAY_OUT].link);
	mqtt_link_close(&l->ends[WAY_IN].link);
	net_defer(l->env->link.net, &l->settle);
}

/* Once, and again when it is for another reason: who is away for a day fills no log. */
static void say(struct span *l, enum log_level level, const char *why)
{
	if (l->state == SPAN_UP)
		log_write(level, &l->log, "down: %s", why);
	else if (strcmp(why, l->why) != 0)
		log_write(level, &l->log, "cannot connect: %s", why);
	snprintf(l->why, sizeof(l->why), "%s", why);
}

static void fail(struct span *l, unsigned side, enum log_level level, const char *why)
{
	const struct mqtt_link *e = &l->ends[side].link;
	char text[400];

	if (l->state == SPAN_CLOSING || l->state == SPAN_STOPPED || l->state == SPAN_WAITING)
		return;
	snprintf(text, sizeof(text), "%s at %s port %u: %s", sides[side], e->address ? e->address->host : "-",
	         e->address ? (unsigned)e->address->port : 0, why);
	say(l, level, text);
	if (l->state == SPAN_UP && net_now(l->env->link.net) - l->up_ms >= STEADY_MS)
		l->failures = 0;
	l->failures++;
	metric_inc(&bridge_metrics.failed);
	if (side == WAY_IN)
		l->next++;
	close_both(l);
}

static struct end *end_of(struct mqtt_link *link)
{
	return list_entry(link, struct end, link);
}

static void on_failed(struct mqtt_link *link, enum log_level level, const char *why)
{
	fail(end_of(link)->span, end_of(link)->side, level, why);
}

/* A broker that does not know mosquitto's bit says so, or just closes. Without a word it may have been the network: the next attempt is the other way again. */
static void on_refused(struct mqtt_link *link, enum mqtt_reason reason, const char *why)
{
	struct end *e = end_of(link);
	struct span *l = e->span;
	bool silent = reason == MQTT_SUCCESS, bit = e->side == WAY_IN && link->party->version == MQTT_3_1_1;

	if (bit && (silent || (reason == MQTT_UNSUPPORTED_VERSION && link->bridge_bit)))
		l->no_bit = link->bridge_bit;
	fail(l, e->side, silent || (bit && l->no_bit) ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, why);
}

static void on_closed(struct mqtt_link *link)
{
	struct span *l = end_of(link)->span;

	net_defer(l->env->link.net, &l->settle);
}

/* --- the beginning ------------------------------------------------------------------------------------------------ */

static void on_relay_failed(unsigned side, const char *why, void *ctx)
{
	fail(ctx, side, LOG_LEVEL_INFO, why);
}

static void on_filter_refused(unsigned side, const char *filter, unsigned reason, void *ctx)
{
	struct span *l = ctx;
	const char *name = mqtt_reason_name(reason, MQTT_SUBACK);

	log_warn(&l->log, "%s refuses the subscription to %s: %s", sides[side], filter, name ? name : "");
}

static void on_subscribed(unsigned side, void *ctx)
{
	struct span *l = ctx;

	log_debug(&l->log, "subscribed at %s", sides[side]);
	/* Only now nothing passes it by. */
	if (l->relay.subscribing[WAY_OUT] || l->relay.subscribing[WAY_IN])
		return;
	mqtt_link_say_state(&l->ends[WAY_OUT].link, "1");
	mqtt_link_say_state(&l->ends[WAY_IN].link, "1");
}

static void remote_up(struct span *l)
{
	const struct mqtt_client *remote = &l->ends[WAY_IN].link.client;
	uint16_t window = (uint16_t)l->env->config->window;

	if (remote->peer.version == MQTT_3_1_1 && l->no_bit && rules_circle(&l->bridge->rules)) {
		l->no_bit = false; /* it may have been the network, so the next attempt asks again */
		fail(l, WAY_IN, LOG_LEVEL_WARN,
		     "it does not tell bridges from clients: topics that go out and in would circle for ever; protocol 5, or topics apart, "
		     "are needed");
		return;
	}
	mqtt_client_hold(&l->ends[WAY_IN].link.client);
	conn_pause(l->ends[WAY_IN].link.conn);
	l->state = SPAN_OURS;
	mqtt_link_open(&l->ends[WAY_OUT].link, &l->bridge->ours.addresses[0], remote->receive_max < window ? remote->receive_max : window,
	               false);
}

static void both_up(struct span *l)
{
	static const struct relay_events events = { on_relay_failed, on_filter_refused, on_subscribed };
	struct mqtt_link *ours = &l->ends[WAY_OUT].link, *remote = &l->ends[WAY_IN].link;

	l->state = SPAN_UP;
	l->up_ms = net_now(l->env->link.net);
	l->why[0] = '\0';
	metric_add(&bridge_metrics.up, 1);
	metric_inc(&bridge_metrics.connected);
	log_info(&l->log, "up remote=%s:%u version=%s sessions=%s/%s", remote->where, (unsigned)remote->address->port,
	         remote->client.peer.version == MQTT_5 ? "5"
	         : remote->bridge_bit                  ? "3.1.1+bridge"
	                                               : "3.1.1",
	         ours->client.present ? "present" : "new", remote->client.present ? "present" : "new");
	relay_init(&l->relay, &l->bridge->rules, &ours->client, &remote->client, &events, l, l->env->counts,
	           (size_t)l->env->config->output_bytes);
	l->relaying = true;
	relay_start(&l->relay);
	conn_resume(remote->conn);
	mqtt_client_release(&remote->client);
}

static void on_up(struct mqtt_link *link)
{
	struct end *e = end_of(link);

	if (e->side == WAY_IN)
		remote_up(e->span);
	else
		both_up(e->span);
}

/* --- what the brokers say ----------------------------------------------------------------------------------------- */

static void on_publish(struct mqtt_link *link, const struct mqtt_publish *p)
{
	relay_publish(&end_of(link)->span->relay, end_of(link)->side, p);
}

static void on_ack(struct mqtt_link *link, enum mqtt_type type, const struct mqtt_ack *a)
{
	relay_ack(&end_of(link)->span->relay, end_of(link)->side, type, a);
}

static void on_suback(struct mqtt_link *link, const struct mqtt_suback *a)
{
	relay_suback(&end_of(link)->span->relay, end_of(link)->side, a);
}

static const struct mqtt_link_events link_events = { on_up, on_failed, on_refused, on_closed, on_publish, on_ack, on_suback };

static void end_init(struct span *l, unsigned side, const struct mqtt_party *party)
{
	struct end *e = &l->ends[side];

	e->span = l;
	e->side = side;
	mqtt_link_init(&e->link, &l->env->link, &link_events, party, l->bridge->state_topic);
}

struct span *span_new(const struct span_env *env, const struct bridge *bridge)
{
	struct span *l = mem_new(struct span);

	l->env = env;
	l->bridge = bridge;
	l->log = (struct log_ctx){ .parent = env->log, .key = "bridge", .value = bridge->name };
	end_init(l, WAY_OUT, &bridge->ours);
	end_init(l, WAY_IN, &bridge->remote);
	wheel_timer_init(&l->retry, on_retry);
	net_task_init(&l->settle, settle);
	begin(l);
	return l;
}

void span_stop(struct span *l)
{
	l->stopping = true;
	if (l->state == SPAN_UP)
		log_info(&l->log, "down: stopped");
	if (l->state != SPAN_CLOSING && l->state != SPAN_STOPPED)
		close_both(l);
}

void span_free(struct span **span)
{
	struct span *l = *span;

	*span = NULL;
	if (!l)
		return;
	net_timer_cancel(l->env->link.net, &l->retry);
	net_task_cancel(&l->settle);
	mqtt_link_drop(&l->ends[WAY_OUT].link);
	mqtt_link_drop(&l->ends[WAY_IN].link);
	if (l->relaying)
		relay_fini(&l->relay);
	mem_free(l);
}
