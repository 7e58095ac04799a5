/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/digest.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name; /* IANA's hash function text names */
	const char *openssl;
	size_t size;
} kinds[DIGEST_COUNT] = {
	[DIGEST_SHA1] = { "SHA-1", "SHA1", 20 },
	[DIGEST_SHA256] = { "SHA-256", "SHA2-256", 32 },
	[DIGEST_SHA512] = { "SHA-512", "SHA2-512", 64 },
};

/* Written once under `once`, only read after that; macs[] are templates with the hash set and no key. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *mds[DIGEST_COUNT];
static EVP_MAC_CTX *macs[DIGEST_COUNT];

static void release(void)
{
	for (int i = 0; i < DIGEST_COUNT; i++) {
		EVP_MAC_CTX_free(macs[i]);
		EVP_MD_free(mds[i]);
		macs[i] = NULL;
		mds[i] = NULL;
	}
}

static void fetch(void)
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	if (!hmac)
		abort();
	for (int i = 0; i < DIGEST_COUNT; i++) {
		char name[16]; /* OpenSSL wants it writable */
		OSSL_PARAM params[2];

		snprintf(name, sizeof(name), "%s", kinds[i].openssl);
		params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
		params[1] = OSSL_PARAM_construct_end();
		mds[i] = EVP_MD_fetch(NULL, kinds[i].openssl, NULL);
		macs[i] = EVP_MAC_CTX_new(hmac);
		if (!mds[i] || !macs[i] || !EVP_MAC_CTX_set_params(macs[i], params))
			abort();
	}
	EVP_MAC_free(hmac);
	atexit(release);
}

static void must(int ok)
{
	if (ok != 1)
		abort();
}

size_t digest_size(enum digest d)
{
	return kinds[d].size;
}

const char *digest_name(enum digest d)
{
	return kinds[d].name;
}

bool digest_parse(struct str name, enum digest *out)
{
	for (int i = 0; i < DIGEST_COUNT; i++) {
		if (str_is(name, kinds[i].name)) {
			*out = (enum digest)i;
			return true;
		}
	}
	return false;
}

void digest_hash(enum digest d, struct str data, uint8_t *out)
{
	must(pthread_once(&once, fetch) == 0);
	must(EVP_Digest(data.p ? data.p : "", data.n, out, NULL, mds[d], NULL));
}

void digest_hmac(enum digest d, struct str key, struct str data, uint8_t *out)
{
	EVP_MAC_CTX *ctx;
	size_t n;

	must(pthread_once(&once, fetch) == 0);
	ctx = EVP_MAC_CTX_dup(macs[d]);
	must(ctx != NULL);
	must(EVP_MAC_init(ctx, (const unsigned char *)(key.p ? key.p : ""), key.n, NULL));
	must(EVP_MAC_update(ctx, (const unsigned char *)(data.p ? data.p : ""), data.n));
	must(EVP_MAC_final(ctx, out, &n, DIGEST_MAX));
	EVP_MAC_CTX_free(ctx);
}

void digest_pbkdf2(enum digest d, struct str password, struct str salt, uint32_t iterations, uint8_t *out)
{
	must(pthread_once(&once, fetch) == 0);
	must(password.n <= INT_MAX && salt.n <= INT_MAX && iterations <= INT_MAX);
	must(PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.n, (const unsigned char *)(salt.p ? salt.p : ""), (int)salt.n,
	                       (int)iterations, mds[d], (int)kinds[d].size, out));
}
