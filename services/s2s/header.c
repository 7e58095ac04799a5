/* SPDX-License-Identifier: Apache-2.0
 *
 * header: stream headers of both directions (RFC 6120 section 4.7). */
#include "services/s2s/s2s.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

/* Section 4.7.5: we speak 1.0, also to those who could do more. A server of before 1.0 could do neither TLS nor features. */
static bool version_ok(const struct xml_header *h)
{
	return h->has_version && h->version.n >= 3 && h->version.p[0] >= '1' && h->version.p[0] <= '9';
}

void s2s_header_send(struct s2s_stream *s)
{
	const char *first = daemon_shared(s->s2s->daemon)->hosts.items[0];
	struct buf *out = s2s_out(s);
	char id[33];

	buf_append_cstr(out, "<?xml version='1.0'?><stream:stream xmlns='" S2S_NS_SERVER "' xmlns:stream='" S2S_NS_STREAM
	                     "' xmlns:db='" S2S_NS_DIALBACK "'");
	if (!s->outbound) {
		/* It goes into dialback keys: not to be guessed (XEP-0220 section 2.1). */
		random_token(id, sizeof(id) - 1);
		mem_free(s->stream_id);
		s->stream_id = mem_strdup(id);
		xml_attr(out, "id", str_from(id));
	}
	xml_attr(out, "from", str_from(s->local ? s->local : first));
	if (s->remote)
		xml_attr(out, "to", str_from(s->remote));
	buf_append_cstr(out, " version='1.0' xml:lang='en'>");
	s->header_sent = true;
	s->wrote_ms = net_now(s->s2s->net);
}

static char *normalised(struct str domain)
{
	char out[JID_PART_MAX + 1];
	size_t n;

	if (domain.n == 0 || jid_prep_domain(domain, out, &n) != JID_OK)
		return NULL;
	return mem_strndup(out, n);
}

/* What was proved was proved for the domains that the stream began with (section 4.7.1: they do not change). */
static bool take_names(struct s2s_stream *s, const struct xml_header *h)
{
	char *local = normalised(h->to), *remote = normalised(h->from);
	bool changed = s->pairs && remote && s->remote && strcmp(remote, s->remote) != 0;

	mem_free(s->local);
	s->local = local;
	if (remote) {
		mem_free(s->remote);
		s->remote = remote;
	}
	return !changed;
}

/* NULL when all is well, else the stream error's condition. */
static const char *check_in(struct s2s_stream *s, const struct xml_header *h)
{
	bool changed = !take_names(s, h);

	if (!str_is(h->name_ns, S2S_NS_STREAM) || !str_is(h->content_ns, S2S_NS_SERVER))
		return "invalid-namespace";
	if (h->has_from && !s->remote)
		return "improper-addressing";
	if (h->has_to && (!s->local || !s2s_local(s->s2s, str_from(s->local))))
		return "host-unknown";
	if (!version_ok(h))
		return "unsupported-version";
	if (changed)
		return "invalid-from";
	if (s->remote && s2s_policy_denied(s->s2s, s->remote))
		return "policy-violation";
	return NULL;
}

void s2s_header_in(struct s2s_stream *s, const struct s2s_input *in)
{
	const char *condition = check_in(s, in->header);

	if (condition && s->local && !s2s_local(s->s2s, str_from(s->local))) {
		mem_free(s->local);
		s->local = NULL;
	}
	s2s_header_send(s);
	if (condition) {
		s2s_end(s, condition, "");
		return;
	}
	s2s_look_at_certificate(s);
	s2s_stream_set_state(s, S2S_IN_TALKING);
	s2s_features_send(s);
}

void s2s_header_out(struct s2s_stream *s, const struct s2s_input *in)
{
	const struct xml_header *h = in->header;

	if (!str_is(h->name_ns, S2S_NS_STREAM) || !str_is(h->content_ns, S2S_NS_SERVER)) {
		s2s_end(s, "invalid-namespace", "");
	} else if (!version_ok(h)) {
		s2s_end(s, "unsupported-version", "");
	} else {
		mem_free(s->stream_id);
		s->stream_id = mem_strndup(h->id.p ? h->id.p : "", h->id.n);
		s2s_stream_set_state(s, S2S_OUT_FEATURES);
	}
}
