/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_for_test: certificates in a temporary folder, for unit tests that need TLS. */
#ifndef COMMON_NET_TLS_FOR_TEST_H
#define COMMON_NET_TLS_FOR_TEST_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* NAME.pem and NAME.key in dir, self-signed with this hash. */
static inline void tls_for_test_make(const char *dir, const char *name, const EVP_MD *md)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	char path[512];
	FILE *f;

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 864000);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	if (!X509_sign(cert, key, md))
		abort();
	snprintf(path, sizeof(path), "%s/%s.pem", dir, name);
	f = fopen(path, "w");
	PEM_write_X509(f, cert);
	fclose(f);
	snprintf(path, sizeof(path), "%s/%s.key", dir, name);
	f = fopen(path, "w");
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
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
