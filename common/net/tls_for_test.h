/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_for_test: certificates in a temporary folder, for unit tests that need TLS. */
#ifndef COMMON_NET_TLS_FOR_TEST_H
#define COMMON_NET_TLS_FOR_TEST_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What a certificate should say. Zero: ten days from now, no extensions, signed with SHA-256 by itself. */
struct tls_for_test {
	const char *cn;
	/* In the language of OpenSSL's configuration files. */
	const char *san, *eku, *basic, *constraints;
	GENERAL_NAMES *names; /* instead of san, for what that language cannot say */
	long from_s, until_s; /* from now */
	const EVP_MD *md;
	X509 *issuer;
	EVP_PKEY *issuer_key;
};

static inline void tls_for_test_extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = value ? X509V3_EXT_conf_nid(NULL, NULL, nid, value) : NULL;

	if (value && (!ext || X509_add_ext(cert, ext, -1) != 1))
		abort();
	X509_EXTENSION_free(ext);
}

/* Both are the caller's to free. */
static inline X509 *tls_for_test_sign(const struct tls_for_test *want, EVP_PKEY **out_key)
{
	static long serial;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), want->from_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), want->until_s ? want->until_s : 864000);
	X509_set_pubkey(cert, key);
	if (want->cn)
		X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8, (const unsigned char *)want->cn, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(want->issuer ? want->issuer : cert));
	tls_for_test_extend(cert, NID_subject_alt_name, want->san);
	tls_for_test_extend(cert, NID_ext_key_usage, want->eku);
	tls_for_test_extend(cert, NID_basic_constraints, want->basic);
	tls_for_test_extend(cert, NID_name_constraints, want->constraints);
	if (want->names && X509_add1_ext_i2d(cert, NID_subject_alt_name, want->names, 0, 0) != 1)
		abort();
	if (!X509_sign(cert, want->issuer ? want->issuer_key : key, want->md ? want->md : EVP_sha256()))
		abort();
	*out_key = key;
	return cert;
}

/* NAME.pem, with the issuer behind it when there is one, and NAME.key in dir. */
static inline void tls_for_test_write(const char *dir, const char *name, X509 *cert, X509 *issuer, EVP_PKEY *key)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.pem", dir, name);
	f = fopen(path, "w");
	PEM_write_X509(f, cert);
	if (issuer)
		PEM_write_X509(f, issuer);
	fclose(f);
	snprintf(path, sizeof(path), "%s/%s.key", dir, name);
	f = fopen(path, "w");
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

/* NAME.pem and NAME.key in dir, self-signed with this hash. */
static inline void tls_for_test_make(const char *dir, const char *name, const EVP_MD *md)
{
	struct tls_for_test want = { .cn = name, .md = md };
	EVP_PKEY *key;
	X509 *cert = tls_for_test_sign(&want, &key);

	tls_for_test_write(dir, name, cert, NULL, key);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static inline void tls_for_test_remove(const char *dir, const char *const *names)
{
	char path[512];

	for (; *names; names++) {
		snprintf(path, sizeof(path), "%s/%s.pem", dir, *names);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%s.key", dir, *names);
		unlink(path);
	}
	rmdir(dir);
}

#endif
