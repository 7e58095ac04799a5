/* SPDX-License-Identifier: Apache-2.0
 *
 * header: the client's stream header and our answer (RFC 6120 section 4.7). */
#include "services/c2s-edge/c2s.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

#define LANG_MAX 35 /* longer than any registered tag (RFC 5646 section 4.4.1) */

struct c2s_host *c2s_host_find(struct c2s_edge *edge, struct str name)
{
	char domain[JID_PART_MAX + 1];
	size_t n;

	if (jid_prep_domain(name, domain, &n) != JID_OK)
		return NULL;
	for (uint32_t i = 0; i < edge->host_count; i++) {
		if (str_eq(edge->hosts[i].name, str_make(domain, n)))
			return &edge->hosts[i];
	}
	return NULL;
}

/* A language tag's letters only: it will stand in other people's stanzas. */
static void set_lang(struct c2s_stream *s, struct str lang)
{
	mem_free(s->lang);
	s->lang = NULL;
	if (lang.n == 0 || lang.n > LANG_MAX)
		return;
	for (size_t i = 0; i < lang.n; i++) {
		unsigned char c = (unsigned char)lang.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c == '-' && i > 0)))
			return;
	}
	s->lang = mem_strndup(lang.p, lang.n);
}

/* Section 4.7.5: major.minor, compared as numbers; none means 0.9. We speak 1.0, also to those who could do more. */
static bool version_ok(const struct xml_header *h)
{
	size_t i = 0, digits = 0;
	unsigned major = 0;

	if (!h->has_version)
		return false;
	for (; i < h->version.n && h->version.p[i] >= '0' && h->version.p[i] <= '9'; i++, digits++)
		major = major < 1000 ? major * 10 + (unsigned)(h->version.p[i] - '0') : major;
	if (digits == 0 || i == h->version.n || h->version.p[i] != '.' || i + 1 == h->version.n)
		return false;
	for (i++; i < h->version.n; i++) {
		if (h->version.p[i] < '0' || h->version.p[i] > '9')
			return false;
	}
	return major >= 1;
}

void c2s_header_send(struct c2s_stream *s, struct str to)
{
	const char *first = daemon_shared(s->edge->daemon)->hosts.items[0];
	struct buf *out = c2s_out(s);
	char id[25];

	random_token(id, sizeof(id) - 1);
	buf_append_cstr(out, "<?xml version='1.0'?><stream:stream xmlns='" C2S_NS_CLIENT "' xmlns:stream='" C2S_NS_STREAM "'");
	xml_attr(out, "id", str_from(id));
	xml_attr(out, "from", s->host ? s->host->name : str_from(first));
	if (to.n > 0)
		xml_attr(out, "to", to);
	buf_append_cstr(out, " version='1.0' xml:lang='en'>");
	s->header_sent = true;
}

/* The host asked for, or NULL. */
static struct c2s_host *host_of(struct c2s_stream *s, const struct xml_header *h)
{
	if (h->has_to)
		return c2s_host_find(s->edge, h->to);
	return s->edge->config->default_host ? &s->edge->hosts[0] : NULL;
}

/* NULL when all is well, else the stream error's condition. */
static const char *check(struct c2s_stream *s, const struct xml_header *h, struct c2s_host *host)
{
	const char *account = s->login->account;

	if (!str_is(h->name_ns, C2S_NS_STREAM) || !str_is(h->content_ns, C2S_NS_CLIENT))
		return "invalid-namespace";
	if (!host)
		return "host-unknown";
	if (!version_ok(h))
		return "unsupported-version";
	/* An account belongs to one host. */
	if (account && !str_eq(jid_view_domain(str_from(account)), host->name))
		return "not-authorized";
	return NULL;
}

void c2s_header(struct c2s_stream *s, const struct c2s_input *in)
{
	const struct xml_header *h = in->header;
	struct c2s_host *host = host_of(s, h);
	const char *condition = check(s, h, host);
	struct jid from = { 0 };

	s->host = host;
	set_lang(s, h->lang);
	/* Section 4.7.2: whom we answer, if it has said so. */
	if (h->has_from)
		jid_parse(h->from, &from);
	c2s_header_send(s, from.bare);
	jid_fini(&from);
	if (condition)
		c2s_end(s, condition, "");
	else
		c2s_features(s);
}
