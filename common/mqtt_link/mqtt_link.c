/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt_link/mqtt_link.h"

#include <stdio.h>

#include "common/mqtt/mqtt_encode.h"
#include "common/mqtt/mqtt_reason.h"
#include "common/net/tls_peer.h"

static void set_timer(struct mqtt_link *l, uint64_t ms)
{
	net_timer_set(l->env->net, &l->timer, ms);
}

static void fail(struct mqtt_link *l, enum log_level level, const char *why)
{
	l->events->on_failed(l, level, why);
}

/* --- keep-alive, and the time until CONNACK ------------------------------------------------------------------------ */

static void keep_alive(struct mqtt_link *l)
{
	uint64_t interval = l->client.keep_alive_s * 1000ull, now = net_now(l->env->net);

	if (interval == 0)
		return;
	if (!l->client.held && now - conn_last_read_ms(l->conn) > interval * 3 / 2) {
		fail(l, LOG_LEVEL_INFO, "no answer to pings");
		return;
	}
	mqtt_client_ping(&l->client);
	set_timer(l, interval / 2);
}

static void on_timer(struct wheel_timer *t)
{
	struct mqtt_link *l = list_entry(t, struct mqtt_link, timer);

	if (l->client.state == MQTT_CLIENT_LIVE)
		keep_alive(l);
	else
		fail(l, LOG_LEVEL_INFO, "no CONNACK in time");
}

/* --- what the client says ----------------------------------------------------------------------------------------- */

static void on_connected(struct mqtt_client *c, void *ctx)
{
	struct mqtt_link *l = ctx;

	(void)c;
	net_timer_cancel(l->env->net, &l->timer);
	if (c->keep_alive_s > 0)
		set_timer(l, c->keep_alive_s * 500ull);
	l->events->on_up(l);
}

static void on_refused(struct mqtt_client *c, enum mqtt_reason reason, struct str text, void *ctx)
{
	const char *name = mqtt_reason_name(reason, MQTT_CONNACK);
	struct mqtt_link *l = ctx;
	char why[160];

	(void)c;
	snprintf(why, sizeof(why), "refused: %s%s%.*s", name ? name : "", text.n ? ": " : "", text.n > 100 ? 100 : (int)text.n,
	         text.p ? text.p : "");
	l->events->on_refused(l, reason, why);
}

static void on_publish(struct mqtt_client *c, const struct mqtt_publish *p, void *ctx)
{
	struct mqtt_link *l = ctx;

	(void)c;
	l->events->on_publish(l, p);
}

static void on_ack(struct mqtt_client *c, enum mqtt_type type, const struct mqtt_ack *a, void *ctx)
{
	struct mqtt_link *l = ctx;

	(void)c;
	l->events->on_ack(l, type, a);
}

static void on_suback(struct mqtt_client *c, const struct mqtt_suback *a, void *ctx)
{
	struct mqtt_link *l = ctx;

	(void)c;
	l->events->on_suback(l, a);
}

static void on_broken(struct mqtt_client *c, const char *why, void *ctx)
{
	(void)c;
	fail(ctx, LOG_LEVEL_INFO, why);
}

static struct buf *output(struct mqtt_client *c, void *ctx)
{
	(void)c;
	return conn_output(((struct mqtt_link *)ctx)->conn);
}

static const struct mqtt_client_events client_events = {
	.on_connected = on_connected,
	.on_refused = on_refused,
	.on_publish = on_publish,
	.on_ack = on_ack,
	.on_suback = on_suback,
	.on_broken = on_broken,
	.output = output,
};

/* --- the connection ------------------------------------------------------------------------------------------------ */

static void introduce(struct mqtt_link *l)
{
	const struct mqtt_party *p = l->party;
	struct mqtt_client_wish wish = {
		.version = p->version, .bridge = l->bridge_bit, .id = str_from(p->id), .keep_alive_s = p->keep_alive_s
	};

	wish.user = str_from(p->user ? p->user : "");
	wish.password = str_make(p->password, p->password_n);
	wish.receive_max = l->receive_max;
	wish.state_topic = str_from(l->state_topic ? l->state_topic : "");
	if (!mqtt_client_connect(&l->client, &wish))
		fail(l, LOG_LEVEL_WARN, "CONNECT would be too long");
}

static size_t on_data(struct conn *conn, const char *p, size_t n, void *ctx)
{
	struct mqtt_link *l = ctx;

	(void)conn;
	mqtt_client_input(&l->client, p, n);
	return n;
}

static void on_secured(struct conn *conn, void *ctx)
{
	struct mqtt_link *l = ctx;
	const struct mqtt_party *p = l->party;
	const char *name = p->name ? p->name : l->address->host;
	char text[256], why[200];
	enum tls_peer verdict;

	if (!p->verify) {
		introduce(l);
		return;
	}
	verdict = tls_peer_verdict(conn_tls(conn), p->store, name, false, text, sizeof(text));
	if (verdict == TLS_PEER_VALID) {
		introduce(l);
		return;
	}
	snprintf(why, sizeof(why), "its certificate is not believed for %.60s: %.100s", name, text);
	fail(l, LOG_LEVEL_WARN, why);
}

static void on_end(struct conn *conn, enum conn_end how, const char *text, void *ctx)
{
	struct mqtt_link *l = ctx;
	bool connecting = l->client.state == MQTT_CLIENT_CONNECTING;
	char why[160];

	(void)conn;
	(void)how;
	snprintf(why, sizeof(why), "connection ended: %.120s", text ? text : "");
	l->conn = NULL;
	l->client.state = MQTT_CLIENT_ENDED; /* it has nobody to write to any more */
	net_timer_cancel(l->env->net, &l->timer);
	if (!l->closing && connecting)
		l->events->on_refused(l, MQTT_SUCCESS, why);
	else if (!l->closing)
		fail(l, LOG_LEVEL_INFO, why);
	l->events->on_closed(l);
}

static void on_dialed(int fd, const struct net_addr *addr, const char *why, void *ctx)
{
	static const struct conn_events events = { .on_data = on_data, .on_secured = on_secured, .on_end = on_end };
	struct mqtt_link *l = ctx;

	l->dial = NULL;
	if (fd < 0) {
		fail(l, LOG_LEVEL_INFO, why);
		return;
	}
	net_addr_text(addr, l->where);
	l->conn = conn_accept(l->env->net, fd, addr, &events, l);
	if (!l->conn) {
		fail(l, LOG_LEVEL_INFO, "out of descriptors");
		return;
	}
	if (l->party->keep_alive_s > 0)
		conn_set_dead_after(l->conn, l->party->keep_alive_s * 1500u);
	if (!l->party->tls)
		introduce(l);
	else if (conn_start_tls_client(l->conn, l->party->client, str_from(l->party->name ? l->party->name : l->address->host),
	                               str_from(l->party->own ? l->party->own : ""), NULL) < 0)
		fail(l, LOG_LEVEL_WARN, "TLS cannot begin");
}

void mqtt_link_init(struct mqtt_link *l, const struct mqtt_link_env *env, const struct mqtt_link_events *events,
                    const struct mqtt_party *party, const char *state_topic)
{
	*l = (struct mqtt_link){ .env = env, .events = events, .party = party, .state_topic = state_topic };
	wheel_timer_init(&l->timer, on_timer);
}

void mqtt_link_open(struct mqtt_link *l, const struct mqtt_party_address *to, uint16_t receive_max, bool bridge_bit)
{
	mqtt_client_fini(&l->client);
	mqtt_client_init(&l->client, &client_events, l);
	l->receive_max = receive_max;
	l->bridge_bit = bridge_bit;
	l->closing = false;
	l->address = to;
	l->where[0] = '\0';
	set_timer(l, l->env->connect_ms);
	l->dial = mqtt_dial_start(l->env->net, l->env->dns, to, l->env->connect_ms, on_dialed, l);
}

void mqtt_link_say_state(struct mqtt_link *l, const char *state)
{
	struct mqtt_publish p = { .payload = str_from(state), .retain = l->client.retains };

	if (!l->state_topic || l->client.state != MQTT_CLIENT_LIVE)
		return;
	p.topic = str_from(l->state_topic);
	mqtt_encode_publish(conn_output(l->conn), &l->client.peer, &p);
}

void mqtt_link_close(struct mqtt_link *l)
{
	l->closing = true;
	mqtt_dial_cancel(&l->dial);
	net_timer_cancel(l->env->net, &l->timer);
	if (!l->conn)
		return;
	mqtt_link_say_state(l, "0");
	mqtt_client_end(&l->client);
	conn_close(l->conn, l->env->close_ms);
}

void mqtt_link_drop(struct mqtt_link *l)
{
	mqtt_dial_cancel(&l->dial);
	net_timer_cancel(l->env->net, &l->timer);
	if (l->conn)
		conn_drop(&l->conn);
	mqtt_client_fini(&l->client);
}
