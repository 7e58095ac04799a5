/* SPDX-License-Identifier: Apache-2.0
 *
 * end: every way in which our side closes a stream (RFC 6120 sections 4.4 and 4.9). */
#include "services/c2s-edge/sm.h"

#include "services/c2s-edge/metrics.h"

/* RFC 6120 section 4.9.3; what another service asks for must be among them. */
static const char *const conditions[] = {
	"bad-format",
	"bad-namespace-prefix",
	"conflict",
	"connection-timeout",
	"host-gone",
	"host-unknown",
	"improper-addressing",
	"internal-server-error",
	"invalid-from",
	"invalid-namespace",
	"invalid-xml",
	"not-authorized",
	"not-well-formed",
	"policy-violation",
	"remote-connection-failed",
	"reset",
	"resource-constraint",
	"restricted-xml",
	"see-other-host",
	"system-shutdown",
	"undefined-condition",
	"unsupported-encoding",
	"unsupported-feature",
	"unsupported-stanza-type",
	"unsupported-version",
};

static const char *known(const char *condition)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++) {
		if (strcmp(conditions[i], condition) == 0)
			return conditions[i];
	}
	return "undefined-condition";
}

static void close_stream(struct c2s_stream *s)
{
	if (s->close_reason == STARLING__CLOSE_REASON__CLOSE_NONE)
		s->close_reason = STARLING__CLOSE_REASON__CLOSE_ERROR;
	c2s_stream_set_state(s, C2S_CLOSING);
	xml_stream_stop(s->xml);
	net_timer_cancel(s->edge->net, &s->timer);
	conn_close(s->conn, (uint32_t)s->edge->config->close_ms);
}

/* What a client may not come back from: it has broken rules, or its session is another's now. After any other error it is only away. */
static bool is_final(const char *condition)
{
	return strcmp(condition, "conflict") == 0 || strcmp(condition, "policy-violation") == 0 || strcmp(condition, "not-authorized") == 0;
}

static void end_as(struct c2s_stream *s, const char *condition, const char *inside, const char *element, const char *text,
                   struct metric *count)
{
	struct buf *out;

	if (s->state == C2S_CLOSING)
		return;
	condition = known(condition);
	s->final = s->final || is_final(condition);
	log_info(&s->log, "stream ended with %s%s%s in state %s", condition, text[0] ? ": " : "", text, c2s_state_name(s->state));
	if (s->state != C2S_TLS && !s->success_sent) { /* else there is no common language now */
		if (!s->header_sent)
			c2s_header_send(s, (struct str){ 0 });
		out = c2s_out(s);
		buf_printf(out, "<stream:error><%s xmlns='" C2S_NS_STREAMS "'", condition);
		if (inside[0])
			buf_printf(out, ">%s</%s>", inside, condition);
		else
			buf_append_cstr(out, "/>");
		buf_append_cstr(out, element);
		if (text[0]) {
			buf_append_cstr(out, "<text xmlns='" C2S_NS_STREAMS "' xml:lang='en'>");
			xml_escape(out, str_from(text));
			buf_append_cstr(out, "</text>");
		}
		buf_append_cstr(out, "</stream:error></stream:stream>");
	}
	metric_inc(count);
	close_stream(s);
}

void c2s_end_with(struct c2s_stream *s, const char *condition, const char *inside, const char *element, const char *text)
{
	bool policy = strcmp(condition, "policy-violation") == 0;

	end_as(s, condition, inside, element, text, policy ? &c2s_metrics.stream_errors_policy : &c2s_metrics.stream_errors);
}

void c2s_end(struct c2s_stream *s, const char *condition, const char *text)
{
	c2s_end_with(s, condition, "", "", text);
}

void c2s_finish(struct c2s_stream *s, Starling__CloseReason reason)
{
	if (s->state == C2S_CLOSING)
		return;
	s->close_reason = (uint8_t)reason;
	s->final = true;
	if (s->header_sent && s->state != C2S_TLS)
		buf_append_cstr(c2s_out(s), "</stream:stream>");
	close_stream(s);
}

/* The session's end is told when what the client was to get has left, so that the owner knows what it did get. */
void c2s_settle(struct c2s_stream *s)
{
	struct c2s_session *ss = s->session;

	if (!ss || (s->conn && conn_queued(s->conn) > 0))
		return;
	s->session = NULL;
	c2s_session_end(ss, (Starling__CloseReason)s->close_reason, "", !s->final && ss->sm && ss->sm->enabled && ss->sm->resume_s > 0);
}

void c2s_closed(struct c2s_stream *s, const struct c2s_input *in)
{
	(void)in;
	c2s_finish(s, STARLING__CLOSE_REASON__CLOSE_CLIENT);
}

void c2s_bad_xml(struct c2s_stream *s, const struct c2s_input *in)
{
	end_as(s, in->condition, "", "", in->text ? in->text : "", &c2s_metrics.stream_errors_xml);
}
