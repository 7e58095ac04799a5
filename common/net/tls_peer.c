/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_peer.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/net/tls_names.h"

#define DEPTH_MAX 8 /* authorities between a server and what we trust; three is much */

struct check {
	X509 *cert;
	int error, depth;
	bool constrained; /* an authority of the chain may speak for some names only */
};

/* OpenSSL knows such limits for dNSName, but there are none for the names of XMPP: an authority confined to one company's domain could name any server by
 * them. */
static bool constrained(const X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);

	for (int i = 1; i < sk_X509_num(chain); i++) {
		if (X509_get_ext_by_NID(sk_X509_value(chain, i), NID_name_constraints, -1) >= 0)
			return true;
	}
	return false;
}

static void check_chain(SSL *ssl, const struct tls_trust *trust, int purpose, struct check *check)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;

	check->error = X509_V_ERR_OUT_OF_MEM;
	check->depth = 0;
	if (ctx && X509_STORE_CTX_init(ctx, tls_trust_store(trust), check->cert, SSL_get_peer_cert_chain(ssl)) == 1) {
		param = X509_STORE_CTX_get0_param(ctx);
		X509_VERIFY_PARAM_set_purpose(param, purpose);
		X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
		X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(ssl));
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
		check->error = X509_V_OK;
		if (X509_verify_cert(ctx) != 1)
			check->error = X509_STORE_CTX_get_error(ctx) != X509_V_OK ? X509_STORE_CTX_get_error(ctx) : X509_V_ERR_UNSPECIFIED;
		check->depth = X509_STORE_CTX_get_error_depth(ctx);
		check->constrained = constrained(ctx);
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
}

/* XEP-0178 has servers present their server certificates as clients, too. Public authorities no longer put clientAuth into those; so what serves may also
 * call. */
static void check_purpose(SSL *ssl, const struct tls_trust *trust, bool as_client, struct check *check)
{
	check_chain(ssl, trust, X509_PURPOSE_SSL_SERVER, check);
	if (as_client && check->error == X509_V_ERR_INVALID_PURPOSE)
		check_chain(ssl, trust, X509_PURPOSE_SSL_CLIENT, check);
}

static enum tls_peer from_error(int error)
{
	switch (error) {
	case X509_V_OK:
		return TLS_PEER_VALID;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_PEER_EXPIRED;
	default:
		return TLS_PEER_UNTRUSTED;
	}
}

static enum tls_peer judge_chain(const struct check *check, char *why, size_t n)
{
	enum tls_peer verdict = from_error(check->error);
	char names[200];

	if (verdict != TLS_PEER_VALID)
		snprintf(why, n, "%s%s (certificate of %s)", check->depth > 0 ? "above it: " : "",
		         X509_verify_cert_error_string(check->error), tls_names_text(check->cert, names, sizeof(names)));
	return verdict;
}

static enum tls_peer judge(const struct check *check, const char *domain, char *why, size_t n)
{
	enum tls_peer verdict = judge_chain(check, why, n);
	char names[200];

	if (verdict != TLS_PEER_VALID)
		return verdict;
	if (tls_names_match(check->cert, str_from(domain), check->constrained))
		return TLS_PEER_VALID;
	snprintf(why, n, "certificate of %s", tls_names_text(check->cert, names, sizeof(names)));
	return TLS_PEER_WRONG_NAME;
}

static bool get_certificate(SSL *ssl, struct check *check, char *why, size_t n)
{
	*check = (struct check){ .cert = SSL_get0_peer_certificate(ssl) };
	snprintf(why, n, "%s", check->cert ? "" : "no certificate");
	return check->cert != NULL;
}

enum tls_peer tls_peer_client(SSL *ssl, const struct tls_trust *trust, char *why, size_t why_size)
{
	struct check check;

	if (!get_certificate(ssl, &check, why, why_size))
		return TLS_PEER_NONE;
	check_chain(ssl, trust, X509_PURPOSE_SSL_CLIENT, &check);
	return judge_chain(&check, why, why_size);
}

enum tls_peer tls_peer_verdict(SSL *ssl, const struct tls_trust *trust, const char *domain, bool as_client, char *why, size_t why_size)
{
	struct check check;

	if (!get_certificate(ssl, &check, why, why_size))
		return TLS_PEER_NONE;
	check_purpose(ssl, trust, as_client, &check);
	return judge(&check, domain, why, why_size);
}

const char *tls_peer_name(enum tls_peer verdict)
{
	static const char *const names[] = {
		[TLS_PEER_VALID] = "valid",           [TLS_PEER_NONE] = "none",
		[TLS_PEER_UNTRUSTED] = "untrusted",   [TLS_PEER_EXPIRED] = "expired",
		[TLS_PEER_WRONG_NAME] = "wrong-name",
	};

	return names[verdict];
}
