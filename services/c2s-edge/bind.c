/* SPDX-License-Identifier: Apache-2.0
 *
 * bind: resource binding (RFC 6120 section 7): the account's owner opens the session. */
#include "services/c2s-edge/sm.h"

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "ipc/gen/session.client.h"
#include "services/c2s-edge/metrics.h"

#define RETRY_MS 300u

/* What a failed Open means to the client. Codes that are not here: the owner is away or changing; tried again for a while. */
static const struct {
	int code;
	const char *condition, *text;
} failures[] = {
	{ STARLING__CODE__CODE_EXISTS, "conflict", "this resource is in use" },
	{ STARLING__CODE__CODE_LIMIT, "resource-constraint", "too many sessions of this account" },
	{ STARLING__CODE__CODE_NOT_FOUND, "not-allowed", "this account does not exist any more" },
	{ STARLING__CODE__CODE_DENIED, "not-allowed", "" },
	{ STARLING__CODE__CODE_INVALID, "bad-request", "" },
	{ STARLING__CODE__CODE_UNSUPPORTED, "internal-server-error", "" },
	{ STARLING__CODE__CODE_INTERNAL, "internal-server-error", "" },
};

static void try_open(struct c2s_stream *s);

static void fail(struct c2s_stream *s, const char *condition, const char *text)
{
	metric_inc(&c2s_metrics.bind_failed);
	c2s_reply_iq_error(s, str_from(s->login->bind_id), STR("<bind xmlns='" C2S_NS_BIND "'/>"), condition, text);
	c2s_stream_set_state(s, C2S_BIND);
	c2s_stream_hold(s, C2S_HOLD_CALL, false);
}

static void retry(struct c2s_stream *s)
{
	if (s->state == C2S_BINDING)
		try_open(s);
}

static void refused(struct c2s_stream *s, const struct ipc_result *result)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		if (failures[i].code != result->code)
			continue;
		log_info(&s->log, "bind refused: %s %s", ipc_code_name(result->code), result->text);
		fail(s, failures[i].condition, failures[i].text);
		return;
	}
	log_debug(&s->log, "bind waits: %s %s", ipc_code_name(result->code), result->text);
	if (c2s_limits_waited(s))
		fail(s, "resource-constraint", "not possible now, try again later");
	else
		c2s_limits_retry(s, RETRY_MS, retry);
}

static void bound(struct c2s_stream *s, const char *jid, uint64_t owner)
{
	struct buf child = { 0 };
	char *id = mem_strdup(s->login->bind_id);

	log_info(&s->log, "bound %s", jid);
	metric_inc(&c2s_metrics.bound);
	s->session = c2s_session_new(s->edge, s, s->id, jid, owner);
	c2s_stream_set_state(s, C2S_BOUND);
	buf_append_cstr(&child, "<bind xmlns='" C2S_NS_BIND "'><jid>");
	xml_escape(&child, str_from(jid));
	buf_append_cstr(&child, "</jid></bind>");
	c2s_reply_result(s, str_from(id), buf_str(&child));
	buf_fini(&child);
	mem_free(id);
	c2s_owner_start(s->session, owner);
	c2s_stream_hold(s, C2S_HOLD_CALL, false);
}

/* The client left while its session was being opened; perhaps it was. Then it must be closed again. */
static void orphaned(struct c2s_stream *s, const struct ipc_result *result, const char *jid)
{
	struct c2s_session *ss;
	bool opened = ipc_ok(result) || result->code == STARLING__CODE__CODE_TIMEOUT || result->code == STARLING__CODE__CODE_PEER_LOST;

	if (!opened || !s->login || !s->login->account)
		return;
	ss = c2s_session_new(s->edge, NULL, s->id, jid ? jid : s->login->account, result->source);
	c2s_owner_start(ss, result->source);
	c2s_session_end(ss, STARLING__CLOSE_REASON__CLOSE_LOST, "left while binding", false);
}

static void on_open(const struct ipc_result *result, const Starling__OpenReply *reply, void *ctx)
{
	struct c2s_stream *s = ctx;

	if (s->login->gated)
		c2s_gate_leave(&s->edge->open_gate);
	s->login->gated = false;
	if (s->state != C2S_BINDING)
		orphaned(s, result, reply ? reply->jid : NULL);
	else if (ipc_ok(result))
		bound(s, reply->jid, result->source);
	else
		refused(s, result);
	c2s_stream_unref(s);
}

static void try_open(struct c2s_stream *s)
{
	Starling__OpenRequest request = STARLING__OPEN_REQUEST__INIT;
	struct ipc_opts opts = { .trace = c2s_trace(s->edge) };
	char address[NET_ADDR_TEXT_MAX];

	request.stream = s->id;
	request.account = s->login->account;
	request.resource = s->login->resource ? s->login->resource : (char *)"";
	request.address = (char *)(uintptr_t)net_addr_text(conn_peer(s->conn), address);
	request.encrypted = conn_tls(s->conn) != NULL;
	request.language = s->lang ? s->lang : (char *)"";
	request.resume_failed = s->login->resume_failed;
	call_session_open(s->edge->bus, ipc_slot(C2S_ROLE_OWNER, hash_slot(str_from(s->login->account))), &opts, &request, on_open,
	                  c2s_stream_ref(s));
}

static void admitted(struct c2s_stream *s)
{
	s->login->gated = true;
	try_open(s);
}

/* The resource asked for, normalised; NULL in *out for none. False: not a resource (section 7.7.2.1). */
static bool resource_of(struct c2s_stream *s, const struct stanza *st, char **out)
{
	struct xml_node *iq = xml_parse(s->edge->arena, st->bytes, STR(C2S_NS_CLIENT));
	struct xml_node *bind = iq ? xml_child(iq, "bind", C2S_NS_BIND) : NULL;
	struct xml_node *resource = bind ? xml_child(bind, "resource", C2S_NS_BIND) : NULL;
	struct str text = resource ? xml_text(s->edge->arena, resource) : (struct str){ 0 };
	char prepared[JID_PART_MAX + 1];
	size_t n = 0;
	bool ok = bind && (text.n == 0 || jid_prep_resource(text, prepared, &n) == JID_OK);

	*out = n > 0 ? mem_strndup(prepared, n) : NULL;
	arena_reset(s->edge->arena);
	return ok;
}

void c2s_bind(struct c2s_stream *s, const struct c2s_input *in)
{
	const struct stanza *st = in->stanza;
	struct c2s_login *l = s->login;

	mem_free(l->bind_id);
	mem_free(l->resource);
	l->bind_id = mem_strndup(st->id.p, st->id.n);
	l->resource = NULL;
	if (st->type != STANZA_TYPE_SET || st->id.n == 0 || !resource_of(s, st, &l->resource)) {
		c2s_reply_error(s, st, "bad-request", "");
		return;
	}
	l->started_ms = net_now(s->edge->net);
	c2s_stream_set_state(s, C2S_BINDING);
	c2s_stream_hold(s, C2S_HOLD_CALL, true);
	c2s_gate_enter(&s->edge->open_gate, s, admitted);
}

/* One resource a stream. */
void c2s_bind_again(struct c2s_stream *s, const struct c2s_input *in)
{
	c2s_submit_fault(s, in->stanza, "not-allowed", "this stream has a resource");
}

/* RFC 3921 section 3: what old clients do after binding. Binding has done it already. Where the client counts, question and answer must be counted: then
 * the owner answers. */
void c2s_session_legacy(struct c2s_stream *s, const struct c2s_input *in)
{
	const struct stanza *st = in->stanza;

	if (c2s_sm_on(s->session))
		c2s_submit(s, in);
	else if (st->type == STANZA_TYPE_SET && st->id.n > 0)
		c2s_reply_result(s, st->id, (struct str){ 0 });
	else
		c2s_reply_error(s, st, "bad-request", "");
}
