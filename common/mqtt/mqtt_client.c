/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_client.h"

#include <stdio.h>

#include "common/mqtt/mqtt_decode.h"
#include "common/mqtt/mqtt_encode.h"
#include "common/mqtt/mqtt_reason.h"

#define FIRST_PACKET_MAX (64u << 10) /* CONNACK */

void mqtt_client_init(struct mqtt_client *c, const struct mqtt_client_events *events, void *ctx)
{
	*c = (struct mqtt_client){ .events = events, .ctx = ctx };
}

void mqtt_client_fini(struct mqtt_client *c)
{
	buf_fini(&c->in);
	c->state = MQTT_CLIENT_IDLE;
}

static struct buf *output(struct mqtt_client *c)
{
	return c->events->output(c, c->ctx);
}

static void broken(struct mqtt_client *c, const char *why)
{
	if (c->state == MQTT_CLIENT_ENDED)
		return;
	c->state = MQTT_CLIENT_ENDED;
	c->events->on_broken(c, why, c->ctx);
}

/* --- the beginning ------------------------------------------------------------------------------------------------ */

static void set_will(struct mqtt_connect *p, struct str topic)
{
	if (topic.n == 0)
		return;
	p->has_will = true;
	p->will = (struct mqtt_will){ .retain = true, .topic = topic, .payload = STR("0") };
}

static void set_props(struct mqtt_props *props, uint16_t receive_max)
{
	props->session_expiry = UINT32_MAX;
	props->receive_max = receive_max;
	props->packet_max = MQTT_CLIENT_PACKET_MAX;
	mqtt_props_set(props, MQTT_PROP_SESSION_EXPIRY);
	mqtt_props_set(props, MQTT_PROP_RECEIVE_MAX);
	mqtt_props_set(props, MQTT_PROP_PACKET_MAX);
}

bool mqtt_client_connect(struct mqtt_client *c, const struct mqtt_client_wish *wish)
{
	struct mqtt_connect p = { .version = wish->version, .keep_alive = wish->keep_alive_s, .client_id = wish->id };

	p.bridge = wish->bridge && wish->version == MQTT_3_1_1;
	p.has_username = wish->user.n > 0;
	p.username = wish->user;
	p.has_password = wish->password.n > 0;
	p.password = wish->password;
	set_will(&p, wish->state_topic);
	set_props(&p.props, wish->receive_max);
	c->peer = (struct mqtt_peer){ .version = wish->version, .server = true };
	c->keep_alive_s = wish->keep_alive_s;
	c->state = MQTT_CLIENT_CONNECTING;
	return mqtt_encode_connect(output(c), &c->peer, &p) > 0;
}

static bool on_connack(struct mqtt_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct mqtt_connack p;
	const struct mqtt_props *props = &p.props;

	if (!mqtt_decode_connack(f, &c->peer, &p, e))
		return false;
	if (p.reason != MQTT_SUCCESS) {
		c->state = MQTT_CLIENT_ENDED;
		c->events->on_refused(c, (enum mqtt_reason)p.reason, props->reason_string, c->ctx);
		return true;
	}
	c->present = p.session_present;
	c->qos_max = mqtt_props_has(props, MQTT_PROP_MAX_QOS) ? props->max_qos : 2;
	c->retains = !mqtt_props_has(props, MQTT_PROP_RETAIN_AVAILABLE) || props->retain_available;
	c->receive_max = mqtt_props_has(props, MQTT_PROP_RECEIVE_MAX) ? props->receive_max : UINT16_MAX;
	c->peer.packet_max = props->packet_max;
	if (mqtt_props_has(props, MQTT_PROP_SERVER_KEEP_ALIVE))
		c->keep_alive_s = props->server_keep_alive;
	c->state = MQTT_CLIENT_LIVE;
	c->events->on_connected(c, c->ctx);
	return true;
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

static bool on_publish(struct mqtt_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct mqtt_publish p;

	if (!mqtt_decode_publish(f, &c->peer, &p, e))
		return false;
	c->events->on_publish(c, &p, c->ctx);
	return true;
}

static bool on_ack(struct mqtt_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct mqtt_ack a;

	if (!mqtt_decode_ack(f, &c->peer, &a, e))
		return false;
	c->events->on_ack(c, (enum mqtt_type)f->type, &a, c->ctx);
	return true;
}

static bool on_suback(struct mqtt_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct mqtt_suback a;

	if (!mqtt_decode_suback(f, &c->peer, &a, e))
		return false;
	c->events->on_suback(c, &a, c->ctx);
	return true;
}

static bool on_pong(struct mqtt_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	return mqtt_decode_ping(f, &c->peer, e);
}

static bool on_disconnect(struct mqtt_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct mqtt_disconnect p;
	const char *name;
	char why[120];

	if (!mqtt_decode_disconnect(f, &c->peer, &p, e))
		return false;
	name = mqtt_reason_name(p.reason, MQTT_DISCONNECT);
	snprintf(why, sizeof(why), "disconnected: %s", name ? name : "");
	broken(c, why);
	return true;
}

static bool out_of_place(struct mqtt_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	(void)c;
	(void)f;
	e->why = "a packet that is out of place";
	return false;
}

typedef bool (*handler)(struct mqtt_client *c, const struct mqtt_frame *f, struct mqtt_error *e);

static handler handler_of(enum mqtt_client_state state, unsigned type)
{
	static const handler live[16] = {
		[MQTT_PUBLISH] = on_publish, [MQTT_PUBACK] = on_ack,    [MQTT_PUBREC] = on_ack,    [MQTT_PUBREL] = on_ack,
		[MQTT_PUBCOMP] = on_ack,     [MQTT_SUBACK] = on_suback, [MQTT_PINGRESP] = on_pong, [MQTT_DISCONNECT] = on_disconnect,
	};
	handler h = state == MQTT_CLIENT_LIVE                                 ? live[type & 15]
	            : state == MQTT_CLIENT_CONNECTING && type == MQTT_CONNACK ? on_connack
	                                                                      : NULL;

	return h ? h : out_of_place;
}

static void handle(struct mqtt_client *c, const struct mqtt_frame *f)
{
	struct mqtt_error e = { 0 };

	if (!handler_of(c->state, f->type)(c, f, &e))
		broken(c, e.why);
}

/* Whole packets at the front; how many bytes they had. */
static size_t packets(struct mqtt_client *c, const char *p, size_t n)
{
	size_t used = 0;

	while (used < n && c->state != MQTT_CLIENT_ENDED && !c->held) {
		struct mqtt_frame f;
		size_t max = c->state == MQTT_CLIENT_CONNECTING ? FIRST_PACKET_MAX : MQTT_CLIENT_PACKET_MAX;

		switch (mqtt_frame_next(c->peer.version, p + used, n - used, max, &f)) {
		case MQTT_FRAME_WHOLE:
			used += f.size;
			handle(c, &f);
			break;
		case MQTT_FRAME_MORE:
			return used;
		default:
			broken(c, f.error.why);
			return used;
		}
	}
	return used;
}

static void go_on(struct mqtt_client *c)
{
	struct str had = buf_str(&c->in);

	buf_consume(&c->in, packets(c, had.p, had.n));
	buf_release(&c->in);
}

void mqtt_client_input(struct mqtt_client *c, const char *p, size_t n)
{
	size_t used;

	if (c->state == MQTT_CLIENT_ENDED)
		return;
	if (c->in.n > c->in.start) {
		buf_append(&c->in, p, n);
		go_on(c);
		return;
	}
	used = packets(c, p, n);
	if (c->state != MQTT_CLIENT_ENDED && used < n)
		buf_append(&c->in, p + used, n - used);
}

void mqtt_client_hold(struct mqtt_client *c)
{
	c->held = true;
}

void mqtt_client_release(struct mqtt_client *c)
{
	c->held = false;
	go_on(c);
}

void mqtt_client_ping(struct mqtt_client *c)
{
	if (c->state == MQTT_CLIENT_LIVE)
		mqtt_encode_pingreq(output(c));
}

void mqtt_client_end(struct mqtt_client *c)
{
	static const struct mqtt_disconnect p = { .reason = MQTT_SUCCESS };

	if (c->state == MQTT_CLIENT_LIVE)
		mqtt_encode_disconnect(output(c), &c->peer, &p);
	c->state = MQTT_CLIENT_ENDED;
}
