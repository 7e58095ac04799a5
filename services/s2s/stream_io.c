/* SPDX-License-Identifier: Apache-2.0
 *
 * stream_io: from the connection's bytes through the parser to the table of states, and the connection's end. */
#include "services/s2s/s2s.h"

#include "services/s2s/metrics.h"

/* --- parser ------------------------------------------------------------------------------------------------------- */

static void on_open(const struct xml_header *h, void *ctx)
{
	struct s2s_input in = { .header = h };

	s2s_stream_event(ctx, S2S_EV_HEADER, &in);
}

static void on_element(const struct stanza *stanza, const struct xml_node *node, void *ctx)
{
	struct s2s_input in = { .stanza = stanza, .node = node };

	s2s_stream_event(ctx, s2s_classify(stanza, node), &in);
}

static void on_close(void *ctx)
{
	struct s2s_input in = { 0 };

	s2s_stream_event(ctx, S2S_EV_CLOSED, &in);
}

static void on_error(const char *condition, const char *text, void *ctx)
{
	struct s2s_input in = { .condition = condition, .text = text };

	s2s_stream_event(ctx, S2S_EV_BAD_XML, &in);
}

struct xml_stream *s2s_parser_new(struct s2s_stream *s)
{
	static const struct xml_stream_events events = { on_open, on_element, on_close, on_error };
	static const struct xml_limits early = { 16384, 100, 64, 1000, 1024 }; /* until s2s_stream_limits */

	return xml_stream_new(&early, &events, s);
}

/* --- connection --------------------------------------------------------------------------------------------------- */

static size_t on_data(struct conn *c, const char *p, size_t n, void *ctx)
{
	struct s2s_stream *s = ctx;
	size_t used = 0;

	(void)c;
	s->layered = false;
	s->feeding = true;
	s2s_stream_ref(s);
	/* The parser stops early at a pause, and at a restart of the stream: then what follows is for the new one. */
	while (used < n && s->conn && s->state != S2S_CLOSING && !s->holds && !s->layered) {
		size_t before = used;

		used += xml_stream_feed(s->xml, p + used, n - used);
		if (used == before)
			break;
	}
	s->feeding = false;
	s2s_stream_unref(s);
	return used;
}

static void on_secured(struct conn *c, void *ctx)
{
	struct s2s_input in = { 0 };

	(void)c;
	metric_inc(&s2s_metrics.tls_ok);
	s2s_stream_event(ctx, S2S_EV_SECURED, &in);
}

static void on_written(struct conn *c, void *ctx)
{
	struct s2s_stream *s = ctx;

	(void)c;
	if (s->state != S2S_CLOSING && s->link && s->link->out == s)
		s2s_link_pump(s->link);
}

static const char *how_text(enum conn_end how, const char *text)
{
	static const char *const names[] = {
		[CONN_END_PEER] = "the other server closed the connection",
		[CONN_END_CLOSED] = "closed",
		[CONN_END_BROKEN] = "the connection broke",
		[CONN_END_TLS] = "TLS failed",
		[CONN_END_ZLIB] = "bad compressed data",
		[CONN_END_LAYER] = "bytes in clear where TLS was to begin",
	};

	return text[0] ? text : names[how];
}

static void on_end(struct conn *c, enum conn_end how, const char *text, void *ctx)
{
	struct s2s_stream *s = ctx;
	struct s2s *s2s = s->s2s;

	(void)c;
	if (how == CONN_END_TLS && s->state == S2S_TLS)
		metric_inc(&s2s_metrics.tls_failed);
	if (s->state != S2S_CLOSING)
		log_info(&s->log, "connection ended: %s, state %s", how_text(how, text), s2s_state_name((enum s2s_state)s->state));
	s->conn = NULL;
	s2s_stream_gone(s, how_text(how, text));
	net_timer_cancel(s2s->net, &s->timer);
	net_task_cancel(&s->flush);
	xml_stream_free(&s->xml);
	list_remove(&s->node);
	s2s->stream_count--;
	s2s_gate(s2s);
	s2s_drain_check(s2s);
	s2s_stream_unref(s);
}

static void on_garbled(struct conn *c, const char *why, void *ctx)
{
	(void)c;
	s2s_compress_failed(ctx, why);
}

const struct conn_events s2s_conn_events = {
	.on_data = on_data, .on_secured = on_secured, .on_written = on_written, .on_end = on_end, .on_garbled = on_garbled
};
