/* SPDX-License-Identifier: Apache-2.0
 *
 * client: the life of a connection, and the table that says for each state what each packet does. */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/mqtt/mqtt_rule.h"
#include "services/mqtt-broker/flapping.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/rights.h"

/* --- packets ------------------------------------------------------------------------------------------------------ */

/* What servers send, a second CONNECT ([MQTT-3.1.0-2]), anything between CONNECT and CONNACK but AUTH. */
static bool out_of_place(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	(void)f;
	return mqtt_refuse(e, c->peer.version, MQTT_RULE_DIRECTION);
}

static bool not_first(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	(void)f;
	return mqtt_refuse(e, c->peer.version, MQTT_RULE_FIRST_PACKET);
}

static bool on_pingreq(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	if (!mqtt_decode_ping(f, &c->peer, e))
		return false;
	mqtt_encode_pingresp(conn_output(c->conn));
	return true;
}

/* Section 3.14.2.2.2: who asked for 0 in CONNECT may not ask for more now. */
static bool change_expiry(struct mq_client *c, uint32_t seconds, struct mqtt_error *e)
{
	int64_t max = c->broker->config->session_max_ms / 1000;
	struct mq_lasting *l = c->session->lasting;

	if (seconds > 0 && (!l || l->expiry_s == 0)) {
		*e = (struct mqtt_error){ .reason = MQTT_PROTOCOL_ERROR,
			                  .why = "section 3.14.2.2.2: a Session Expiry Interval after one of 0" };
		return false;
	}
	if (l)
		l->expiry_s = max && seconds > max ? (uint32_t)max : seconds;
	return true;
}

static bool on_disconnect(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct mqtt_disconnect p;

	if (!mqtt_decode_disconnect(f, &c->peer, &p, e))
		return false;
	/* [MQTT-3.14.4-3]: only this takes the will back. */
	if (c->session && p.reason == MQTT_SUCCESS)
		mq_will_free(&c->session->will);
	if (c->session && mqtt_props_has(&p.props, MQTT_PROP_SESSION_EXPIRY) && !change_expiry(c, p.props.session_expiry, e))
		return false;
	conn_parted(c->conn);
	mq_flapped(c);
	mq_client_close(c);
	return true;
}

/* clang-format off */
#define ELSE(handler) \
	[0] = handler, [MQTT_CONNECT] = handler, [MQTT_CONNACK] = handler, [MQTT_PUBLISH] = handler, [MQTT_PUBACK] = handler, [MQTT_PUBREC] = handler, \
	[MQTT_PUBREL] = handler, [MQTT_PUBCOMP] = handler, [MQTT_SUBSCRIBE] = handler, [MQTT_SUBACK] = handler, [MQTT_UNSUBSCRIBE] = handler, \
	[MQTT_UNSUBACK] = handler, [MQTT_PINGREQ] = handler, [MQTT_PINGRESP] = handler, [MQTT_DISCONNECT] = handler, [MQTT_AUTH] = handler

const mq_handler mq_client_table[MQ_STATES][MQTT_AUTH + 1] = {
	[MQ_FRESH] = {
		[0] = not_first, [MQTT_CONNECT] = mq_on_connect, [MQTT_CONNACK] = not_first, [MQTT_PUBLISH] = not_first, [MQTT_PUBACK] = not_first,
		[MQTT_PUBREC] = not_first, [MQTT_PUBREL] = not_first, [MQTT_PUBCOMP] = not_first, [MQTT_SUBSCRIBE] = not_first,
		[MQTT_SUBACK] = not_first, [MQTT_UNSUBSCRIBE] = not_first, [MQTT_UNSUBACK] = not_first, [MQTT_PINGREQ] = not_first,
		[MQTT_PINGRESP] = not_first, [MQTT_DISCONNECT] = not_first, [MQTT_AUTH] = not_first,
	},
	/* Nothing is read in this state. */
	[MQ_LOGIN] = { ELSE(out_of_place) },
	/* Section 4.12: AUTH or DISCONNECT alone. */
	[MQ_AUTH] = {
		[0] = out_of_place, [MQTT_CONNECT] = out_of_place, [MQTT_CONNACK] = out_of_place, [MQTT_PUBLISH] = out_of_place,
		[MQTT_PUBACK] = out_of_place, [MQTT_PUBREC] = out_of_place, [MQTT_PUBREL] = out_of_place, [MQTT_PUBCOMP] = out_of_place,
		[MQTT_SUBSCRIBE] = out_of_place, [MQTT_SUBACK] = out_of_place, [MQTT_UNSUBSCRIBE] = out_of_place, [MQTT_UNSUBACK] = out_of_place,
		[MQTT_PINGREQ] = out_of_place, [MQTT_PINGRESP] = out_of_place, [MQTT_DISCONNECT] = on_disconnect, [MQTT_AUTH] = mq_on_auth,
	},
	[MQ_LIVE] = {
		[0] = out_of_place, [MQTT_CONNECT] = out_of_place, [MQTT_CONNACK] = out_of_place, [MQTT_PUBLISH] = mq_on_publish,
		[MQTT_PUBACK] = mq_on_ack, [MQTT_PUBREC] = mq_on_ack, [MQTT_PUBREL] = mq_on_pubrel, [MQTT_PUBCOMP] = mq_on_ack,
		[MQTT_SUBSCRIBE] = mq_on_subscribe, [MQTT_SUBACK] = out_of_place, [MQTT_UNSUBSCRIBE] = mq_on_unsubscribe,
		[MQTT_UNSUBACK] = out_of_place, [MQTT_PINGREQ] = on_pingreq, [MQTT_PINGRESP] = out_of_place, [MQTT_DISCONNECT] = on_disconnect,
		[MQTT_AUTH] = mq_on_auth,
	},
	[MQ_CLOSING] = { ELSE(out_of_place) },
};
/* clang-format on */

/* --- time --------------------------------------------------------------------------------------------------------- */

/* [MQTT-3.1.2-22]: one and a half times the Keep Alive. */
static void on_live_timer(struct mq_client *c)
{
	uint64_t now = net_now(c->broker->net), limit = c->keepalive_s * 1500ull;

	if (c->holds & MQ_HOLD_RATE) {
		const struct mq_config *cfg = c->broker->config;
		bool own = cfg->message_rate && c->more && c->more->rated &&
		           bucket_level(&c->more->bucket, (double)cfg->message_rate, (double)cfg->message_burst, now) < 0;

		if (own || mq_quota_waits(c)) {
			net_timer_set(c->broker->net, &c->timer, WHEEL_TICK_MS);
			return;
		}
		/* Who is not read cannot be late. */
		c->last_packet_ms = now;
		mq_client_hold(c, MQ_HOLD_RATE, false);
		if (c->state != MQ_LIVE)
			return;
	}
	if (limit == 0)
		return;
	if (c->holds)
		c->last_packet_ms = now;
	if (now < c->last_packet_ms + limit)
		net_timer_set(c->broker->net, &c->timer, c->last_packet_ms + limit - now);
	else
		mq_client_end(c, MQTT_KEEP_ALIVE_TIMEOUT, "");
}

static void on_timer(struct wheel_timer *t)
{
	struct mq_client *c = list_entry(t, struct mq_client, timer);

	if (c->state == MQ_LIVE)
		on_live_timer(c);
	else if (c->state != MQ_CLOSING)
		mq_client_end(c, MQTT_SERVER_BUSY, "the login took too long");
}

static void hold_for_rate(struct mq_client *c)
{
	mq_client_hold(c, MQ_HOLD_RATE, true);
	net_timer_set(c->broker->net, &c->timer, WHEEL_TICK_MS);
}

/* limits.message_rate. */
static bool take_own(struct mq_client *c)
{
	const struct mq_config *cfg = c->broker->config;
	uint64_t now = net_now(c->broker->net);
	struct mq_client_more *more;

	if (cfg->message_rate == 0)
		return true;
	more = mq_client_more(c);
	if (!more->rated) {
		more->rated = true;
		bucket_fill(&more->bucket, (double)cfg->message_burst, now);
	}
	if (bucket_take(&more->bucket, (double)cfg->message_rate, (double)cfg->message_burst, 1, now))
		return true;
	more->bucket.tokens -= 1;
	return false;
}

void mq_client_count_message(struct mq_client *c)
{
	bool own = take_own(c), users = mq_quota_spend(c, 1, 0);

	metric_inc(&mq_metrics.publish_in);
	if (!own || !users)
		hold_for_rate(c);
}

void mq_client_count_bytes(struct mq_client *c, size_t n)
{
	if (c->state == MQ_LIVE && !mq_quota_spend(c, 0, n))
		hold_for_rate(c);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void mq_client_limits(struct mq_client *c)
{
	const struct mq_config *cfg = c->broker->config;

	c->peer.levels_max = (uint16_t)cfg->topic_levels;
	conn_set_rate(c->conn, (uint32_t)cfg->read_rate, (uint32_t)cfg->read_burst);
}

static bool begin_layers(struct mq_client *c, bool tls)
{
	if (tls)
		return conn_start_tls(c->conn, c->broker->tls, (struct str){ 0 }, c->websocket ? "http/1.1" : "mqtt") == 0;
	return !c->websocket || conn_start_websocket(c->conn, &mq_websocket) == 0;
}

void mq_client_new(const struct mq_port *port, int fd, const struct net_addr *peer, bool encrypted)
{
	struct mq_client *c = mem_new(struct mq_client);
	struct mq_broker *b = port->broker;

	c->broker = b;
	c->port = (uint8_t)(port - b->ports);
	c->refs = 1;
	c->number = random_u64();
	c->since_s = (uint32_t)(net_now(b->net) / 1000);
	c->websocket = port->websocket;
	c->encrypted = encrypted;
	wheel_timer_init(&c->timer, on_timer);
	list_init(&c->node);
	c->conn = conn_accept(b->net, fd, peer, &mq_conn_events, c);
	if (!c->conn || !begin_layers(c, port->tls)) {
		conn_drop(&c->conn);
		mem_free(c);
		return;
	}
	metric_inc(&mq_metrics.accepted);
	list_push_back(&b->clients, &c->node);
	b->client_count++;
	mq_client_limits(c);
	conn_set_dead_after(c->conn, (uint32_t)b->config->dead_after_ms);
	net_timer_set(b->net, &c->timer, (uint64_t)b->config->connect_ms);
	mq_gate(b);
}

struct mq_client *mq_client_ref(struct mq_client *c)
{
	c->refs++;
	return c;
}

struct mq_client_more *mq_client_more(struct mq_client *c)
{
	if (c->more)
		return c->more;
	c->more = mem_new(struct mq_client_more);
	c->more->client = c;
	list_init(&c->more->held);
	net_task_init(&c->more->end_task, mq_client_on_end_task);
	return c->more;
}

static void free_more(struct mq_client_more *m)
{
	if (!m)
		return;
	buf_fini(&m->in);
	mq_aliases_fini(&m->aliases_in);
	mq_aliases_fini(&m->aliases_out);
	mq_token_free(&m->token);
	mem_free(m->method);
	mem_free(m);
}

/* The broker may be gone when the last reference goes: nothing of it is touched. */
void mq_client_unref(struct mq_client *c)
{
	if (--c->refs > 0)
		return;
	mq_login_free(&c->login);
	mq_acks_fini(&c->acks);
	free_more(c->more);
	mem_free(c);
}

/* The one place where a client's state changes. */
void mq_client_set_state(struct mq_client *c, enum mq_state state)
{
	static const char *const names[MQ_STATES] = { "fresh", "login", "auth", "live", "closing" };

	log_debug(mq_log(c), "%s to %s", names[c->state], names[state]);
	c->state = (uint8_t)state;
	if (state == MQ_CLOSING) {
		mq_login_abandon(c);
		mq_token_stop(c);
		mq_quota_leave(c);
		mq_open_abandon(c);
	} else {
		mq_client_hold(c, MQ_HOLD_LOGIN, state == MQ_LOGIN);
	}
}

void mq_client_hold(struct mq_client *c, enum mq_hold why, bool on)
{
	uint8_t before = c->holds;

	c->holds = (uint8_t)(on ? before | why : before & ~why);
	if (!c->conn || !before == !c->holds)
		return;
	if (c->holds)
		conn_pause(c->conn);
	else
		conn_resume(c->conn);
}
