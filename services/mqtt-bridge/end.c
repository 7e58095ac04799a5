/* SPDX-License-Identifier: Apache-2.0
 *
 * end: one connection of a link, from the name to CONNACK, and its keep-alive. */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/mqtt/mqtt_encode.h"
#include "common/mqtt/mqtt_reason.h"
#include "common/net/tls_peer.h"
#include "services/mqtt-bridge/span.h"

static void set_timer(struct end *e, uint64_t ms)
{
	net_timer_set(e->span->env->net, &e->timer, ms);
}

/* --- keep-alive, and the time until CONNACK ------------------------------------------------------------------------ */

static void keep_alive(struct end *e)
{
	uint64_t interval = e->client.keep_alive_s * 1000ull, now = net_now(e->span->env->net);

	if (interval == 0)
		return;
	if (!e->client.held && now - conn_last_read_ms(e->conn) > interval * 3 / 2) {
		span_end_failed(e, LOG_LEVEL_INFO, "no answer to pings");
		return;
	}
	client_ping(&e->client);
	set_timer(e, interval / 2);
}

static void on_timer(struct wheel_timer *t)
{
	struct end *e = list_entry(t, struct end, timer);

	if (e->client.state == CLIENT_LIVE)
		keep_alive(e);
	else
		span_end_failed(e, LOG_LEVEL_INFO, "no CONNACK in time");
}

/* --- what the client says ----------------------------------------------------------------------------------------- */

static void on_connected(struct client *c, void *ctx)
{
	struct end *e = ctx;

	(void)c;
	net_timer_cancel(e->span->env->net, &e->timer);
	if (c->keep_alive_s > 0)
		set_timer(e, c->keep_alive_s * 500ull);
	span_end_up(e);
}

static void on_refused(struct client *c, enum mqtt_reason reason, struct str text, void *ctx)
{
	const char *name = mqtt_reason_name(reason, MQTT_CONNACK);
	char why[160];

	(void)c;
	snprintf(why, sizeof(why), "refused: %s%s%.*s", name ? name : "", text.n ? ": " : "", text.n > 100 ? 100 : (int)text.n,
	         text.p ? text.p : "");
	span_end_refused(ctx, reason, why);
}

static void on_publish(struct client *c, const struct mqtt_publish *p, void *ctx)
{
	struct end *e = ctx;

	(void)c;
	relay_publish(&e->span->relay, e->side, p);
}

static void on_ack(struct client *c, enum mqtt_type type, const struct mqtt_ack *a, void *ctx)
{
	struct end *e = ctx;

	(void)c;
	relay_ack(&e->span->relay, e->side, type, a);
}

static void on_suback(struct client *c, const struct mqtt_suback *a, void *ctx)
{
	struct end *e = ctx;

	(void)c;
	relay_suback(&e->span->relay, e->side, a);
}

static void on_broken(struct client *c, const char *why, void *ctx)
{
	(void)c;
	span_end_failed(ctx, LOG_LEVEL_INFO, why);
}

static struct buf *output(struct client *c, void *ctx)
{
	(void)c;
	return conn_output(((struct end *)ctx)->conn);
}

const struct client_events end_client_events = {
	.on_connected = on_connected,
	.on_refused = on_refused,
	.on_publish = on_publish,
	.on_ack = on_ack,
	.on_suback = on_suback,
	.on_broken = on_broken,
	.output = output,
};

/* --- the connection ------------------------------------------------------------------------------------------------ */

static void introduce(struct end *e)
{
	const struct party *p = e->party;
	const struct span *l = e->span;
	struct client_wish wish = {
		.version = p->version, .bridge = e->bridge_bit, .id = str_from(p->id), .keep_alive_s = p->keep_alive_s
	};

	wish.user = str_from(p->user ? p->user : "");
	wish.password = str_make(p->password, p->password_n);
	wish.receive_max = e->client.receive_max;
	wish.state_topic = str_from(l->bridge->state_topic ? l->bridge->state_topic : "");
	if (!client_connect(&e->client, &wish))
		span_end_failed(e, LOG_LEVEL_WARN, "CONNECT would be too long");
}

static size_t on_data(struct conn *conn, const char *p, size_t n, void *ctx)
{
	struct end *e = ctx;

	(void)conn;
	client_input(&e->client, p, n);
	return n;
}

static void on_secured(struct conn *conn, void *ctx)
{
	struct end *e = ctx;
	const struct party *p = e->party;
	const char *name = p->name ? p->name : e->address->host;
	char text[256], why[200];
	enum tls_peer verdict;

	if (!p->verify) {
		introduce(e);
		return;
	}
	verdict = tls_peer_verdict(conn_tls(conn), p->store, name, false, text, sizeof(text));
	if (verdict == TLS_PEER_VALID) {
		introduce(e);
		return;
	}
	snprintf(why, sizeof(why), "its certificate is not believed for %.60s: %.100s", name, text);
	span_end_failed(e, LOG_LEVEL_WARN, why);
}

static void on_end(struct conn *conn, enum conn_end how, const char *text, void *ctx)
{
	struct end *e = ctx;
	char why[160];

	(void)conn;
	(void)how;
	snprintf(why, sizeof(why), "connection ended: %.120s", text ? text : "");
	e->conn = NULL;
	net_timer_cancel(e->span->env->net, &e->timer);
	if (e->client.state == CLIENT_CONNECTING) {
		e->client.state = CLIENT_ENDED;
		span_end_refused(e, MQTT_SUCCESS, why);
	} else {
		span_end_failed(e, LOG_LEVEL_INFO, why);
	}
	span_end_closed(e);
}

static void on_dialed(int fd, const struct net_addr *addr, const char *why, void *ctx)
{
	static const struct conn_events events = { .on_data = on_data, .on_secured = on_secured, .on_end = on_end };
	struct end *e = ctx;

	e->dial = NULL;
	if (fd < 0) {
		span_end_failed(e, LOG_LEVEL_INFO, why);
		return;
	}
	net_addr_text(addr, e->where);
	e->conn = conn_accept(e->span->env->net, fd, addr, &events, e);
	if (!e->conn) {
		span_end_failed(e, LOG_LEVEL_INFO, "out of descriptors");
		return;
	}
	if (e->party->keep_alive_s > 0)
		conn_set_dead_after(e->conn, e->party->keep_alive_s * 1500u);
	if (!e->party->tls)
		introduce(e);
	else if (conn_start_tls_client(e->conn, e->party->client, str_from(e->party->name ? e->party->name : e->address->host),
	                               str_from(e->party->own ? e->party->own : ""), NULL) < 0)
		span_end_failed(e, LOG_LEVEL_WARN, "TLS cannot begin");
}

void end_init(struct end *e, struct span *l, unsigned side, const struct party *party)
{
	*e = (struct end){ .span = l, .side = side, .party = party };
	wheel_timer_init(&e->timer, on_timer);
}

void end_open(struct end *e, const struct party_address *to, uint16_t receive_max, bool bridge_bit)
{
	const struct span_env *env = e->span->env;

	client_fini(&e->client);
	client_init(&e->client, &end_client_events, e);
	e->client.receive_max = receive_max;
	e->bridge_bit = bridge_bit;
	e->address = to;
	e->where[0] = '\0';
	set_timer(e, (uint64_t)env->config->connect_ms);
	e->dial = dial_start(env->net, env->dns, to, (uint32_t)env->config->connect_ms, on_dialed, e);
}

void end_say_state(struct end *e, const char *state)
{
	struct mqtt_publish p = { .payload = str_from(state), .retain = e->client.retains };

	if (!e->span->bridge->state_topic || e->client.state != CLIENT_LIVE)
		return;
	p.topic = str_from(e->span->bridge->state_topic);
	mqtt_encode_publish(conn_output(e->conn), &e->client.peer, &p);
}

void end_close(struct end *e)
{
	dial_cancel(&e->dial);
	net_timer_cancel(e->span->env->net, &e->timer);
	if (!e->conn)
		return;
	end_say_state(e, "0");
	client_end(&e->client);
	conn_close(e->conn, (uint32_t)e->span->env->config->close_ms);
}

void end_drop(struct end *e)
{
	dial_cancel(&e->dial);
	net_timer_cancel(e->span->env->net, &e->timer);
	if (e->conn)
		conn_drop(&e->conn);
	client_fini(&e->client);
}
