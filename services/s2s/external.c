/* SPDX-License-Identifier: Apache-2.0
 *
 * external: SASL EXTERNAL between servers (XEP-0178 section 3, RFC 6120 section 6): the certificate is the proof. */
#include "services/s2s/s2s.h"

#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "services/s2s/metrics.h"

/* --- outbound ----------------------------------------------------------------------------------------------------- */

bool s2s_external_wanted(const struct s2s_stream *s, const struct xml_node *features)
{
	const struct xml_node *mechanisms = xml_child(features, "mechanisms", S2S_NS_SASL);
	bool found = false;

	if (!mechanisms || s->sasl_failed || !conn_tls(s->conn))
		return false;
	for (const struct xml_node *m = xml_child(mechanisms, "mechanism", S2S_NS_SASL); m && !found; m = xml_next_element(m))
		found = str_is(m->name, "mechanism") && str_is(xml_text(s->s2s->arena, m), "EXTERNAL");
	arena_reset(s->s2s->arena);
	return found;
}

/* With the name that we are to be known by: the certificate may have several (XEP-0178 section 3, step 9). */
void s2s_external_begin(struct s2s_stream *s)
{
	struct buf *out = s2s_out(s);

	buf_append_cstr(out, "<auth xmlns='" S2S_NS_SASL "' mechanism='EXTERNAL'>");
	base64_append(out, str_from(s->local));
	buf_append_cstr(out, "</auth>");
	s2s_stream_set_state(s, S2S_OUT_SASL);
}

void s2s_external_success(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	s->authenticated = true;
	s2s_stream_restart(s);
}

/* Dialback is another way, where there is one. */
void s2s_external_failure(struct s2s_stream *s, const struct s2s_input *in)
{
	(void)in;
	s->sasl_failed = true;
	if (s->has_dialback) {
		s2s_dialback_begin(s);
		s2s_dialback_ask(s->link);
	} else {
		s2s_end(s, "not-authorized", "the other server does not take our certificate");
	}
}

/* --- inbound ------------------------------------------------------------------------------------------------------ */

static void fail(struct s2s_stream *s, const char *condition)
{
	metric_inc(&s2s_metrics.external_failed);
	log_info(&s->log, "SASL EXTERNAL refused: %s remote=%s why=\"%s\"", condition, s->remote ? s->remote : "", s->why);
	buf_printf(s2s_out(s), "<failure xmlns='" S2S_NS_SASL "'><%s/></failure>", condition);
	/* A peer that knows nothing else may try once more; not for ever (RFC 6120 section 6.4.5). */
	if (++s->failures >= 3)
		s2s_finish(s, "too many failures");
}

/* The name given, "=" or nothing: the stream's own. */
static bool is_stream_name(struct s2s_stream *s, struct str text)
{
	char name[JID_PART_MAX + 1], domain[JID_PART_MAX + 1];
	size_t n, domain_n;

	if (text.n == 0 || str_is(text, "="))
		return true;
	if (base64_decoded_max(text.n) > sizeof(name) || !base64_decode(text, name, &n) ||
	    jid_prep_domain(str_make(name, n), domain, &domain_n) != JID_OK)
		return false;
	return str_is(str_make(domain, domain_n), s->remote);
}

void s2s_external_auth(struct s2s_stream *s, const struct s2s_input *in)
{
	struct s2s_pair *p;
	bool named;

	if (s->pairs || !conn_tls(s->conn)) {
		s2s_end(s, "not-authorized", "not offered now");
		return;
	}
	if (!str_is(xml_get(in->node, "mechanism"), "EXTERNAL")) {
		fail(s, "invalid-mechanism");
		return;
	}
	if (!s->remote || !s->local || !s->certificate_valid) {
		fail(s, "not-authorized");
		return;
	}
	named = is_stream_name(s, xml_text(s->s2s->arena, in->node));
	arena_reset(s->s2s->arena);
	if (!named) {
		fail(s, "invalid-authzid");
		return;
	}
	p = s2s_pair_add(s, str_from(s->local), str_from(s->remote));
	buf_append_cstr(s2s_out(s), "<success xmlns='" S2S_NS_SASL "'/>");
	/* In this order: behind success comes nothing but the new stream's header. */
	s2s_stream_restart(s);
	s2s_proved(s, p, S2S_PROOF_CERTIFICATE);
}
