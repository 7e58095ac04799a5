/* SPDX-License-Identifier: Apache-2.0
 *
 * The element, and what makes two services the same. external_service_parse.c reads the line. */
#include "services/session-manager/external_service.h"

#include <strings.h>

#include "common/base/clock.h"
#include "common/xml/xml.h"
#include "services/session-manager/turn_credentials.h"

static bool same_word(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

/* "de" is for de, and for de-AT where that has none (RFC 4647 section 3.4, one step). */
static struct str name_for(const struct external_service *s, struct str lang)
{
	const char *dash = lang.n ? memchr(lang.p, '-', lang.n) : NULL;
	struct str primary = dash ? str_make(lang.p, (size_t)(dash - lang.p)) : lang, usual = STR(""), near = STR("");

	for (uint32_t i = 0; i < s->name_count; i++) {
		if (lang.n && same_word(s->names[i].lang, lang))
			return s->names[i].text;
		if (lang.n && same_word(s->names[i].lang, primary))
			near = s->names[i].text;
		if (!s->names[i].lang.n)
			usual = s->names[i].text;
	}
	return near.n ? near : usual;
}

static void write_credentials(const struct external_service *s, const struct external_reader *reader, struct buf *out)
{
	struct buf username = { 0 }, password = { 0 };
	int64_t expires_s = (reader->now_us + reader->life_us) / 1000000;
	char stamp[32];

	if (s->credentials == EXTERNAL_OPEN)
		return;
	buf_append_cstr(out, " restricted='true'");
	if (s->credentials == EXTERNAL_FIXED) {
		xml_attr(out, "username", s->username);
		xml_attr(out, "password", s->secret);
		return;
	}
	turn_credentials_make(s->secret, reader->account, expires_s, &username, &password);
	clock_format_utc(expires_s * 1000000, stamp);
	xml_attr(out, "username", buf_str(&username));
	xml_attr(out, "password", buf_str(&password));
	xml_attr(out, "expires", str_from(stamp));
	buf_fini(&username);
	buf_fini(&password);
}

void external_service_write(const struct external_service *s, const struct external_reader *reader, const char *action, struct buf *out)
{
	struct str name = name_for(s, reader->lang);

	buf_append_cstr(out, "<service");
	if (action)
		xml_attr(out, "action", str_from(action));
	xml_attr(out, "type", s->type);
	xml_attr(out, "host", s->host);
	if (s->port)
		buf_printf(out, " port='%u'", (unsigned)s->port);
	if (s->transport.n)
		xml_attr(out, "transport", s->transport);
	/* What is gone needs no name, and nobody gets credentials for it. */
	if (!action || strcmp(action, "delete") != 0) {
		if (name.n)
			xml_attr(out, "name", name);
		write_credentials(s, reader, out);
	}
	buf_append_cstr(out, "/>");
}

bool external_service_is(const struct external_service *a, const struct external_service *b)
{
	return str_eq(a->type, b->type) && same_word(a->host, b->host) && a->port == b->port && str_eq(a->transport, b->transport);
}

bool external_service_equal(const struct external_service *a, const struct external_service *b)
{
	if (!external_service_is(a, b) || a->credentials != b->credentials || a->name_count != b->name_count ||
	    !str_eq(a->username, b->username) || !str_eq(a->secret, b->secret))
		return false;
	for (uint32_t i = 0; i < a->name_count; i++) {
		if (!str_eq(a->names[i].lang, b->names[i].lang) || !str_eq(a->names[i].text, b->names[i].text))
			return false;
	}
	return true;
}
