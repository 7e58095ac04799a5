/* SPDX-License-Identifier: Apache-2.0
 *
 * resume: <resume/> instead of binding (XEP-0198 section 5): the owner of the account hands a session over to this connection, whichever edge had it
 * before. While it is asked, nothing more is said to it for the old connection if that is here, for it would take that as said for the new one. */
#include "common/base/hash.h"
#include "ipc/gen/session.client.h"
#include "services/c2s-edge/metrics.h"
#include "services/c2s-edge/sm.h"

#define RETRY_MS 300u
#define MOVED_MS 5000u /* how long after its answer the owner's word to the old connection may come */
#define ID_CHARS 16u

/* What a failed Resume means to the client, which may bind then. h too high is among them: a client must not be sent into trying it again for
 * ever, when it was the owner that lost its memory. */
static const struct {
	int code;
	const char *condition;
} failures[] = {
	{ STARLING__CODE__CODE_NOT_FOUND, "item-not-found" },       { STARLING__CODE__CODE_INVALID, "item-not-found" },
	{ STARLING__CODE__CODE_DENIED, "item-not-found" },          { STARLING__CODE__CODE_UNSUPPORTED, "feature-not-implemented" },
	{ STARLING__CODE__CODE_INTERNAL, "internal-server-error" },
};

static void try_resume(struct c2s_stream *s);

/* --- the old connection, if it is here ---------------------------------------------------------------------------- */

static struct c2s_session *old_of(const struct c2s_stream *s)
{
	return c2s_session_find(s->edge, s->login->previd);
}

static void unclaim(const struct c2s_stream *s)
{
	struct c2s_session *old = old_of(s);

	if (old)
		c2s_owner_unclaim(old);
}

static void on_parked(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	(void)result;
	(void)reply;
	(void)ctx;
}

/* The owner may think that the session lives here, and it does not: it is to be parked again. Said once: the client's next try would do as well. */
static void give_up(struct c2s_stream *s, const char *jid)
{
	Starling__CloseRequest request = STARLING__CLOSE_REQUEST__INIT;
	struct ipc_opts opts = { 0 };

	s->login->maybe = false;
	if (old_of(s))
		return; /* its own Close will do, or it goes on */
	request.stream = s->login->previd;
	request.jid = (char *)(uintptr_t)jid;
	request.reason = STARLING__CLOSE_REASON__CLOSE_LOST;
	request.text = (char *)"left while resuming";
	request.resumable = true;
	call_session_close(s->edge->bus, ipc_slot(C2S_ROLE_OWNER, hash_slot(str_from(s->login->account))), &opts, &request, on_parked,
	                   NULL);
}

void c2s_resume_abandon(struct c2s_stream *s)
{
	if (s->login && s->login->maybe && !s->login->calling)
		give_up(s, s->login->account);
}

/* --- failure ------------------------------------------------------------------------------------------------------ */

static void fail(struct c2s_stream *s, const char *condition)
{
	c2s_resume_abandon(s);
	metric_inc(&c2s_metrics.resume_failed);
	s->login->resume_failed = true;
	c2s_sm_failed(s, condition);
	if (s->state != C2S_RESUMING)
		return;
	c2s_stream_set_state(s, C2S_BIND);
	c2s_stream_hold(s, C2S_HOLD_CALL, false);
}

static void retry(struct c2s_stream *s)
{
	if (s->state == C2S_RESUMING)
		try_resume(s);
}

static void refused(struct c2s_stream *s, const struct ipc_result *result)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		if (failures[i].code != result->code)
			continue;
		log_info(&s->log, "resume refused: %s %s", ipc_code_name(result->code), result->text);
		s->login->maybe = false;
		fail(s, failures[i].condition);
		return;
	}
	log_debug(&s->log, "resume waits: %s %s", ipc_code_name(result->code), result->text);
	if (c2s_limits_waited(s))
		fail(s, "resource-constraint");
	else
		c2s_limits_retry(s, RETRY_MS, retry);
}

/* --- success ------------------------------------------------------------------------------------------------------ */

static void take_counts(struct c2s_session *ss, const Starling__ResumeReply *reply)
{
	struct c2s_window *w = &ss->window;
	struct c2s_sm *sm = c2s_sm_new(ss, reply->resume_s);
	uint64_t now = net_now(ss->edge->net);

	c2s_window_start(w, reply->accepted, (uint32_t)ss->edge->config->window_stanzas,
	                 reply->resent_ms && reply->resent_ms < now ? now - reply->resent_ms : 0);
	ss->sent = ss->acked = reply->sent;
	sm->base_in = reply->base_in;
	sm->base_out = reply->base_out;
	sm->enabled = true;
	c2s_session_remember(ss, reply->record);
}

static void resumed(struct c2s_stream *s, const Starling__ResumeReply *reply, uint64_t owner)
{
	uint64_t id = s->login->previd;
	struct c2s_session *old = c2s_session_find(s->edge, id), *ss;
	uint8_t claims = old && old->claims ? (uint8_t)(old->claims - 1) : 0;

	log_info(&s->log, "resumed %s previd=%016llx", reply->jid, (unsigned long long)id);
	metric_inc(&c2s_metrics.resumed);
	if (old)
		c2s_session_forget(old);
	ss = s->session = c2s_session_new(s->edge, s, id, reply->jid, owner);
	ss->claims = claims; /* of a third connection that wants it */
	take_counts(ss, reply);
	if (old)
		ss->sm->moved_ignore_by_ms = net_now(s->edge->net) + MOVED_MS;
	c2s_stream_set_state(s, C2S_BOUND);
	buf_printf(c2s_out(s), "<resumed xmlns='" C2S_NS_SM "' previd='%016llx' h='%u'/>", (unsigned long long)id, c2s_ack_handled(ss));
	c2s_owner_start(ss, owner);
	c2s_stream_hold(s, C2S_HOLD_CALL, false);
}

/* The client left while its session was being looked for. */
static void too_late(struct c2s_stream *s, const struct ipc_result *result, const Starling__ResumeReply *reply)
{
	struct c2s_session *old = old_of(s);

	if (ipc_ok(result) && old)
		c2s_session_forget(old);
	if (ipc_ok(result))
		give_up(s, reply->jid);
	else
		c2s_resume_abandon(s);
}

static void on_resume(const struct ipc_result *result, const Starling__ResumeReply *reply, void *ctx)
{
	struct c2s_stream *s = ctx;

	s->login->calling = false;
	/* These two say nothing about whether it was done. */
	if (result->code == STARLING__CODE__CODE_TIMEOUT || result->code == STARLING__CODE__CODE_PEER_LOST)
		s->login->maybe = true;
	if (!ipc_ok(result))
		unclaim(s);
	if (s->state != C2S_RESUMING)
		too_late(s, result, reply);
	else if (ipc_ok(result))
		resumed(s, reply, result->source);
	else
		refused(s, result);
	c2s_stream_unref(s);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void try_resume(struct c2s_stream *s)
{
	Starling__ResumeRequest request = STARLING__RESUME_REQUEST__INIT;
	struct ipc_opts opts = { .trace = c2s_trace(s->edge) };
	struct c2s_session *old = old_of(s);
	char address[NET_ADDR_TEXT_MAX];

	if (old)
		c2s_owner_claim(old);
	s->login->calling = true;
	request.stream = s->login->previd;
	request.account = s->login->account;
	request.h = s->login->h;
	request.address = (char *)(uintptr_t)net_addr_text(conn_peer(s->conn), address);
	request.encrypted = conn_tls(s->conn) != NULL;
	call_session_resume(s->edge->bus, ipc_slot(C2S_ROLE_OWNER, hash_slot(str_from(s->login->account))), &opts, &request, on_resume,
	                    c2s_stream_ref(s));
}

/* 0: none of ours. */
static uint64_t parse_id(struct str text)
{
	uint64_t id = 0;

	if (text.n != ID_CHARS)
		return 0;
	for (size_t i = 0; i < text.n; i++) {
		const char *digit = text.p[i] ? strchr("0123456789abcdef", text.p[i]) : NULL;

		if (!digit)
			return 0;
		id = id << 4 | (uint64_t)(digit - "0123456789abcdef");
	}
	return id;
}

void c2s_resume(struct c2s_stream *s, const struct c2s_input *in)
{
	struct str previd = xml_get(in->node, "previd");
	struct c2s_session *old;
	uint64_t h;

	if (!s->edge->config->sm_enabled) {
		fail(s, "feature-not-implemented");
		return;
	}
	if (previd.n == 0 || !c2s_sm_number(xml_get(in->node, "h"), UINT32_MAX, &h)) {
		fail(s, "bad-request");
		return;
	}
	s->login->previd = parse_id(previd);
	old = old_of(s);
	if (s->login->previd == 0 || (old && !str_eq(jid_view_bare(str_from(old->jid)), str_from(s->login->account)))) {
		fail(s, "item-not-found");
		return;
	}
	s->login->h = (uint32_t)h;
	s->login->started_ms = net_now(s->edge->net);
	c2s_stream_set_state(s, C2S_RESUMING);
	c2s_stream_hold(s, C2S_HOLD_CALL, true);
	try_resume(s);
}
