/* SPDX-License-Identifier: Apache-2.0
 *
 * stream_io: from the connection's bytes through the parser to the table of states, and the connection's end. */
#include "services/c2s-edge/c2s.h"

#include "services/c2s-edge/metrics.h"

/* --- parser ------------------------------------------------------------------------------------------------------- */

static void on_open(const struct xml_header *h, void *ctx)
{
	struct c2s_input in = { .header = h };

	c2s_stream_event(ctx, C2S_EV_HEADER, &in);
}

static void on_element(const struct stanza *stanza, const struct xml_node *node, void *ctx)
{
	struct c2s_input in = { .stanza = stanza, .node = node };

	c2s_stream_event(ctx, c2s_classify(stanza, node), &in);
}

static void on_close(void *ctx)
{
	struct c2s_input in = { 0 };

	c2s_stream_event(ctx, C2S_EV_CLOSED, &in);
}

static void on_error(const char *condition, const char *text, void *ctx)
{
	struct c2s_input in = { .condition = condition, .text = text };

	c2s_stream_event(ctx, C2S_EV_BAD_XML, &in);
}

struct xml_stream *c2s_parser_new(struct c2s_stream *s)
{
	static const struct xml_stream_events events = { on_open, on_element, on_close, on_error };
	static const struct xml_limits none = { 10240, 100, 64, 1000, 1024 }; /* until c2s_limits_apply */

	return xml_stream_new(&none, &events, s);
}

/* --- connection --------------------------------------------------------------------------------------------------- */

static size_t on_data(struct conn *c, const char *p, size_t n, void *ctx)
{
	struct c2s_stream *s = ctx;
	size_t used = 0;

	(void)c;
	s->layered = false;
	s->feeding = true;
	c2s_limits_read(s);
	/* The parser stops early at a pause, and at a restart of the stream: then what follows is for the new one. */
	while (used < n && s->state != C2S_CLOSING && !s->holds && !s->layered) {
		size_t before = used;

		s->success_sent = false;
		used += xml_stream_feed(s->xml, p + used, n - used);
		if (used == before)
			break;
	}
	s->feeding = false;
	return used;
}

static void on_secured(struct conn *c, void *ctx)
{
	struct c2s_input in = { 0 };

	(void)c;
	metric_inc(&c2s_metrics.tls_ok);
	c2s_stream_event(ctx, C2S_EV_SECURED, &in);
}

static void on_written(struct conn *c, void *ctx)
{
	struct c2s_stream *s = ctx;

	(void)c;
	if (s->written_n > 0)
		c2s_deliver_written(s);
	if (s->session)
		c2s_acked_written(s->session);
	if (s->state == C2S_CLOSING)
		c2s_settle(s);
}

static void on_end(struct conn *c, enum conn_end how, const char *text, void *ctx)
{
	struct c2s_stream *s = ctx;
	struct c2s_edge *edge = s->edge;

	if (how == CONN_END_TLS && s->state == C2S_TLS)
		metric_inc(&c2s_metrics.tls_failed);
	if (text[0])
		log_debug(&s->log, "connection ended: %s", text);
	metric_add(&c2s_metrics.bytes_in, (double)conn_bytes_in(c));
	metric_add(&c2s_metrics.bytes_out, (double)conn_bytes_out(c));
	if (s->close_reason == STARLING__CLOSE_REASON__CLOSE_NONE)
		s->close_reason = STARLING__CLOSE_REASON__CLOSE_LOST;
	c2s_limits_release(s);
	s->conn = NULL;
	if (s->state != C2S_CLOSING)
		c2s_stream_set_state(s, C2S_CLOSING);
	c2s_settle(s);
	net_timer_cancel(edge->net, &s->timer);
	xml_stream_free(&s->xml);
	list_remove(&s->node);
	edge->stream_count--;
	c2s_edge_gate(edge);
	c2s_drain_check(edge);
	c2s_stream_unref(s);
}

static void on_garbled(struct conn *c, const char *why, void *ctx)
{
	(void)c;
	c2s_compress_failed(ctx, why);
}

const struct conn_events c2s_conn_events = {
	.on_data = on_data, .on_secured = on_secured, .on_written = on_written, .on_end = on_end, .on_garbled = on_garbled
};
