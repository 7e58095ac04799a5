/* SPDX-License-Identifier: Apache-2.0
 *
 * end: every way in which a stream is closed (RFC 6120 sections 4.4 and 4.9), and what its link makes of that. */
#include "services/s2s/s2s.h"

#include <stdio.h>

#include "services/s2s/metrics.h"

/* Its link looks for another way, and what it was asked to verify is not verified. */
void s2s_stream_gone(struct s2s_stream *s, const char *why)
{
	struct s2s_link *l = s->link;

	if (s->state != S2S_CLOSING)
		s2s_stream_set_state(s, S2S_CLOSING);
	s->link = NULL;
	if (l && l->out == s)
		s2s_link_lost(l, why);
}

static void close_stream(struct s2s_stream *s, const char *why)
{
	s2s_stream_set_state(s, S2S_CLOSING);
	xml_stream_stop(s->xml);
	net_timer_cancel(s->s2s->net, &s->timer);
	conn_close(s->conn, (uint32_t)s->s2s->config->close_ms);
	s2s_stream_gone(s, why);
}

void s2s_end(struct s2s_stream *s, const char *condition, const char *text)
{
	s2s_end_with(s, condition, "", text);
}

void s2s_end_with(struct s2s_stream *s, const char *condition, const char *element, const char *text)
{
	struct buf *out;
	char why[160];

	if (s->state == S2S_CLOSING)
		return;
	snprintf(why, sizeof(why), "%s%s%s", condition, text[0] ? ": " : "", text);
	log_info(&s->log, "stream ended with %s in state %s local=%s remote=%s", why, s2s_state_name((enum s2s_state)s->state),
	         s->local ? s->local : "", s->remote ? s->remote : "");
	if (s->state != S2S_TLS) { /* else there is no common language now */
		if (!s->header_sent)
			s2s_header_send(s);
		s2s_ack_last(s);
		out = s2s_out(s);
		buf_printf(out, "<stream:error><%s xmlns='" S2S_NS_STREAMS "'/>%s", condition, element);
		if (text[0]) {
			buf_append_cstr(out, "<text xmlns='" S2S_NS_STREAMS "' xml:lang='en'>");
			xml_escape(out, str_from(text));
			buf_append_cstr(out, "</text>");
		}
		buf_append_cstr(out, "</stream:error></stream:stream>");
	}
	metric_inc(&s2s_metrics.errors_sent);
	close_stream(s, why);
}

void s2s_finish(struct s2s_stream *s, const char *why)
{
	if (s->state == S2S_CLOSING)
		return;
	log_info(&s->log, "stream closed: %s local=%s remote=%s", why, s->local ? s->local : "", s->remote ? s->remote : "");
	if (s->header_sent && s->state != S2S_TLS) {
		s2s_ack_last(s);
		buf_append_cstr(s2s_out(s), "</stream:stream>");
	}
	close_stream(s, why);
}

void s2s_closed(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	s2s_finish(s, "by the other server");
}

void s2s_bad_xml(struct s2s_stream *s, const struct s2s_input *in)
{
	metric_inc(&s2s_metrics.bad_xml);
	s2s_end(s, in->condition, in->text ? in->text : "");
}

void s2s_peer_error(struct s2s_stream *s, const struct s2s_input *in)
{
	const struct xml_node *condition = xml_first_element(in->node), *text = xml_child(in->node, "text", S2S_NS_STREAMS);
	struct str said = text ? xml_text(s->s2s->arena, text) : (struct str){ 0 };
	char why[160];

	snprintf(why, sizeof(why), "the other server says %.*s%s%.*s",
	         condition ? (int)(condition->name.n < 40 ? condition->name.n : 40) : 0, condition ? condition->name.p : "",
	         said.n ? ": " : "", (int)(said.n < 80 ? said.n : 80), said.n ? said.p : "");
	arena_reset(s->s2s->arena);
	metric_inc(&s2s_metrics.errors_got);
	s2s_finish(s, why);
}
