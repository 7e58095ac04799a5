/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates to begin with: self-signed, one a domain. An operator replaces them by real ones under the same names. */
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/starlingctl/init.h"
#include "services/starlingctl/state_dir.h"

enum { VALID_DAYS = 825 };

static int add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static int set_serial(X509 *cert)
{
	unsigned char serial[16];
	BIGNUM *number;
	int ok;

	random_bytes(serial, sizeof(serial));
	serial[0] = (serial[0] & 0x3F) | 0x40; /* positive, and of full length (RFC 5280 section 4.1.2.2) */
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return ok;
}

static X509 *make_certificate(EVP_PKEY *key, const char *domain)
{
	X509 *cert = X509_new();
	X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;
	char names[600];
	int ok;

	/* A wildcard beside the name: components (conference.DOMAIN) are reached under it too. */
	snprintf(names, sizeof(names), "DNS:%s,DNS:*.%s", domain, domain);
	ok = cert && X509_set_version(cert, X509_VERSION_3) && set_serial(cert) && X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
	     X509_gmtime_adj(X509_getm_notAfter(cert), VALID_DAYS * 86400L) && X509_set_pubkey(cert, key) &&
	     /* A common name holds 64 characters at most; names are checked against subjectAltName anyway. */
	     (strlen(domain) > 64 || X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)domain, -1, -1, 0)) &&
	     X509_set_issuer_name(cert, name) && add_extension(cert, NID_subject_alt_name, names) &&
	     add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
	     add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
	     add_extension(cert, NID_ext_key_usage, "serverAuth,clientAuth") && add_extension(cert, NID_subject_key_identifier, "hash") &&
	     X509_sign(cert, key, EVP_sha256());
	if (!ok) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

static int write_bio(BIO *bio, const char *path, mode_t mode, struct err *e)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	return state_dir_create(path, mode, p, (size_t)n, e);
}

static int make_pair(const char *domain, const char *cert_path, const char *key_path, struct err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key ? make_certificate(key, domain) : NULL;
	BIO *cert_pem = BIO_new(BIO_s_mem());
	BIO *key_pem = BIO_new(BIO_s_secmem());
	int rc = -1;

	if (!cert || !PEM_write_bio_X509(cert_pem, cert) || !PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL))
		err_set(e, "certificate for %s cannot be made: %s", domain, ERR_reason_error_string(ERR_peek_last_error()));
	else
		rc = write_bio(key_pem, key_path, 0600, e) || write_bio(cert_pem, cert_path, 0644, e) ? -1 : 0;
	BIO_free(key_pem);
	BIO_free(cert_pem);
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}

/* Names go into file names and into the certificate's text form: letters of host names only (IDNA A-labels included). */
static int check_domain(const char *domain, struct err *e)
{
	size_t n = strlen(domain);

	if (n == 0 || n > 253 || domain[0] == '.' || strspn(domain, "abcdefghijklmnopqrstuvwxyz0123456789-.") != n || strstr(domain, ".."))
		return err_set(e, "'%s' is no domain name in lower case (write an international one in its xn-- form)", domain);
	return 0;
}

int init_certificates(const char *const *domains, unsigned count, struct err *e)
{
	struct buf trust = { 0 };
	int rc = state_dir_mkdir("tls", 0711, e);

	for (unsigned i = 0; rc == 0 && i < count; i++) {
		char cert[300], key[300];
		char *text;

		snprintf(cert, sizeof(cert), "tls/%s.pem", domains[i]);
		snprintf(key, sizeof(key), "tls/%s.key", domains[i]);
		rc = check_domain(domains[i], e);
		if (rc == 0 && !state_dir_exists(cert))
			rc = make_pair(domains[i], cert, key, e);
		text = rc == 0 ? state_dir_read(cert, NULL, e) : NULL;
		if (text)
			buf_append_cstr(&trust, text);
		else
			rc = -1;
		mem_free(text);
	}
	if (rc == 0)
		rc = state_dir_replace("tls/ca.pem", 0644, buf_str(&trust).p, buf_str(&trust).n, e);
	buf_fini(&trust);
	return rc;
}
