/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/digest.h"

#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static const struct {
	const char *name; /* IANA's hash function text names */
	const char *openssl;
	size_t size;
} kinds[DIGEST_COUNT] = {
	[DIGEST_SHA1] = { "SHA-1", "SHA1", 20 },
	[DIGEST_SHA256] = { "SHA-256", "SHA2-256", 32 },
	[DIGEST_SHA512] = { "SHA-512", "SHA2-512", 64 },
};

#define BLOCK_MAX 128u

/* Written once under `once`, only read after that. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *mds[DIGEST_COUNT];

static void release(void)
{
	for (int i = 0; i < DIGEST_COUNT; i++) {
		EVP_MD_free(mds[i]);
		mds[i] = NULL;
	}
}

static void fetch(void)
{
	for (int i = 0; i < DIGEST_COUNT; i++) {
		mds[i] = EVP_MD_fetch(NULL, kinds[i].openssl, NULL);
		if (!mds[i])
			abort();
	}
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

static void hash_two(EVP_MD_CTX *ctx, enum digest d, struct str first, struct str second, uint8_t *out)
{
	must(EVP_DigestInit_ex2(ctx, mds[d], NULL));
	must(EVP_DigestUpdate(ctx, first.p, first.n));
	must(EVP_DigestUpdate(ctx, second.p ? second.p : "", second.n));
	must(EVP_DigestFinal_ex(ctx, out, NULL));
}

/* RFC 2104 over two hashes: OpenSSL's own costs nearly twice as much for short texts, as it makes and copies three contexts for each. */
void digest_hmac(enum digest d, struct str key, struct str data, uint8_t *out)
{
	uint8_t pad[BLOCK_MAX] = { 0 }, inner[DIGEST_MAX];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t block;

	must(pthread_once(&once, fetch) == 0);
	must(ctx != NULL);
	block = (size_t)EVP_MD_get_block_size(mds[d]);
	if (key.n > block)
		digest_hash(d, key, pad);
	else if (key.n > 0)
		memcpy(pad, key.p, key.n);
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36;
	hash_two(ctx, d, str_make(pad, block), data, inner);
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	hash_two(ctx, d, str_make(pad, block), str_make(inner, kinds[d].size), out);
	EVP_MD_CTX_free(ctx);
	mem_wipe(pad, sizeof(pad));
	mem_wipe(inner, sizeof(inner));
}

void digest_pbkdf2(enum digest d, struct str password, struct str salt, uint32_t iterations, uint8_t *out)
{
	must(pthread_once(&once, fetch) == 0);
	must(password.n <= INT_MAX && salt.n <= INT_MAX && iterations <= INT_MAX);
	must(PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.n, (const unsigned char *)(salt.p ? salt.p : ""), (int)salt.n,
	                       (int)iterations, mds[d], (int)kinds[d].size, out));
}
