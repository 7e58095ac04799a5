/* SPDX-License-Identifier: Apache-2.0
 *
 * connect: CONNECT and CONNACK (MQTT 5.0 sections 3.1 and 3.2): what a client asks for, and what it gets. */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/mqtt/mqtt_reason.h"
#include "common/mqtt/mqtt_rule.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/response.h"
#include "services/mqtt-broker/rights.h"
#include "services/mqtt-broker/several.h"

#define ASSIGNED_LENGTH 22u /* at most 23 letters and digits: what all servers must take ([MQTT-3.1.3-5]) */

static void set_string(struct mqtt_props *p, enum mqtt_prop id, struct str *field, struct str value)
{
	if (value.n == 0)
		return;
	*field = value;
	mqtt_props_set(p, id);
}

/* 3.x: a return code, or none when there is none for it: then the connection is closed without CONNACK. */
static void refuse_as(struct mq_client *c, const struct mqtt_peer *to, enum mqtt_reason reason, const char *text)
{
	struct mqtt_connack p = { .reason = (uint8_t)reason };

	log_info(mq_log(c), "connect refused: %s%s%s", mqtt_reason_name(reason, MQTT_CONNACK), text[0] ? ": " : "", text);
	metric_inc(&mq_metrics.connects_refused);
	set_string(&p.props, MQTT_PROP_REASON_STRING, &p.props.reason_string, str_from(text));
	mqtt_encode_connack(conn_output(c->conn), to, &p);
	mq_client_close(c);
}

void mq_connect_refuse(struct mq_client *c, enum mqtt_reason reason, const char *text)
{
	if (mqtt_reason_allowed(reason, MQTT_CONNACK, true))
		refuse_as(c, &c->peer, reason, text);
	else
		refuse_as(c, &c->peer, MQTT_UNSPECIFIED_ERROR, text);
}

/* Who speaks no version that we do is told so in the form of 5.0 ([MQTT-3.1.2-2]); who says no more than that it is something else, nothing. */
static bool refuse_decoded(struct mq_client *c, unsigned version, const struct mqtt_error *e)
{
	struct mqtt_peer to = { .version = (uint8_t)version };

	if (version == MQTT_VERSION_UNKNOWN && e->rule == MQTT_RULE_PROTOCOL_LEVEL)
		to.version = MQTT_5;
	metric_inc(&mq_metrics.bad_packets);
	if (to.version == MQTT_VERSION_UNKNOWN) {
		log_info(mq_log(c), "refused: %s", e->why);
		mq_client_close(c);
	} else {
		refuse_as(c, &to, (enum mqtt_reason)e->reason, e->why);
	}
	return true;
}

static void take_id(struct mq_client *c, struct str id)
{
	char fresh[ASSIGNED_LENGTH + 1];

	c->login->assigned = id.n == 0;
	if (id.n == 0) {
		random_token(fresh, ASSIGNED_LENGTH);
		id = str_make(fresh, ASSIGNED_LENGTH);
	}
	c->login->id = str_make(mem_strndup(id.p, id.n), id.n);
}

static void take_wishes(struct mq_client *c, const struct mqtt_connect *p)
{
	const struct mqtt_props *props = &p->props;
	struct mq_login *l = c->login;
	int64_t max = c->broker->config->session_max_ms / 1000;

	c->peer.version = p->version;
	c->bridge = p->bridge;
	c->peer.packet_max = mqtt_props_has(props, MQTT_PROP_PACKET_MAX) ? props->packet_max : 0;
	c->peer.no_problem_info = mqtt_props_has(props, MQTT_PROP_REQUEST_PROBLEM_INFO) && !props->request_problem_info;
	l->response_info = mqtt_props_has(props, MQTT_PROP_REQUEST_RESPONSE_INFO) && props->request_response_info;
	l->keep_alive = p->keep_alive;
	l->clean = p->clean;
	l->session_expiry = p->version == MQTT_5 ? props->session_expiry : p->clean ? 0 : UINT32_MAX;
	if (max && l->session_expiry > max) {
		l->session_expiry = (uint32_t)max;
		l->expiry_lowered = true;
	}
	l->receive_max = mqtt_props_has(props, MQTT_PROP_RECEIVE_MAX) ? props->receive_max : UINT16_MAX;
	l->alias_max = props->topic_alias_max;
	l->will = p->has_will ? mq_will_new(c, &p->will) : NULL;
	l->will_delay = p->has_will ? p->will.props.will_delay : 0;
}

/* PLAIN's message (RFC 4616): NUL, name, NUL, password. */
static void take_password(struct mq_login *l, struct str user, struct str password)
{
	l->input_n = user.n + password.n + 2;
	l->input = mem_zalloc(l->input_n);
	memcpy(l->input + 1, user.p, user.n);
	if (password.n)
		memcpy(l->input + user.n + 2, password.p, password.n);
}

static void authenticate(struct mq_client *c, const struct mqtt_connect *p, struct str user)
{
	struct mq_login *l = c->login;

	if (mq_certificate_login(c, p))
		return;
	if (!mqtt_props_has(&p->props, MQTT_PROP_AUTH_METHOD) && mq_token_login(c, p))
		return;
	if (mqtt_props_has(&p->props, MQTT_PROP_AUTH_METHOD)) {
		l->method = mem_strndup(p->props.auth_method.p, p->props.auth_method.n);
		mq_client_more(c)->method = mem_strdup(l->method);
		l->input_n = p->props.auth_data.n;
		l->input = mem_memdup(p->props.auth_data.p ? p->props.auth_data.p : "", l->input_n);
		mq_login_begin(c);
	} else if (!p->has_username && !p->has_password) {
		if (c->broker->config->anonymous)
			mq_connect_accept(c);
		else
			mq_connect_refuse(c, MQTT_NOT_AUTHORIZED, "a user name is needed");
	} else if (!p->has_username || user.n == 0 || p->password.n == 0 || memchr(p->password.p, '\0', p->password.n)) {
		mq_connect_refuse(c, MQTT_BAD_USER_OR_PASSWORD, "");
	} else if (c->broker->config->require_tls && !c->encrypted) {
		mq_connect_refuse(c, MQTT_NOT_AUTHORIZED, "passwords are taken over TLS only");
	} else {
		take_password(l, user, p->password);
		mq_login_begin(c);
	}
}

bool mq_on_connect(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct mqtt_connect p;
	struct str user;

	if (!mqtt_decode_connect(f, &c->peer, &p, e))
		return refuse_decoded(c, p.version, e);
	c->login = mem_new(struct mq_login);
	c->login->client = c;
	list_init(&c->login->waiting);
	c->tenant = mq_tenant_of(c->broker, p.has_username ? p.username : str_make("", 0), &user);
	take_id(c, p.client_id);
	take_wishes(c, &p);
	if (c->broker->draining)
		mq_connect_refuse(c, MQTT_SERVER_SHUTTING_DOWN, "");
	else if (!mq_banned(c))
		authenticate(c, &p, user);
	return true;
}

/* --- CONNACK ------------------------------------------------------------------------------------------------------ */

/* Seconds that are in force, and whether that is the client's wish. */
static bool keep_alive(struct mq_client *c, uint16_t wish, uint16_t *out)
{
	int64_t max = c->broker->config->keepalive_max_s;

	*out = wish;
	if (max == 0 || c->peer.version != MQTT_5 || (wish != 0 && wish <= max))
		return true;
	*out = (uint16_t)max;
	return false;
}

static void write_connack(struct mq_client *c, uint16_t seconds, bool as_wished, bool present)
{
	const struct mq_config *cfg = c->broker->config;
	struct buf response = { 0 };
	struct mqtt_connack p = { .session_present = present };
	struct mqtt_props *props = &p.props;

	if (c->login->assigned)
		set_string(props, MQTT_PROP_ASSIGNED_CLIENT_ID, &props->assigned_client_id, mq_client_id(c));
	if (c->more && c->more->method)
		set_string(props, MQTT_PROP_AUTH_METHOD, &props->auth_method, str_from(c->more->method));
	set_string(props, MQTT_PROP_AUTH_DATA, &props->auth_data, str_make(c->login->input, c->login->input_n));
	if (!as_wished) {
		props->server_keep_alive = seconds;
		mqtt_props_set(props, MQTT_PROP_SERVER_KEEP_ALIVE);
	}
	/* What is not as asked for is said (section 3.2.2.3.2). */
	if (c->login->expiry_lowered) {
		props->session_expiry = c->login->session_expiry;
		mqtt_props_set(props, MQTT_PROP_SESSION_EXPIRY);
	}
	props->receive_max = (uint16_t)cfg->inflight_in;
	mqtt_props_set(props, MQTT_PROP_RECEIVE_MAX);
	props->packet_max = (uint32_t)cfg->packet_bytes;
	mqtt_props_set(props, MQTT_PROP_PACKET_MAX);
	props->topic_alias_max = c->peer.topic_alias_max;
	if (props->topic_alias_max)
		mqtt_props_set(props, MQTT_PROP_TOPIC_ALIAS_MAX);
	if (c->login->response_info && mq_response_information(c, &response)) /* [MQTT-3.1.2-28] */
		set_string(props, MQTT_PROP_RESPONSE_INFO, &props->response_info, buf_str(&response));
	mqtt_encode_connack(conn_output(c->conn), &c->peer, &p);
	buf_fini(&response);
}

void mq_connect_accept(struct mq_client *c)
{
	struct mq_session *s = mq_names_get(&c->tenant->sessions, c->login->id);

	/* A session is its user's alone; else anybody could end anybody's. */
	if (c->broker->draining)
		mq_connect_refuse(c, MQTT_SERVER_SHUTTING_DOWN, "");
	else if (s && !mq_session_is_of(s, c->login->user))
		mq_connect_refuse(c, MQTT_CLIENT_ID_INVALID, "another user has this client identifier");
	else if (mq_banned(c))
		return;
	else if (!mq_quota_enter(c, s && s->client))
		mq_connect_refuse(c, MQTT_QUOTA_EXCEEDED, "too many connections of this user");
	else if (!s && mq_hold(c))
		return;
	else if (s || !c->broker->several->peer_n)
		mq_open(c, c->broker->several->unsettled);
	else
		mq_claim(c);
}

void mq_connect_claimed(struct mq_client *c, bool known, struct mq_sent sent)
{
	c->login->sent = sent;
	if (c->broker->draining)
		mq_connect_refuse(c, MQTT_SERVER_SHUTTING_DOWN, "");
	else if (!mq_hold(c))
		mq_open(c, known);
}

void mq_connect_done(struct mq_client *c, struct mq_session *s, bool present)
{
	uint16_t seconds;
	bool as_wished;

	mq_session_attach(s, c);
	mq_quota_subscribed(c);
	as_wished = keep_alive(c, c->login->keep_alive, &seconds);
	c->keepalive_s = seconds;
	write_connack(c, seconds, as_wished, present);
	mq_login_free(&c->login);
	metric_inc(&mq_metrics.connects);
	c->last_packet_ms = net_now(c->broker->net);
	net_timer_cancel(c->broker->net, &c->timer);
	if (c->keepalive_s)
		net_timer_set(c->broker->net, &c->timer, c->keepalive_s * 1500ull);
	mq_client_set_state(c, MQ_LIVE);
	log_info(mq_log(c), "connected version=%u user=%s session=%s", c->peer.version, s->user ? s->user : "-",
	         present    ? "present"
	         : s->lasts ? "new"
	                    : "transient");
	if (s->lasts)
		mq_stored_begin(s);
}
