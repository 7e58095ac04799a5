/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_names.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <strings.h>

#include "common/text/idna.h"

#define DOMAIN_MAX 253
#define SRV_PREFIX "_xmpp-server."

enum kind { KIND_OTHER, KIND_DNS, KIND_SRV, KIND_XMPP, KIND_URI };

struct domain {
	char p[DOMAIN_MAX];
	size_t n;
};

static struct str text_of(const ASN1_STRING *s)
{
	return str_make(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static enum kind kind_of(const GENERAL_NAME *name, struct str *out)
{
	const ASN1_TYPE *value;

	*out = (struct str){ 0 };
	if (name->type == GEN_DNS || name->type == GEN_URI) {
		*out = text_of(name->d.ia5);
		return name->type == GEN_DNS ? KIND_DNS : KIND_URI;
	}
	if (name->type != GEN_OTHERNAME)
		return KIND_OTHER;
	value = name->d.otherName->value;
	switch (OBJ_obj2nid(name->d.otherName->type_id)) {
	case NID_XmppAddr:
		if (value->type == V_ASN1_UTF8STRING)
			*out = text_of(value->value.utf8string);
		return KIND_XMPP;
	case NID_SRVName:
		if (value->type == V_ASN1_IA5STRING)
			*out = text_of(value->value.ia5string);
		return KIND_SRV;
	default:
		return KIND_OTHER;
	}
}

/* All A-labels: the form in which domains are compared (RFC 6125 section 6.4.2). */
static bool to_ascii(struct str in, struct domain *out)
{
	char u[4 * DOMAIN_MAX];
	size_t n;

	return idna_domain(in, u, sizeof(u), &n) && idna_to_ascii(str_make(u, n), out->p, sizeof(out->p), &out->n);
}

static bool same(struct str a, const char *p, size_t n)
{
	return a.n == n && strncasecmp(a.p, p, n) == 0;
}

/* RFC 6125 section 6.4.3, and nothing as wide as "*.example": a label that may be any must stand before two that are given. */
static bool dns_match(struct str name, const struct domain *want)
{
	const char *dot;
	size_t label;

	if (name.n < 2 || memcmp(name.p, "*.", 2) != 0)
		return same(name, want->p, want->n);
	dot = memchr(want->p, '.', want->n);
	if (!dot || dot == want->p || !memchr(name.p + 2, '.', name.n - 2))
		return false;
	label = (size_t)(dot - want->p);
	return same(str_make(name.p + 1, name.n - 1), dot, want->n - label);
}

static bool srv_match(struct str name, const struct domain *want)
{
	size_t prefix = sizeof(SRV_PREFIX) - 1;

	return name.n > prefix && strncasecmp(name.p, SRV_PREFIX, prefix) == 0 &&
	       same(str_make(name.p + prefix, name.n - prefix), want->p, want->n);
}

/* A UTF-8 string, so U-labels, in whatever form its issuer wrote them. */
static bool xmpp_match(struct str name, const struct domain *want)
{
	struct domain have;

	return to_ascii(name, &have) && same(str_make(have.p, have.n), want->p, want->n);
}

static bool match(enum kind kind, struct str name, const struct domain *want, bool dns_only)
{
	/* "good.example\0.evil.example": somebody's software stops at the NUL. */
	if (name.n == 0 || memchr(name.p, '\0', name.n))
		return false;
	switch (kind) {
	case KIND_DNS:
		return dns_match(name, want);
	case KIND_SRV:
		return !dns_only && srv_match(name, want);
	case KIND_XMPP:
		return !dns_only && xmpp_match(name, want);
	default:
		return false;
	}
}

/* The common name nearest to the subject, as UTF-8; freed by OPENSSL_free. Negative when there is none. */
static int common_name(X509 *cert, unsigned char **out)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = -1, last = -1;

	while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0)
		last = at;
	if (last < 0)
		return -1;
	return ASN1_STRING_to_UTF8(out, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
}

static bool common_name_match(X509 *cert, const struct domain *want)
{
	unsigned char *text = NULL;
	int n = common_name(cert, &text);
	bool ok = n > 0 && match(KIND_DNS, str_make(text, (size_t)n), want, true);

	OPENSSL_free(text);
	return ok;
}

bool tls_names_match(X509 *cert, struct str domain, bool dns_only)
{
	struct domain want;
	bool found = false, any = false;
	int critical;
	GENERAL_NAMES *names;

	if (!to_ascii(domain, &want))
		return false;
	names = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);
	/* -1: there is none. What is there twice, or is no list of names, rules out the common name, too. */
	if (!names && critical != -1) {
		ERR_clear_error();
		return false;
	}
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		struct str text;
		enum kind kind = kind_of(sk_GENERAL_NAME_value(names, i), &text);

		any = any || kind != KIND_OTHER;
		found = match(kind, text, &want, dns_only);
	}
	GENERAL_NAMES_free(names);
	return found || (!any && common_name_match(cert, &want));
}

static size_t append(char *out, size_t cap, size_t at, struct str s)
{
	for (size_t i = 0; i < s.n && at + 1 < cap; i++)
		out[at++] = s.p[i] > ' ' && s.p[i] <= '~' ? s.p[i] : '?';
	out[at] = '\0';
	return at;
}

const char *tls_names_text(X509 *cert, char *out, size_t n)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	unsigned char *cn = NULL;
	size_t at = append(out, n, 0, STR(""));
	int cn_n;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		struct str text;

		if (kind_of(sk_GENERAL_NAME_value(names, i), &text) == KIND_OTHER)
			continue;
		at = append(out, n, at, at ? STR(",") : STR(""));
		at = append(out, n, at, text);
	}
	GENERAL_NAMES_free(names);
	cn_n = at == 0 ? common_name(cert, &cn) : -1;
	if (cn_n > 0)
		append(out, n, at, str_make(cn, (size_t)cn_n));
	OPENSSL_free(cn);
	ERR_clear_error();
	return out;
}
