/* SPDX-License-Identifier: Apache-2.0
 *
 * compress: stream compression (XEP-0138), after login and before a resource is bound, where XEP-0170 has it. */
#include "services/c2s-edge/c2s.h"

static void fail(struct c2s_stream *s, const char *condition)
{
	buf_printf(c2s_out(s), "<failure xmlns='" C2S_NS_COMPRESS "'><%s/></failure>", condition);
}

void c2s_compress_refuse(struct c2s_stream *s, const struct c2s_input *in)
{
	(void)in;
	fail(s, "setup-failed");
}

/* XEP-0138 section 2, at the end. */
void c2s_compress_failed(struct c2s_stream *s, const char *why)
{
	c2s_end_with(s, "undefined-condition", "", "<failure xmlns='" C2S_NS_COMPRESS "'><processing-failed/></failure>", why);
}

void c2s_compress(struct c2s_stream *s, const struct c2s_input *in)
{
	const struct xml_node *first = xml_child(in->node, "method", C2S_NS_COMPRESS);
	bool zlib = false;

	for (const struct xml_node *method = first; method && !zlib; method = xml_next_element(method))
		zlib = str_is(method->name, "method") && str_is(xml_text(s->edge->arena, method), "zlib");
	arena_reset(s->edge->arena);
	if (!first || !s->edge->config->compression || conn_compressed(s->conn)) {
		fail(s, "setup-failed");
	} else if (!zlib) {
		fail(s, "unsupported-method");
	} else {
		buf_append_cstr(c2s_out(s), "<compressed xmlns='" C2S_NS_COMPRESS "'/>");
		if (conn_start_zlib(s->conn) < 0) {
			c2s_end(s, "internal-server-error", "");
			return;
		}
		s->layered = true;
		c2s_stream_restart(s);
	}
}
