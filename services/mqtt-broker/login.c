/* SPDX-License-Identifier: Apache-2.0
 *
 * login: who a client is. Names and passwords, and what is said in AUTH packets (MQTT 5.0 section 4.12), are SASL messages that auth judges; what it
 * must remember between two of them it hands back sealed. Logins begin so many at a time; who has begun goes on. */
#include "common/base/mem.h"
#include "common/mqtt/mqtt_rule.h"
#include "ipc/gen/auth.client.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/mq.h"

/* Those that do without channel binding, which MQTT has no place for. */
static const char *const methods[] = { "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512" };

void mq_login_free(struct mq_login **login)
{
	struct mq_login *l = *login;

	if (!l)
		return;
	mem_free((char *)(uintptr_t)l->id.p);
	mem_free(l->user);
	mem_free(l->method);
	mem_free_secret(l->input, l->input_n);
	mem_free_secret(l->state, l->state_n);
	mq_will_free(&l->will);
	mem_free(l);
	*login = NULL;
}

void mq_login_abandon(struct mq_client *c)
{
	/* An answer that is still to come frees its place in line itself. */
	if (c->login)
		list_remove(&c->login->waiting);
}

static void forget_input(struct mq_login *l)
{
	mem_free_secret(l->input, l->input_n);
	l->input = NULL;
	l->input_n = 0;
}

static void leave(struct mq_broker *b, struct mq_login *l)
{
	if (!l->gated)
		return;
	l->gated = false;
	b->logins_inside--;
	mq_logins_next(b);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void fail(struct mq_client *c, enum mqtt_reason reason, const char *text)
{
	metric_inc(&mq_metrics.logins_failed);
	if (c->login->again)
		mq_client_end(c, reason, text);
	else
		mq_connect_refuse(c, reason, text);
}

static void send_auth(struct mq_client *c, enum mqtt_reason reason, struct str data)
{
	struct mqtt_auth p = { .reason = (uint8_t)reason };

	p.props.auth_method = str_from(c->login->method);
	mqtt_props_set(&p.props, MQTT_PROP_AUTH_METHOD);
	if (data.n > 0) {
		p.props.auth_data = data;
		mqtt_props_set(&p.props, MQTT_PROP_AUTH_DATA);
	}
	mqtt_encode_auth(conn_output(c->conn), &c->peer, &p);
}

static void go_on(struct mq_client *c, const Starling__SaslReply *reply)
{
	struct mq_login *l = c->login;

	if (!l->method) { /* a name and a password are one message */
		fail(c, MQTT_NOT_AUTHORIZED, "");
		return;
	}
	mem_free_secret(l->state, l->state_n);
	l->state = mem_memdup(reply->state.data, reply->state.len);
	l->state_n = reply->state.len;
	send_auth(c, MQTT_CONTINUE_AUTHENTICATION, str_make(reply->output.data, reply->output.len));
	if (!l->again)
		mq_client_set_state(c, MQ_AUTH);
}

static void succeed(struct mq_client *c, const Starling__SaslReply *reply)
{
	struct mq_login *l = c->login;
	struct str account = str_from(reply->account), host = c->tenant->name;

	if (account.n < host.n + 2 || !str_eq(str_make(account.p + account.n - host.n, host.n), host)) {
		log_error(mq_log(c), "auth answered with an account of another host: %s", reply->account);
		fail(c, MQTT_UNSPECIFIED_ERROR, "");
		return;
	}
	metric_inc(&mq_metrics.logins_ok);
	if (l->again) {
		/* Section 4.12.1: as the same user. */
		const char *user = mq_client_user(c);

		if (!user || strcmp(user, reply->account) != 0) {
			fail(c, MQTT_NOT_AUTHORIZED, "another user");
			return;
		}
		send_auth(c, MQTT_SUCCESS, str_make(reply->output.data, reply->output.len));
		mq_login_free(&c->login);
		return;
	}
	l->user = mem_strdup(reply->account);
	if (l->method && reply->output.len > 0) { /* goes out with CONNACK */
		l->input = mem_memdup(reply->output.data, reply->output.len);
		l->input_n = reply->output.len;
	}
	mq_connect_accept(c);
}

static enum mqtt_reason reason_of(const char *condition)
{
	static const struct {
		const char *condition;
		enum mqtt_reason reason;
	} rows[] = {
		{ "invalid-mechanism", MQTT_BAD_AUTH_METHOD },
		{ "encryption-required", MQTT_NOT_AUTHORIZED },
		{ "account-disabled", MQTT_BANNED },
		{ "temporary-auth-failure", MQTT_SERVER_UNAVAILABLE },
		{ "malformed-request", MQTT_NOT_AUTHORIZED },
		{ "invalid-authzid", MQTT_NOT_AUTHORIZED },
		{ "policy-violation", MQTT_CONNECTION_RATE_EXCEEDED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (strcmp(rows[i].condition, condition) == 0)
			return rows[i].reason;
	}
	return MQTT_BAD_USER_OR_PASSWORD;
}

static void on_reply(struct mq_client *c, const Starling__SaslReply *reply)
{
	switch (reply->outcome) {
	case STARLING__SASL_OUTCOME__SASL_CONTINUE:
		go_on(c, reply);
		break;
	case STARLING__SASL_OUTCOME__SASL_SUCCESS:
		succeed(c, reply);
		break;
	default:
		log_info(mq_log(c), "login refused: %s", reply->condition);
		/* In DISCONNECT there is no code for a wrong password. */
		fail(c, c->login->again ? MQTT_NOT_AUTHORIZED : reason_of(reply->condition), reply->text);
		break;
	}
}

static void on_sasl(const struct ipc_result *result, const Starling__SaslReply *reply, void *ctx)
{
	struct mq_client *c = ctx;

	leave(c->broker, c->login);
	if (c->state != MQ_CLOSING) {
		if (ipc_ok(result)) {
			on_reply(c, reply);
		} else {
			log_info(mq_log(c), "auth did not answer: %s %s", ipc_code_name(result->code), result->text);
			fail(c, c->login->again ? MQTT_SERVER_BUSY : MQTT_SERVER_UNAVAILABLE,
			     "logins are not possible now, try again later");
		}
	}
	mq_client_unref(c);
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

static void ask(struct mq_client *c)
{
	Starling__SaslRequest request = STARLING__SASL_REQUEST__INIT;
	struct mq_broker *b = c->broker;
	struct mq_login *l = c->login;
	struct ipc_opts opts = { .trace = mq_trace(b), .deadline_ms = (uint32_t)b->config->auth_ms };
	char address[NET_ADDR_TEXT_MAX];
	const char *method = l->method ? l->method : "PLAIN";

	request.host = (char *)(uintptr_t)c->tenant->name.p;
	request.mechanism = (char *)(uintptr_t)method;
	request.state = (ProtobufCBinaryData){ l->state_n, l->state };
	request.input = (ProtobufCBinaryData){ l->input_n, l->input };
	request.has_input = l->input_n > 0 || l->state_n > 0;
	/* That a password may come in clear is decided here (tls.required). */
	request.encrypted = c->encrypted || !l->method;
	request.address = (char *)(uintptr_t)net_addr_text(conn_peer(c->conn), address);
	call_auth_sasl(b->bus, ipc_any("auth"), &opts, &request, on_sasl, mq_client_ref(c));
	forget_input(l);
}

void mq_logins_next(struct mq_broker *b)
{
	while (!list_empty(&b->logins) && b->logins_inside < (uint64_t)b->config->logins && !b->stopped) {
		struct mq_login *l = list_entry(b->logins.next, struct mq_login, waiting);

		list_remove(&l->waiting);
		l->gated = true;
		b->logins_inside++;
		ask(l->client);
	}
}

static bool known(const char *method)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		if (strcmp(methods[i], method) == 0)
			return true;
	}
	return false;
}

void mq_login_begin(struct mq_client *c)
{
	struct mq_login *l = c->login;

	if (l->method && !known(l->method)) {
		fail(c, MQTT_BAD_AUTH_METHOD, "");
		return;
	}
	if (!l->again)
		mq_client_set_state(c, MQ_LOGIN);
	list_push_back(&c->broker->logins, &l->waiting);
	mq_logins_next(c->broker);
}

/* Is auth asked, or about to be? */
static bool waits(const struct mq_login *l)
{
	return l->gated || !list_unlinked(&l->waiting);
}

static void take_input(struct mq_login *l, const struct mqtt_auth *p)
{
	forget_input(l);
	l->input_n = p->props.auth_data.n;
	l->input = mem_memdup(p->props.auth_data.p ? p->props.auth_data.p : "", l->input_n);
}

bool mq_on_auth(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	const char *method = c->more ? c->more->method : NULL;
	struct mqtt_auth p;

	/* [MQTT-4.12.0-5], [MQTT-4.12.0-6]: the method is the one of CONNECT, and who named none there sends no AUTH. */
	if (!mqtt_decode_auth(f, &c->peer, &p, e))
		return false;
	if (!method || !str_is(p.props.auth_method, method))
		return mqtt_refuse(e, c->peer.version, MQTT_RULE_AUTH_METHOD);
	if (c->login ? waits(c->login) || p.reason != MQTT_CONTINUE_AUTHENTICATION : p.reason != MQTT_REAUTHENTICATE)
		return mqtt_refuse(e, c->peer.version, MQTT_RULE_AUTH_REASON);
	if (!c->login) {
		c->login = mem_new(struct mq_login);
		c->login->client = c;
		c->login->again = true;
		c->login->method = mem_strdup(method);
		list_init(&c->login->waiting);
	}
	take_input(c->login, &p);
	mq_login_begin(c);
	return true;
}
