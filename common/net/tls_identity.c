/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_identity.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "common/base/str.h"
#include "common/text/utf8.h"

/* A second name must be the same: which of two is meant nobody can say. */
static bool take(struct str name, char out[TLS_IDENTITY_MAX])
{
	if (name.n == 0 || name.n >= TLS_IDENTITY_MAX || !utf8_valid(name))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f)
			return false;
	}
	if (out[0])
		return str_is(name, out);
	memcpy(out, name.p, name.n);
	out[name.n] = '\0';
	return true;
}

static bool common_name(X509 *cert, char out[TLS_IDENTITY_MAX])
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	unsigned char *text = NULL;
	int at = -1, last = -1, n;
	bool ok;

	while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0)
		last = at;
	if (last < 0)
		return false;
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
	ok = n > 0 && take(str_make(text, (size_t)n), out);
	OPENSSL_free(text);
	return ok;
}

static struct str text_of(const ASN1_STRING *s)
{
	return str_make(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* True: it is a name of this kind. Its text is empty when it has not the type that it must have. */
static bool is_kind(const GENERAL_NAME *name, enum tls_identity kind, struct str *out)
{
	const OTHERNAME *other;

	*out = (struct str){ 0 };
	if (kind == TLS_IDENTITY_EMAIL) {
		if (name->type == GEN_EMAIL)
			*out = text_of(name->d.rfc822Name);
		return name->type == GEN_EMAIL;
	}
	if (name->type != GEN_OTHERNAME)
		return false;
	other = name->d.otherName;
	if (OBJ_obj2nid(other->type_id) != NID_XmppAddr)
		return false;
	if (other->value->type == V_ASN1_UTF8STRING)
		*out = text_of(other->value->value.utf8string);
	return true;
}

static bool alternative(X509 *cert, enum tls_identity kind, char out[TLS_IDENTITY_MAX])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool ok = true;

	for (int i = 0; ok && i < sk_GENERAL_NAME_num(names); i++) {
		struct str text;

		if (is_kind(sk_GENERAL_NAME_value(names, i), kind, &text))
			ok = take(text, out);
	}
	GENERAL_NAMES_free(names);
	return ok && out[0];
}

static bool subject(X509 *cert, char out[TLS_IDENTITY_MAX])
{
	BIO *text = BIO_new(BIO_s_mem());
	char *p = NULL;
	bool ok = false;

	if (text && X509_NAME_print_ex(text, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
		long n = BIO_get_mem_data(text, &p);

		ok = n > 0 && take(str_make(p, (size_t)n), out);
	}
	BIO_free(text);
	return ok;
}

bool tls_identity_get(X509 *cert, enum tls_identity kind, char out[TLS_IDENTITY_MAX])
{
	bool ok = false;

	out[0] = '\0';
	if (kind == TLS_IDENTITY_COMMON_NAME)
		ok = common_name(cert, out);
	else if (kind == TLS_IDENTITY_EMAIL || kind == TLS_IDENTITY_XMPP)
		ok = alternative(cert, kind, out);
	else if (kind == TLS_IDENTITY_SUBJECT)
		ok = subject(cert, out);
	ERR_clear_error();
	if (!ok)
		out[0] = '\0';
	return ok;
}
