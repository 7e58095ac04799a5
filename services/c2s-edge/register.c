/* SPDX-License-Identifier: Apache-2.0
 *
 * register: making an account before login (XEP-0077 section 3.1), where auth allows it; it also limits how many an address may make. Password change and removal, after login, are the account's owner's. */
#include "services/c2s-edge/c2s.h"

#include "common/base/mem.h"
#include "ipc/gen/auth.client.h"
#include "services/c2s-edge/metrics.h"

static const struct {
	int code;
	const char *condition, *text;
} failures[] = {
	{ STARLING__CODE__CODE_EXISTS, "conflict", "this name is taken" },
	{ STARLING__CODE__CODE_INVALID, "not-acceptable", "" },
	{ STARLING__CODE__CODE_DENIED, "not-allowed", "registration is closed" },
	{ STARLING__CODE__CODE_LIMIT, "resource-constraint", "too many new accounts, try again later" },
};

static void answer(struct c2s_stream *s, const struct ipc_result *result)
{
	struct str id = str_from(s->login->bind_id);
	const char *condition = "resource-constraint", *text = "not possible now, try again later";

	if (ipc_ok(result)) {
		metric_inc(&c2s_metrics.registered);
		c2s_reply_result(s, id, (struct str){ 0 });
		return;
	}
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		if (failures[i].code == result->code) {
			condition = failures[i].condition;
			text = failures[i].text;
		}
	}
	log_info(&s->log, "registration refused: %s %s", ipc_code_name(result->code), result->text);
	c2s_reply_iq_error(s, id, (struct str){ 0 }, condition, text);
}

static void on_created(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct c2s_stream *s = ctx;

	(void)reply;
	if (s->state == C2S_REGISTERING) {
		answer(s, result);
		c2s_stream_set_state(s, C2S_HEADER);
		c2s_stream_hold(s, C2S_HOLD_CALL, false);
	}
	c2s_stream_unref(s);
}

static void create(struct c2s_stream *s, const char *account, const char *password)
{
	Starling__CreateAccountRequest request = STARLING__CREATE_ACCOUNT_REQUEST__INIT;
	struct ipc_opts opts = { .trace = c2s_trace(s->edge) };
	char address[NET_ADDR_TEXT_MAX];

	request.account = (char *)(uintptr_t)account;
	request.password = (char *)(uintptr_t)password;
	request.address = (char *)(uintptr_t)net_addr_text(conn_peer(s->conn), address);
	c2s_stream_set_state(s, C2S_REGISTERING);
	c2s_stream_hold(s, C2S_HOLD_CALL, true);
	call_auth_create_account(s->edge->bus, ipc_any("auth"), &opts, &request, on_created, c2s_stream_ref(s));
}

static void set(struct c2s_stream *s, const struct stanza *st, const struct xml_node *query)
{
	struct arena *a = s->edge->arena;
	const struct xml_node *user = xml_child(query, "username", C2S_NS_REGISTER), *pass = xml_child(query, "password", C2S_NS_REGISTER);
	struct str name = user ? xml_text(a, user) : (struct str){ 0 }, word = pass ? xml_text(a, pass) : (struct str){ 0 };
	struct jid jid = { 0 };

	if (xml_child(query, "remove", C2S_NS_REGISTER)) {
		c2s_reply_error(s, st, "registration-required", "log in first");
	} else if (name.n == 0 || word.n == 0 || memchr(word.p, '\0', word.n)) {
		c2s_reply_error(s, st, "not-acceptable", "a username and a password are needed");
	} else if (jid_make(name, s->host->name, (struct str){ 0 }, &jid) != JID_OK) {
		c2s_reply_error(s, st, "not-acceptable", "this username is not possible");
	} else {
		mem_free(s->login->bind_id);
		s->login->bind_id = mem_strndup(st->id.p, st->id.n);
		create(s, jid.text, arena_strndup(a, word.p, word.n));
	}
	jid_fini(&jid);
}

void c2s_register(struct c2s_stream *s, const struct c2s_input *in)
{
	const struct stanza *st = in->stanza;
	struct xml_node *iq, *query;

	if (s->edge->config->require_tls && !conn_tls(s->conn)) {
		c2s_reply_error(s, st, "not-allowed", "use STARTTLS first");
		return;
	}
	if (!c2s_mechanisms_of(s)->registration) {
		c2s_reply_error(s, st, "service-unavailable", "");
		return;
	}
	iq = xml_parse(s->edge->arena, st->bytes, STR(C2S_NS_CLIENT));
	query = iq ? xml_child(iq, "query", C2S_NS_REGISTER) : NULL;
	if (st->id.n == 0 || !query)
		c2s_reply_error(s, st, "bad-request", "");
	else if (st->type == STANZA_TYPE_GET)
		c2s_reply_result(s, st->id,
		                 STR("<query xmlns='" C2S_NS_REGISTER "'><instructions>Choose a username and a password.</instructions>"
		                     "<username/><password/></query>"));
	else if (st->type == STANZA_TYPE_SET)
		set(s, st, query);
	else
		c2s_reply_error(s, st, "bad-request", "");
	arena_reset(s->edge->arena);
}
