/* SPDX-License-Identifier: Apache-2.0
 *
 * jid_prep: single parts of an address, normalised. ASCII is decided here without a look-up in Unicode tables; the rest is common/text's. */
#include "common/text/idna.h"
#include "common/text/precis.h"
#include "common/text/utf8.h"
#include "common/xmpp/jid.h"

static enum jid_error from_precis(enum precis_error e, enum jid_error bad)
{
	switch (e) {
	case PRECIS_OK:
		return JID_OK;
	case PRECIS_EMPTY:
		return JID_EMPTY;
	case PRECIS_TOO_LONG:
		return JID_TOO_LONG;
	case PRECIS_BAD_UTF8:
		return JID_BAD_UTF8;
	default:
		return bad;
	}
}

/* RFC 7622 section 3.3.1: what UsernameCaseMapped would allow but a localpart may not have. */
static bool excluded(char c)
{
	return c == '"' || c == '&' || c == '\'' || c == '/' || c == ':' || c == '<' || c == '>' || c == '@';
}

/* The whole profile for ASCII: IdentifierClass is U+0021 to U+007E, and case mapping is the only mapping. */
static enum jid_error local_ascii(struct str in, char *out, size_t *out_n)
{
	if (in.n > JID_PART_MAX)
		return JID_TOO_LONG;
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (c <= 0x20 || c == 0x7F || excluded(c))
			return JID_BAD_LOCAL;
		out[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	out[in.n] = 0;
	*out_n = in.n;
	return JID_OK;
}

enum jid_error jid_prep_local(struct str in, char *out, size_t *out_n)
{
	*out_n = 0;
	if (in.n == 0)
		return JID_EMPTY;
	if (utf8_ascii(in))
		return local_ascii(in, out, out_n);
	enum jid_error e = from_precis(precis_username(in, out, JID_PART_MAX, out_n), JID_BAD_LOCAL);
	if (e)
		return e;
	for (size_t i = 0; i < *out_n; i++) {
		if (excluded(out[i])) {
			*out_n = 0;
			return JID_BAD_LOCAL;
		}
	}
	out[*out_n] = 0;
	return JID_OK;
}

enum jid_error jid_prep_domain(struct str in, char *out, size_t *out_n)
{
	*out_n = 0;
	if (in.n == 0)
		return JID_EMPTY;
	if (in.n > JID_PART_MAX)
		return JID_TOO_LONG;
	if (!idna_domain(in, out, JID_PART_MAX, out_n)) {
		*out_n = 0;
		return utf8_valid(in) ? JID_BAD_DOMAIN : JID_BAD_UTF8;
	}
	out[*out_n] = 0;
	return JID_OK;
}

/* OpaqueString for ASCII: U+0020 to U+007E, unchanged. */
static enum jid_error opaque(struct str in, char *out, size_t *out_n)
{
	*out_n = 0;
	if (in.n == 0)
		return JID_EMPTY;
	if (!utf8_ascii(in)) {
		enum jid_error e = from_precis(precis_opaque(in, out, JID_PART_MAX, out_n), JID_BAD_RESOURCE);

		out[*out_n] = 0;
		return e;
	}
	if (in.n > JID_PART_MAX)
		return JID_TOO_LONG;
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] < 0x20 || in.p[i] == 0x7F)
			return JID_BAD_RESOURCE;
	}
	memcpy(out, in.p, in.n);
	out[in.n] = 0;
	*out_n = in.n;
	return JID_OK;
}

enum jid_error jid_prep_resource(struct str in, char *out, size_t *out_n)
{
	return opaque(in, out, out_n);
}

enum jid_error jid_prep_password(struct str in, char *out, size_t *out_n)
{
	return opaque(in, out, out_n);
}
