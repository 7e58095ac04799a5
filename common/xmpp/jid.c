/* SPDX-License-Identifier: Apache-2.0
 *
 * jid: splitting, joining and copying of addresses; see jid.h. What a part may hold is jid_prep.c's matter. */
#include "common/xmpp/jid.h"

#include "common/base/mem.h"

const char *jid_error_name(enum jid_error e)
{
	static const char *const names[] = {
		[JID_OK] = "ok",
		[JID_EMPTY] = "an empty part",
		[JID_TOO_LONG] = "a part longer than 1023 bytes",
		[JID_BAD_UTF8] = "malformed UTF-8",
		[JID_BAD_LOCAL] = "a character not allowed in a localpart",
		[JID_BAD_DOMAIN] = "not a domain name",
		[JID_BAD_RESOURCE] = "a character not allowed in a resourcepart",
	};
	return (size_t)e < sizeof(names) / sizeof(names[0]) ? names[e] : "unknown";
}

/* Where the parts of a text stand. The resource begins behind the first slash, and only what is before that can hold an at sign
 * (RFC 7622 section 3.1). */
struct split {
	struct str local, domain, resource;
	bool has_local, has_resource;
};

static struct split split(struct str text)
{
	struct split s = { .domain = text };
	const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;

	if (slash) {
		s.has_resource = true;
		s.domain.n = (size_t)(slash - text.p);
		s.resource = str_make(slash + 1, text.n - s.domain.n - 1);
	}
	const char *at = s.domain.n ? memchr(s.domain.p, '@', s.domain.n) : NULL;
	if (at) {
		s.has_local = true;
		s.local = str_make(s.domain.p, (size_t)(at - s.domain.p));
		s.domain = str_make(at + 1, s.domain.n - s.local.n - 1);
	}
	return s;
}

/* Sets the views from the lengths of the parts in j->text. */
static void set_views(struct jid *j, size_t local_n, size_t domain_n, size_t resource_n)
{
	char *domain = j->text + (local_n ? local_n + 1 : 0);

	j->local = str_make(j->text, local_n);
	j->domain = str_make(domain, domain_n);
	j->bare = str_make(j->text, (size_t)(domain - j->text) + domain_n);
	j->resource = str_make(domain + domain_n + (resource_n ? 1 : 0), resource_n);
	j->full = str_make(j->text, j->bare.n + (resource_n ? 1 + resource_n : 0));
}

/* Each part is prepared where it will stand: a fixed area is large enough for any address, and the heap sees one allocation of the right size. */
static enum jid_error prepare(const struct split *s, struct jid *out)
{
	char text[JID_TEXT_MAX + 1];
	size_t local_n = 0, domain_n = 0, resource_n = 0, at = 0;
	enum jid_error e = JID_OK;

	*out = (struct jid){ 0 };
	if (s->has_local) {
		e = jid_prep_local(s->local, text, &local_n);
		at = local_n + 1;
		text[local_n] = '@';
	}
	if (!e)
		e = jid_prep_domain(s->domain, text + at, &domain_n);
	at += domain_n;
	if (!e && s->has_resource) {
		text[at++] = '/';
		e = jid_prep_resource(s->resource, text + at, &resource_n);
		at += resource_n;
	}
	if (e)
		return e;
	out->text = mem_strndup(text, at);
	set_views(out, local_n, domain_n, resource_n);
	return JID_OK;
}

enum jid_error jid_parse(struct str text, struct jid *out)
{
	struct split s = split(text);

	return prepare(&s, out);
}

enum jid_error jid_make(struct str local, struct str domain, struct str resource, struct jid *out)
{
	struct split s = { local, domain, resource, local.n > 0, resource.n > 0 };

	return prepare(&s, out);
}

void jid_copy(struct jid *out, const struct jid *from)
{
	*out = (struct jid){ 0 };
	if (!from->text)
		return;
	out->text = mem_strndup(from->text, from->full.n);
	set_views(out, from->local.n, from->domain.n, from->resource.n);
}

void jid_fini(struct jid *j)
{
	mem_free(j->text);
	*j = (struct jid){ 0 };
}

bool jid_equal(const struct jid *a, const struct jid *b)
{
	return str_eq(a->full, b->full);
}

struct str jid_view_bare(struct str normalised)
{
	const char *slash = normalised.n ? memchr(normalised.p, '/', normalised.n) : NULL;

	return slash ? str_make(normalised.p, (size_t)(slash - normalised.p)) : normalised;
}

struct str jid_view_local(struct str normalised)
{
	return split(normalised).local;
}

struct str jid_view_domain(struct str normalised)
{
	return split(normalised).domain;
}

struct str jid_view_resource(struct str normalised)
{
	return split(normalised).resource;
}
