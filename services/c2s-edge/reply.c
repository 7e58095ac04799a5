/* SPDX-License-Identifier: Apache-2.0
 *
 * reply: stanzas that the edge itself answers with. */
#include "services/c2s-edge/c2s.h"

#include "services/c2s-edge/metrics.h"

/* Whom an answer is addressed to: nobody yet, before a resource is bound. */
static struct str self(const struct c2s_stream *s)
{
	return str_from(s->session ? s->session->jid : "");
}

void c2s_reply_error(struct c2s_stream *s, const struct stanza *to, const char *condition, const char *text)
{
	struct buf *out = &s->edge->scratch;

	metric_inc(&c2s_metrics.stanzas_refused);
	/* RFC 6120 section 8.3.1. */
	if (to->type == STANZA_TYPE_ERROR || (to->kind == STANZA_IQ && to->type == STANZA_TYPE_RESULT))
		return;
	buf_clear(out);
	stanza_error_bytes(out, to->kind, to->id, to->bytes, condition, str_from(text), (struct str){ 0 }, (struct str){ 0 });
	stanza_write(c2s_out(s), buf_str(out), s->host->name, self(s), (struct str){ 0 });
}

void c2s_reply_result(struct c2s_stream *s, struct str id, struct str child)
{
	struct buf *out = &s->edge->scratch;

	buf_clear(out);
	stanza_result_bytes(out, id, child);
	stanza_write(c2s_out(s), buf_str(out), (struct str){ 0 }, self(s), (struct str){ 0 });
}

/* For an iq whose bytes are gone: it was answered later. child: what it held, canonical, or nothing. */
void c2s_reply_iq_error(struct c2s_stream *s, struct str id, struct str child, const char *condition, const char *text)
{
	struct buf *out = &s->edge->scratch;

	buf_clear(out);
	buf_append_cstr(out, "<iq type='error'");
	xml_attr(out, "id", id);
	buf_append_char(out, '>');
	buf_append_str(out, child);
	buf_printf(out, "<error type='%s'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>", stanza_error_type(condition), condition);
	if (text[0]) {
		buf_append_cstr(out, "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>");
		xml_escape(out, str_from(text));
		buf_append_cstr(out, "</text>");
	}
	buf_append_cstr(out, "</error></iq>");
	stanza_write(c2s_out(s), buf_str(out), (struct str){ 0 }, self(s), (struct str){ 0 });
}
