/* SPDX-License-Identifier: Apache-2.0
 *
 * sm: enabling stream management (XEP-0198 sections 3 and 8). The owner is asked, because it keeps what the client has not acknowledged. What the client
 * sends and gets meanwhile counts from the places that both ends agree on: base_in is the stanza before <enable/>, base_out the
 * delivery before the owner's answer, which is where <enabled/> stands in our output. */
#include "services/c2s-edge/sm.h"

#include "common/base/mem.h"
#include "ipc/gen/session.client.h"
#include "services/c2s-edge/metrics.h"

#define RETRY_MS 300u

/* What a failed Enable means to the client. Codes that are not here: the owner is away or changing; tried again for a while. */
static const struct {
	int code;
	const char *condition;
} failures[] = {
	{ STARLING__CODE__CODE_UNSUPPORTED, "feature-not-implemented" },
	{ STARLING__CODE__CODE_INVALID, "bad-request" },
	{ STARLING__CODE__CODE_DENIED, "not-allowed" },
	{ STARLING__CODE__CODE_LIMIT, "resource-constraint" },
	{ STARLING__CODE__CODE_INTERNAL, "internal-server-error" },
};

static void try_enable(struct c2s_session *ss);

void c2s_sm_failed(struct c2s_stream *s, const char *condition)
{
	metric_inc(&c2s_metrics.sm_failed);
	buf_printf(c2s_out(s), "<failed xmlns='" C2S_NS_SM "'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>", condition);
}

void c2s_sm_unexpected(struct c2s_stream *s, const struct c2s_input *in)
{
	(void)in;
	c2s_sm_failed(s, "unexpected-request");
}

bool c2s_sm_on(const struct c2s_session *ss)
{
	return ss->sm != NULL;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_timer(struct wheel_timer *t)
{
	struct c2s_session *ss = list_entry(t, struct c2s_sm, timer)->session;

	if (!ss->stream || ss->stream->state != C2S_BOUND)
		return;
	if (ss->sm->enabled)
		c2s_ack_on_timer(ss);
	else
		try_enable(ss);
}

struct c2s_sm *c2s_sm_new(struct c2s_session *ss, uint32_t resume_s)
{
	struct c2s_sm *sm = mem_new(struct c2s_sm);

	sm->session = ss;
	sm->resume_s = resume_s;
	wheel_timer_init(&sm->timer, on_timer);
	list_init(&sm->waiting);
	ss->sm = sm;
	return sm;
}

void c2s_sm_rest(struct c2s_session *ss)
{
	if (!ss->sm)
		return;
	net_timer_cancel(ss->edge->net, &ss->sm->timer);
	list_remove(&ss->sm->waiting);
}

void c2s_sm_free(struct c2s_session *ss)
{
	c2s_sm_rest(ss);
	mem_free(ss->sm);
	ss->sm = NULL;
}

/* The owner tells the edge that had the connection before. When that was this edge, the event may come behind the answer that made the new session; it
 * is expected once, for a short time. */
bool c2s_sm_moved(struct c2s_session *ss)
{
	struct c2s_sm *sm = ss->sm;
	uint64_t until = sm ? sm->moved_ignore_by_ms : 0;

	if (sm)
		sm->moved_ignore_by_ms = 0;
	return net_now(ss->edge->net) >= until;
}

/* --- attributes --------------------------------------------------------------------------------------------------- */

static struct str strip(struct str text)
{
	while (text.n > 0 && strchr(" \t\r\n", text.p[0])) {
		text.p++;
		text.n--;
	}
	while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]))
		text.n--;
	return text;
}

bool c2s_sm_number(struct str text, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	text = strip(text);
	if (text.n > 1 && text.p[0] == '+') {
		text.p++;
		text.n--;
	}
	if (text.n == 0)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text.p[i] - '0');
		if (n > max)
			return false;
	}
	*out = n;
	return true;
}

/* An xs:boolean; absent: false. */
static bool boolean(struct str text, bool *out)
{
	text = strip(text);
	*out = str_is(text, "true") || str_is(text, "1");
	return *out || !text.p || str_is(text, "false") || str_is(text, "0");
}

/* A positive integer of any length; what is above sm.max is as good as that. */
static bool seconds(struct str text, uint32_t max, uint32_t *out)
{
	uint64_t n;

	text = strip(text);
	if (!c2s_sm_number(text, UINT32_MAX, &n)) {
		for (size_t i = 0; i < text.n; i++) {
			if (text.p[i] < '0' || text.p[i] > '9')
				return false;
		}
		n = text.n ? UINT32_MAX : 0;
	}
	*out = n > max ? max : (uint32_t)n;
	return n > 0;
}

/* How long to be resumable, in seconds; 0: not asked for. False: bad attributes. */
static bool resume_asked(struct c2s_stream *s, const struct xml_node *node, uint32_t *out)
{
	const struct c2s_config *c = s->edge->config;
	struct str max = xml_get(node, "max");
	uint32_t want = (uint32_t)(c->sm_resume_ms / 1000);
	bool resume;

	if (!boolean(xml_get(node, "resume"), &resume) || (max.p && !seconds(max, (uint32_t)(c->sm_max_ms / 1000), &want)))
		return false;
	*out = resume ? want : 0;
	return true;
}

/* --- Enable ------------------------------------------------------------------------------------------------------- */

static void refuse(struct c2s_session *ss, const char *condition)
{
	c2s_sm_free(ss);
	c2s_sm_failed(ss->stream, condition);
}

static void enabled(struct c2s_session *ss, uint32_t resume_s)
{
	const char *location = ss->edge->config->public_address;
	struct buf *out = c2s_out(ss->stream);
	struct c2s_sm *sm = ss->sm;

	metric_inc(&c2s_metrics.sm_enabled);
	log_debug(&ss->stream->log, "stream management, resumable for %u s", resume_s);
	net_timer_cancel(ss->edge->net, &sm->timer);
	sm->enabled = true;
	sm->resume_s = resume_s;
	sm->base_out = ss->sent;
	buf_append_cstr(out, "<enabled xmlns='" C2S_NS_SM "'");
	if (resume_s > 0) {
		buf_printf(out, " id='%016llx' resume='true' max='%u'", (unsigned long long)ss->id, resume_s);
		if (location && location[0])
			xml_attr(out, "location", str_from(location));
	}
	buf_append_cstr(out, "/>");
	if (sm->question)
		c2s_ack_evaluate(ss);
}

static void again(struct c2s_session *ss)
{
	if (net_now(ss->edge->net) >= ss->sm->enable_by_ms)
		refuse(ss, "resource-constraint");
	else
		net_timer_set(ss->edge->net, &ss->sm->timer, RETRY_MS);
}

static void not_enabled(struct c2s_session *ss, const struct ipc_result *result)
{
	log_debug(&ss->stream->log, "not enabled: %s %s", ipc_code_name(result->code), result->text);
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		if (failures[i].code == result->code) {
			refuse(ss, failures[i].condition);
			return;
		}
	}
	again(ss);
}

static void on_enable(const struct ipc_result *result, const Starling__EnableReply *reply, void *ctx)
{
	struct c2s_stream *s = ctx;
	struct c2s_session *ss = s->session;

	if (ss && ss->sm && !ss->sm->enabled && s->state == C2S_BOUND) {
		if (!ipc_ok(result))
			not_enabled(ss, result);
		/* Deliveries may have been dropped meanwhile (owner.c): then the two ends do not mean the same one. */
		else if (ss->link != C2S_LINK_ATTACHED || ss->owner != result->source)
			again(ss);
		else
			enabled(ss, reply->resume_s);
	}
	c2s_stream_unref(s);
}

static void try_enable(struct c2s_session *ss)
{
	Starling__EnableRequest request = STARLING__ENABLE_REQUEST__INIT;
	struct ipc_opts opts = { .trace = c2s_trace(ss->edge) };

	if (ss->link != C2S_LINK_ATTACHED) {
		again(ss);
		return;
	}
	if (!ss->counted) {
		refuse(ss, "feature-not-implemented");
		return;
	}
	request.stream = ss->id;
	request.jid = ss->jid;
	request.resume_s = ss->sm->resume_s;
	request.base_in = ss->sm->base_in;
	call_session_enable(ss->edge->bus, ipc_instance(ss->owner), &opts, &request, on_enable, c2s_stream_ref(ss->stream));
}

void c2s_sm_enable(struct c2s_stream *s, const struct c2s_input *in)
{
	struct c2s_session *ss = s->session;
	uint32_t resume_s;

	if (!s->edge->config->sm_enabled) {
		c2s_sm_failed(s, "feature-not-implemented");
	} else if (ss->sm) {
		/* Section 3: at most one attempt, and a second ends the stream. */
		c2s_sm_failed(s, "unexpected-request");
		c2s_end(s, "policy-violation", "stream management is enabled already");
	} else if (!resume_asked(s, in->node, &resume_s)) {
		c2s_sm_failed(s, "bad-request");
	} else {
		c2s_sm_new(ss, resume_s);
		ss->sm->base_in = ss->window.assigned;
		ss->sm->enable_by_ms = net_now(s->edge->net) + (uint64_t)s->edge->config->bind_wait_ms;
		try_enable(ss);
	}
}
