/* SPDX-License-Identifier: Apache-2.0
 *
 * features: what we offer to servers that come to us, and the choice among what those offer that we come to. */
#include "services/s2s/s2s.h"

#include <stdio.h>

/* --- offered ------------------------------------------------------------------------------------------------------ */

static void offer_tls(const struct s2s_stream *s, struct buf *out)
{
	buf_append_cstr(out, "<starttls xmlns='" S2S_NS_TLS "'>");
	if (s->s2s->config->require_tls)
		buf_append_cstr(out, "<required/>");
	buf_append_cstr(out, "</starttls>");
}

/* A stream that has proved its first domain by certificate needs nothing more; by dialback it may prove others. */
void s2s_features_send(struct s2s_stream *s)
{
	const struct s2s_config *c = s->s2s->config;
	struct buf *out = s2s_out(s);
	bool tls = conn_tls(s->conn) != NULL, proved = s->pairs != NULL;

	buf_append_cstr(out, "<stream:features>");
	if (!tls)
		offer_tls(s, out);
	if (tls || !c->require_tls) {
		if (!proved && s->certificate_valid)
			buf_append_cstr(out, "<mechanisms xmlns='" S2S_NS_SASL "'><mechanism>EXTERNAL</mechanism></mechanisms>");
		buf_append_cstr(out, "<dialback xmlns='" S2S_NS_DB_OFFER "'><errors/></dialback>");
		if (c->bidi && !proved)
			buf_append_cstr(out, "<bidi xmlns='" S2S_NS_BIDI_OFFER "'/>");
		s2s_compress_offer(s);
		if (c->sm)
			buf_append_cstr(out, "<sm xmlns='" S2S_NS_SM "'/>");
		buf_append_cstr(out, "<key xmlns='" S2S_NS_KEY "'/>");
	}
	buf_append_cstr(out, "</stream:features>");
	/* Where it carries the other direction as well (XEP-0288), what waited for the stream to begin anew. */
	if (s->link && s->link->out == s) {
		s2s_link_pump(s->link);
		net_defer(s->s2s->net, &s->flush);
	}
}

/* --- chosen ------------------------------------------------------------------------------------------------------- */

static void note(struct s2s_stream *s, const struct xml_node *features)
{
	s->has_dialback = xml_child(features, "dialback", S2S_NS_DB_OFFER) != NULL;
	s->has_sm = xml_child(features, "sm", S2S_NS_SM) != NULL;
	s->has_keys = xml_child(features, "key", S2S_NS_KEY) != NULL;
	s->has_bidi = xml_child(features, "bidi", S2S_NS_BIDI_OFFER) != NULL;
	s2s_compress_note(s, features);
}

/* True: TLS comes first, or the stream has ended for the want of it. */
static bool secure(struct s2s_stream *s, const struct xml_node *features)
{
	if (conn_tls(s->conn))
		return false;
	if (xml_child(features, "starttls", S2S_NS_TLS)) {
		buf_append_cstr(s2s_out(s), "<starttls xmlns='" S2S_NS_TLS "'/>");
		s2s_stream_set_state(s, S2S_OUT_STARTTLS);
		return true;
	}
	if (s->s2s->config->require_tls) {
		s2s_end(s, "policy-violation", "TLS is required, and not offered");
		return true;
	}
	return false;
}

/* XEP-0288 section 2.2: before authentication. Who listens has told in its features that it knows keys; what it sends back over our stream has them only if it is
 * told that we do. */
static void ask_bidi(struct s2s_stream *s)
{
	if (!s->has_bidi || s->bidi || !s->s2s->config->bidi)
		return;
	s->bidi = true;
	buf_append_cstr(s2s_out(s), "<bidi xmlns='" S2S_NS_BIDI "'");
	buf_append_cstr(s2s_out(s), s->has_keys ? "><key xmlns='" S2S_NS_KEY "'/></bidi>" : "/>");
}

void s2s_features(struct s2s_stream *s, const struct s2s_input *in)
{
	char why[160];

	note(s, in->node);
	if (secure(s, in->node))
		return;
	if (s->authenticated) {
		s2s_authenticated(s);
		return;
	}
	if (!s->certificate_valid && s2s_policy_certificate(s->s2s, s->remote)) {
		snprintf(why, sizeof(why), "a valid certificate is required: %s", s->why[0] ? s->why : "there is none");
		s2s_end(s, "policy-violation", why);
		return;
	}
	s2s_dialback_ask(s->link);
	ask_bidi(s);
	if (s2s_external_wanted(s, in->node))
		s2s_external_begin(s);
	else
		s2s_dialback_begin(s);
}

/* Those who listen say whom they believe: with an agreement on both directions the other server may speak now, too. */
static void open_both(struct s2s_stream *s)
{
	struct s2s_pair *p;

	if (!s->bidi)
		return;
	p = s2s_pair_add(s, str_from(s->local), str_from(s->remote));
	if (p)
		p->proof = s->certificate_valid ? S2S_PROOF_CERTIFICATE : S2S_PROOF_DIALBACK;
}

void s2s_authenticated(struct s2s_stream *s)
{
	s->authenticated = true;
	s->proof = s->certificate_valid ? S2S_PROOF_CERTIFICATE : S2S_PROOF_DIALBACK;
	open_both(s);
	s2s_dialback_ask(s->link);
	if (s2s_compress_ask(s))
		return;
	if (s->has_sm && s->s2s->config->sm && !s->managed) {
		buf_append_cstr(s2s_out(s), "<enable xmlns='" S2S_NS_SM "'/>");
		s2s_stream_set_state(s, S2S_OUT_ENABLING);
		return;
	}
	s2s_stream_set_state(s, S2S_OUT_OPEN);
	s2s_link_open(s->link, s);
}

/* XEP-0288: the other server wants to get its stanzas over the stream that it has made. */
void s2s_bidi_in(struct s2s_stream *s, const struct s2s_input *in)
{
	if (!s->s2s->config->bidi || s->pairs) {
		s2s_end(s, "unsupported-feature", "not offered now");
		return;
	}
	s->bidi = true;
	s->has_keys = xml_child(in->node, "key", S2S_NS_KEY) != NULL;
}
