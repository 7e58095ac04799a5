/* SPDX-License-Identifier: Apache-2.0
 *
 * end: every way in which a client's connection ends, and its session with it. */
#include "common/mqtt/mqtt_reason.h"
#include "services/mqtt-broker/flapping.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/mq.h"

#define BROKERS_MAX 256u

/* Another broker that takes clients and says where, by turns; NULL: none. */
static const char *elsewhere(struct mq_broker *b)
{
	const Starling__Registration *all[BROKERS_MAX];
	uint32_t n = ipc_bus_instances(b->bus, "mqtt-broker", all, BROKERS_MAX), usable = 0;

	if (n > BROKERS_MAX)
		n = BROKERS_MAX;
	for (uint32_t i = 0; i < n; i++) {
		if (all[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY && all[i]->public_address[0] &&
		    all[i]->instance != ipc_bus_instance(b->bus))
			all[usable++] = all[i];
	}
	return usable ? all[b->elsewhere++ % usable]->public_address : NULL;
}

/* Before 5.0 a server has no DISCONNECT ([MQTT-3.14.4] of 3.1.1 gives it to clients alone): the connection is closed. */
static void say_goodbye(struct mq_client *c, enum mqtt_reason reason, const char *text)
{
	struct mqtt_disconnect p = { .reason = (uint8_t)reason };
	const char *where = reason == MQTT_SERVER_SHUTTING_DOWN ? elsewhere(c->broker) : NULL;

	if (c->peer.version != MQTT_5)
		return;
	if (where) {
		p.reason = MQTT_USE_ANOTHER_SERVER;
		p.props.server_reference = str_from(where);
		mqtt_props_set(&p.props, MQTT_PROP_SERVER_REFERENCE);
	}
	if (text[0]) {
		p.props.reason_string = str_from(text);
		mqtt_props_set(&p.props, MQTT_PROP_REASON_STRING);
	}
	mqtt_encode_disconnect(conn_output(c->conn), &c->peer, &p);
}

void mq_client_close(struct mq_client *c)
{
	if (c->state == MQ_CLOSING)
		return;
	mq_client_set_state(c, MQ_CLOSING);
	mq_session_detach(c);
	net_timer_cancel(c->broker->net, &c->timer);
	if (c->more)
		net_task_cancel(&c->more->end_task);
	if (c->conn)
		conn_close(c->conn, (uint32_t)c->broker->config->close_ms);
}

void mq_client_end(struct mq_client *c, enum mqtt_reason reason, const char *text)
{
	if (c->state == MQ_CLOSING)
		return;
	if (c->state == MQ_LIVE) {
		log_info(mq_log(c), "disconnected: %s%s%s", mqtt_reason_name(reason, MQTT_DISCONNECT), text[0] ? ": " : "", text);
		metric_inc(reason == MQTT_KEEP_ALIVE_TIMEOUT   ? &mq_metrics.ended_keepalive
		           : reason == MQTT_SESSION_TAKEN_OVER ? &mq_metrics.ended_taken_over
		                                               : &mq_metrics.ended_other);
		if (reason != MQTT_ADMINISTRATIVE_ACTION)
			mq_flapped(c);
		say_goodbye(c, reason, text);
	} else if (c->tenant) {
		mq_connect_refuse(c, reason, text);
		return;
	}
	mq_client_close(c);
}

void mq_client_end_later(struct mq_client *c, enum mqtt_reason reason)
{
	struct mq_client_more *more = mq_client_more(c);

	more->end_reason = (uint8_t)reason;
	net_defer(c->broker->net, &more->end_task);
}

void mq_client_on_end_task(struct net_task *t)
{
	struct mq_client_more *more = list_entry(t, struct mq_client_more, end_task);

	mq_client_end(more->client, (enum mqtt_reason)more->end_reason, "");
}
