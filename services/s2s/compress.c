/* SPDX-License-Identifier: Apache-2.0
 *
 * compress: stream compression between servers (XEP-0138) at both ends, after TLS and proof and before stream management (XEP-0170). Dialback brings no new
 * features, so zlib is among those before it, too; asked for too early it is refused. */
#include "services/s2s/s2s.h"

/* --- offered ------------------------------------------------------------------------------------------------------ */

void s2s_compress_offer(struct s2s_stream *s)
{
	if (s->s2s->config->compression && !conn_compressed(s->conn))
		buf_append_cstr(s2s_out(s),
		                "<compression xmlns='" S2S_NS_COMPRESS_OFFER "'><method>" S2S_COMPRESS_METHOD "</method></compression>");
}

static bool has_method(struct s2s_stream *s, const struct xml_node *first)
{
	bool found = false;

	for (const struct xml_node *m = first; m && !found; m = xml_next_element(m))
		found = str_is(m->name, "method") && str_eq(m->ns, first->ns) && str_is(xml_text(s->s2s->arena, m), S2S_COMPRESS_METHOD);
	arena_reset(s->s2s->arena);
	return found;
}

/* What comes out of zlib is limited by the rate at which the stream is read (s2s_config_check sees to it that there is one): a ratio would let one user's text of
 * one letter end the stream of a whole server, and the next one, which carries it again. */
static bool start(struct s2s_stream *s)
{
	if (conn_start_zlib(s->conn) < 0) {
		s2s_end(s, "internal-server-error", "");
		return false;
	}
	conn_zlib_by_rate(s->conn);
	s->layered = true;
	return true;
}

/* Also what would be written into the pause between two streams: what comes behind a key that is being verified, and counts of stanzas. */
static bool too_early_or_late(const struct s2s_stream *s)
{
	return !s2s_any_proved(s) || s->verify_count > 0 || s->managed_in || conn_compressed(s->conn);
}

void s2s_compress_in(struct s2s_stream *s, const struct s2s_input *in)
{
	const struct xml_node *first = xml_child(in->node, "method", S2S_NS_COMPRESS);
	const char *condition = NULL;

	if (!first || !s->s2s->config->compression || too_early_or_late(s))
		condition = "setup-failed";
	else if (!has_method(s, first))
		condition = "unsupported-method";
	if (condition) {
		buf_printf(s2s_out(s), "<failure xmlns='" S2S_NS_COMPRESS "'><%s/></failure>", condition);
		return;
	}
	buf_append_cstr(s2s_out(s), "<compressed xmlns='" S2S_NS_COMPRESS "'/>");
	if (start(s))
		s2s_stream_restart(s);
}

/* --- asked for ---------------------------------------------------------------------------------------------------- */

void s2s_compress_note(struct s2s_stream *s, const struct xml_node *features)
{
	const struct xml_node *offer = xml_child(features, "compression", S2S_NS_COMPRESS_OFFER);

	s->has_zlib = offer && has_method(s, xml_child(offer, "method", S2S_NS_COMPRESS_OFFER));
}

bool s2s_compress_ask(struct s2s_stream *s)
{
	if (!s->has_zlib || !s->s2s->config->compression || s->zlib_refused || conn_compressed(s->conn))
		return false;
	buf_append_cstr(s2s_out(s), "<compress xmlns='" S2S_NS_COMPRESS "'><method>" S2S_COMPRESS_METHOD "</method></compress>");
	s2s_stream_set_state(s, S2S_OUT_COMPRESS);
	return true;
}

void s2s_compress_agreed(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	if (start(s))
		s2s_stream_restart(s);
}

/* Then without (XEP-0138 section 2: it ends no stream). */
void s2s_compress_refused(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	s->zlib_refused = true;
	s2s_authenticated(s);
}

/* XEP-0138 section 2, at the end. */
void s2s_compress_failed(struct s2s_stream *s, const char *why)
{
	s2s_end_with(s, "undefined-condition", "<failure xmlns='" S2S_NS_COMPRESS "'><processing-failed/></failure>", why);
}
