/* SPDX-License-Identifier: Apache-2.0 */
#include "services/auth/login.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/auth.server.h"
#include "services/auth/figures.h"

/* Length before each part, so that no two lists of parts look alike. */
static void bind_part(struct buf *b, struct str part)
{
	buf_append_u32le(b, (uint32_t)part.n);
	buf_append_str(b, part);
}

/* Host and mechanism; and what tells this connection from another one: state that was taken from one does not open on the other. With tls-exporter that
 * is exact (RFC 9266), with the address alone it is a hurdle. */
static void bind_to_connection(struct login *l, const Starling__SaslRequest *r)
{
	bind_part(&l->bound_to, str_from(r->host));
	bind_part(&l->bound_to, str_from(r->mechanism));
	bind_part(&l->bound_to, str_from(r->address));
	buf_append_char(&l->bound_to, r->encrypted ? '1' : '0');
	for (size_t i = 0; i < r->n_channel_bindings; i++) {
		bind_part(&l->bound_to, str_from(r->channel_bindings[i]->type));
		bind_part(&l->bound_to, str_make(r->channel_bindings[i]->data.data, r->channel_bindings[i]->data.len));
	}
}

struct login *login_new(struct ipc_call *call, const Starling__SaslRequest *request)
{
	struct login *l = mem_new(struct login);

	l->auth = ipc_call_daemon(call);
	l->call = call;
	l->arena = arena_new(512);
	l->host = arena_strndup(l->arena, request->host, strlen(request->host));
	l->address = arena_strndup(l->arena, request->address, strlen(request->address));
	l->message = mem_strndup((const char *)request->input.data, request->input.len);
	l->message_n = request->input.len;
	l->since_us = clock_mono_us();
	bind_to_connection(l, request);
	return l;
}

static void login_free(struct login *l)
{
	figures_step(clock_mono_us() - l->since_us);
	mem_free_secret(l->message, l->message_n);
	buf_fini(&l->bound_to);
	jid_fini(&l->account);
	arena_free(&l->arena);
	mem_free(l);
}

struct str login_message(const struct login *l)
{
	return str_make(l->message, l->message_n);
}

/* The authorisation identity may only say what is so anyway (RFC 6120 section 6.3.8). */
static bool authzid_is(struct str authzid, const struct jid *account)
{
	struct jid j;
	bool same;

	if (jid_parse(authzid, &j) != JID_OK)
		return false;
	same = j.resource.n == 0 && str_eq(j.bare, account->bare);
	jid_fini(&j);
	return same;
}

bool login_identify(struct login *l, struct str username, struct str authzid)
{
	if (jid_make(username, str_from(l->host), STR(""), &l->account) != JID_OK) {
		login_refuse(l, "not-authorized", "", "not a user name");
		return false;
	}
	if (authzid.n > 0 && !authzid_is(authzid, &l->account)) {
		login_refuse(l, "invalid-authzid", "You can act only as yourself.", "authzid of somebody else");
		return false;
	}
	return true;
}

bool login_welcome(struct login *l)
{
	if (throttle_open(l->auth->failures, l->address, clock_mono_ms()))
		return true;
	login_put_off(l, LOGIN_THROTTLED, "Too many logins from your address failed. Try again in some minutes.");
	return false;
}

void login_continue(struct login *l, struct str output, bool has_output, const struct exchange *x)
{
	Starling__SaslReply reply = STARLING__SASL_REPLY__INIT;
	struct buf plain = { 0 }, state = { 0 };

	if (!exchange_write(&plain, x) || !seal_close(l->auth->seal, buf_str(&l->bound_to), buf_str(&plain), clock_wall_us(), &state)) {
		login_refuse(l, "malformed-request", "", "does not fit into the state");
	} else {
		reply.outcome = STARLING__SASL_OUTCOME__SASL_CONTINUE;
		reply.has_output = has_output;
		reply.output = (ProtobufCBinaryData){ output.n, (uint8_t *)output.p };
		reply.state = (ProtobufCBinaryData){ buf_str(&state).n, (uint8_t *)buf_str(&state).p };
		reply_auth_sasl(l->call, &reply);
		login_free(l);
	}
	mem_wipe(plain.p, plain.cap);
	buf_fini(&plain);
	buf_fini(&state);
}

static void succeed(struct login *l, struct str output, bool has_output)
{
	Starling__SaslReply reply = STARLING__SASL_REPLY__INIT;

	l->auth->logins++;
	figures_login(l->mechanism, LOGIN_SUCCEEDED);
	log_debug(daemon_log(l->auth->daemon), "login account=%s mechanism=%s address=%s", l->account.text, l->mechanism->name, l->address);
	reply.outcome = STARLING__SASL_OUTCOME__SASL_SUCCESS;
	reply.has_output = has_output;
	reply.output = (ProtobufCBinaryData){ output.n, (uint8_t *)output.p };
	reply.account = l->account.text;
	reply_auth_sasl(l->call, &reply);
	login_free(l);
}

void login_decide(struct login *l, bool right, struct str output, bool has_output, const char *reason)
{
	if (!login_welcome(l))
		return;
	if (right) {
		succeed(l, output, has_output);
		return;
	}
	throttle_take(l->auth->failures, l->address, clock_mono_ms());
	login_refuse(l, "not-authorized", "", reason);
}

static void answer_failure(struct login *l, enum login_outcome outcome, const char *condition, const char *text)
{
	Starling__SaslReply reply = STARLING__SASL_REPLY__INIT;

	l->auth->logins++;
	figures_login(l->mechanism, outcome);
	reply.outcome = STARLING__SASL_OUTCOME__SASL_FAILURE;
	reply.condition = (char *)condition;
	reply.text = (char *)text;
	reply_auth_sasl(l->call, &reply);
	login_free(l);
}

void login_refuse(struct login *l, const char *condition, const char *text, const char *reason)
{
	log_info(daemon_log(l->auth->daemon), "login refused account=%.*s host=%s mechanism=%s address=%s reason=\"%s\"",
	         STR_ARG(l->account.bare), l->host, l->mechanism ? l->mechanism->name : "", l->address, reason);
	answer_failure(l, LOGIN_REFUSED, condition, text);
}

void login_put_off(struct login *l, enum login_outcome outcome, const char *text)
{
	log_debug(daemon_log(l->auth->daemon), "login put off account=%.*s address=%s reason=\"%s\"", STR_ARG(l->account.bare), l->address,
	          text);
	answer_failure(l, outcome, "temporary-auth-failure", text);
}

void login_unavailable(struct login *l, int code, const char *text)
{
	figures_login(l->mechanism, LOGIN_UNAVAILABLE);
	log_info(daemon_log(l->auth->daemon), "login put off account=%.*s address=%s reason=\"storage: %s %s\"", STR_ARG(l->account.bare),
	         l->address, ipc_code_name(code), text);
	ipc_fail(l->call, STARLING__CODE__CODE_UNAVAILABLE, "storage: %s", text);
	login_free(l);
}
