/* SPDX-License-Identifier: Apache-2.0
 *
 * idna: see idna.h. Validity of U-labels is libidn2's; the mapping before it (width, case, NFC) is what RFC 7622 section 3.2.1 asks of whoever
 * enforces a domainpart. */
#include "common/text/idna.h"

#include <arpa/inet.h>
#include <idn2.h>

#include "common/text/precis.h"
#include "common/text/utf8.h"

#define DOMAIN_MAX 253 /* of the A-label form, RFC 1035 section 2.3.4 without the final dot */
#define LABEL_MAX  63
#define INPUT_MAX  1023

static struct str without_final_dot(struct str in)
{
	if (in.n > 1 && in.p[in.n - 1] == '.')
		in.n--;
	return in;
}

static bool is_ldh(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool copy_out(struct str s, char *out, size_t cap, size_t *out_n)
{
	if (s.n == 0 || s.n > cap)
		return false;
	memcpy(out, s.p, s.n);
	*out_n = s.n;
	return true;
}

bool idna_domain_ascii(struct str in, char *out, size_t cap, size_t *out_n)
{
	size_t label = 0;

	in = without_final_dot(in);
	if (in.n == 0 || in.n > DOMAIN_MAX || in.n > cap)
		return false;
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + ('a' - 'A'));
		out[i] = c;
		if (c == '.') {
			if (label == 0 || out[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		label++;
		if (!is_ldh(c) || label > LABEL_MAX || (c == '-' && (label == 1 || (label == 4 && out[i - 1] == '-'))))
			return false;
	}
	*out_n = in.n;
	return label > 0 && out[in.n - 1] != '-';
}

/* RFC 3986 IP-literal without zone and without future versions; written as RFC 5952 wants it, so that one address is one JID. */
static bool ipv6_literal(struct str in, char *out, size_t cap, size_t *out_n)
{
	char text[INET6_ADDRSTRLEN + 2] = "[";
	struct in6_addr address;

	if (in.n < 4 || in.n >= sizeof(text) || in.p[in.n - 1] != ']')
		return false;
	memcpy(text + 1, in.p + 1, in.n - 2);
	text[in.n - 1] = 0;
	if (strlen(text + 1) != in.n - 2 || inet_pton(AF_INET6, text + 1, &address) != 1 ||
	    !inet_ntop(AF_INET6, &address, text + 1, sizeof(text) - 2))
		return false;
	size_t n = strlen(text);
	text[n++] = ']';
	return copy_out(str_make(text, n), out, cap, out_n);
}

/* Width, case and NFC. out holds 4 * INPUT_MAX + 1 bytes and gets a NUL. */
static bool map(struct str in, char *out)
{
	uint32_t cps[3 * INPUT_MAX];
	size_t max = sizeof(cps) / sizeof(cps[0]), n = utf8_to_cps(in, cps, INPUT_MAX);

	if (n == SIZE_MAX || !precis_map_width(cps, &n, max) || !precis_map_lower(cps, &n, max) || !precis_map_nfc(cps, &n, max))
		return false;
	n = utf8_from_cps(cps, n, out, 4 * INPUT_MAX);
	if (n == SIZE_MAX || memchr(out, 0, n))
		return false;
	out[n] = 0;
	return true;
}

/* What libidn2 leaves to its caller, of U- and LDH labels alike: letters, digits and hyphens only where a label is ASCII, no hyphen at either
 * end, and none in both the third and fourth place of a U-label (RFC 5891 section 4.2.3.1). */
static bool label_ok(const char *p, size_t n)
{
	bool ascii = utf8_ascii(str_make(p, n));

	for (size_t i = 0; i < n; i++) {
		if ((uint8_t)p[i] < 0x80 && !is_ldh(p[i]))
			return false;
	}
	return n > 0 && p[0] != '-' && p[n - 1] != '-' && (ascii || n < 4 || p[2] != '-' || p[3] != '-');
}

static bool labels_ok(const char *name)
{
	for (;;) {
		size_t n = strcspn(name, ".");

		if (!label_ok(name, n))
			return false;
		if (!name[n])
			return true;
		name += n + 1;
	}
}

/* To A-labels, to U-labels, and to A-labels again: only what survives the round is valid (RFC 5891 section 5.4). */
static bool to_unicode(const char *mapped, char **out_u)
{
	char *a = NULL, *again = NULL;
	bool ok = labels_ok(mapped) && idn2_to_ascii_8z(mapped, &a, IDN2_NO_TR46) == IDN2_OK && strlen(a) <= DOMAIN_MAX &&
	          idn2_to_unicode_8z8z(a, out_u, 0) == IDN2_OK && labels_ok(*out_u) &&
	          idn2_to_ascii_8z(*out_u, &again, IDN2_NO_TR46) == IDN2_OK && strcmp(a, again) == 0;

	idn2_free(a);
	idn2_free(again);
	return ok;
}

bool idna_domain(struct str in, char *out, size_t cap, size_t *out_n)
{
	char mapped[4 * INPUT_MAX + 1], again[4 * INPUT_MAX + 1];
	char *u = NULL;

	*out_n = 0;
	if (in.n == 0 || in.n > INPUT_MAX)
		return false;
	if (in.p[0] == '[')
		return ipv6_literal(in, out, cap, out_n);
	if (idna_domain_ascii(in, out, cap, out_n))
		return true;
	if (!map(in, mapped))
		return false;
	struct str body = without_final_dot(str_from(mapped));
	mapped[body.n] = 0;
	/* An A-label may stand for letters that the mapping would change (Cherokee ones, whose capitals are IDNA's stable form): no normal form, no JID. */
	bool ok = to_unicode(mapped, &u) && strlen(u) <= INPUT_MAX && map(str_from(u), again) && strcmp(u, again) == 0 &&
	          copy_out(str_from(u), out, cap, out_n);
	idn2_free(u);
	return ok;
}

bool idna_to_ascii(struct str in, char *out, size_t cap, size_t *out_n)
{
	char text[4 * INPUT_MAX + 1];
	char *a = NULL;

	if (in.n > INPUT_MAX)
		return false;
	if (utf8_ascii(in))
		return copy_out(in, out, cap, out_n);
	memcpy(text, in.p, in.n);
	text[in.n] = 0;
	bool ok = idn2_to_ascii_8z(text, &a, IDN2_NO_TR46) == IDN2_OK && copy_out(str_from(a), out, cap, out_n);
	idn2_free(a);
	return ok;
}
