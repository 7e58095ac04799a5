/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/seal.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/crypto/digest.h"

#define VERSION   1
#define TIME_AT   1
#define NONCE_AT  9
#define NONCE_N   12
#define HEAD_N    (NONCE_AT + NONCE_N)
#define TAG_N     16
#define PERIOD_US INT64_C(3600000000)

_Static_assert(SEAL_OVERHEAD == HEAD_N + TAG_N, "SEAL_OVERHEAD is not what a sealed text adds");

/* A cipher with its key set; only the nonce changes from use to use. */
struct period {
	EVP_CIPHER_CTX *cipher;
	int64_t number;
};

struct seal {
	uint8_t key[SEAL_KEY_SIZE];
	struct period periods[2]; /* this hour and the one before; place by the number's last bit */
};

static const char *const error_names[] = {
	[SEAL_OK] = "ok",
	[SEAL_MALFORMED] = "malformed",
	[SEAL_EXPIRED] = "expired",
	[SEAL_FORGED] = "forged",
};

const char *seal_error_name(enum seal_error e)
{
	return error_names[e];
}

static void must(int ok)
{
	if (ok != 1)
		abort();
}

struct seal *seal_new(const uint8_t key[SEAL_KEY_SIZE])
{
	struct seal *s = mem_new(struct seal);

	memcpy(s->key, key, SEAL_KEY_SIZE);
	for (int i = 0; i < 2; i++) {
		s->periods[i].cipher = EVP_CIPHER_CTX_new();
		s->periods[i].number = -1;
		must(s->periods[i].cipher != NULL);
	}
	return s;
}

void seal_free(struct seal **s)
{
	if (!*s)
		return;
	for (int i = 0; i < 2; i++)
		EVP_CIPHER_CTX_free((*s)->periods[i].cipher);
	mem_free_secret(*s, sizeof(**s));
	*s = NULL;
}

void seal_derive(const struct seal *s, const char *purpose, uint8_t out[SEAL_KEY_SIZE])
{
	_Static_assert(SEAL_KEY_SIZE == 32, "a key is one SHA-256");
	digest_hmac(DIGEST_SHA256, str_make(s->key, SEAL_KEY_SIZE), str_from(purpose), out);
}

static void put_u64le(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t get_u64le(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static EVP_CIPHER_CTX *cipher_at(struct seal *s, int64_t time_us)
{
	int64_t number = time_us / PERIOD_US;
	struct period *p = &s->periods[number & 1];
	char purpose[64] = "starling seal v1 ";
	uint8_t key[SEAL_KEY_SIZE];

	if (p->number == number)
		return p->cipher;
	for (int i = 0; i < 16; i++)
		purpose[17 + i] = "0123456789abcdef"[(uint64_t)number >> (60 - 4 * i) & 15];
	seal_derive(s, purpose, key);
	must(EVP_CipherInit_ex(p->cipher, EVP_aes_256_gcm(), NULL, key, NULL, 1));
	mem_wipe(key, sizeof(key));
	p->number = number;
	return p->cipher;
}

/* Starts one message: nonce and everything that is authenticated but not encrypted. */
static void begin(EVP_CIPHER_CTX *c, const uint8_t *head, struct str bound_to, int encrypt)
{
	int n;

	must(bound_to.n <= INT_MAX);
	must(EVP_CipherInit_ex(c, NULL, NULL, NULL, head + NONCE_AT, encrypt));
	must(EVP_CipherUpdate(c, NULL, &n, head, NONCE_AT));
	if (bound_to.n)
		must(EVP_CipherUpdate(c, NULL, &n, (const unsigned char *)bound_to.p, (int)bound_to.n));
}

bool seal_close(struct seal *s, struct str bound_to, struct str plain, int64_t now_us, struct buf *out)
{
	EVP_CIPHER_CTX *c = cipher_at(s, now_us);
	uint8_t *p = plain.n <= INT_MAX ? (uint8_t *)buf_reserve(out, plain.n + SEAL_OVERHEAD) : NULL;
	int n = 0, last = 0;

	if (!p)
		return false;
	p[0] = VERSION;
	put_u64le(p + TIME_AT, (uint64_t)now_us);
	random_bytes(p + NONCE_AT, NONCE_N);
	begin(c, p, bound_to, 1);
	if (plain.n)
		must(EVP_CipherUpdate(c, p + HEAD_N, &n, (const unsigned char *)plain.p, (int)plain.n));
	must(EVP_CipherFinal_ex(c, p + HEAD_N + n, &last));
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_N, p + HEAD_N + plain.n));
	buf_commit(out, plain.n + SEAL_OVERHEAD);
	return true;
}

enum seal_error seal_open(struct seal *s, struct str bound_to, struct str sealed, int64_t now_us, void *out, size_t *out_n)
{
	const uint8_t *p = (const uint8_t *)sealed.p;
	uint8_t tag[TAG_N], *plain = out;
	EVP_CIPHER_CTX *c;
	size_t length;
	int64_t time_us;
	int n = 0, last = 0;

	*out_n = 0;
	if (sealed.n < SEAL_OVERHEAD || sealed.n > INT_MAX || p[0] != VERSION)
		return SEAL_MALFORMED;
	time_us = (int64_t)get_u64le(p + TIME_AT);
	if (time_us < 0 || time_us < now_us - SEAL_LIFE_US || time_us > now_us + SEAL_SKEW_US)
		return SEAL_EXPIRED;
	length = sealed.n - SEAL_OVERHEAD;
	memcpy(tag, p + HEAD_N + length, TAG_N);
	c = cipher_at(s, time_us);
	begin(c, p, bound_to, 0);
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_N, tag));
	if (length)
		must(EVP_CipherUpdate(c, plain, &n, p + HEAD_N, (int)length));
	if (EVP_CipherFinal_ex(c, plain + n, &last) != 1) {
		mem_wipe(out, length);
		return SEAL_FORGED;
	}
	*out_n = length;
	return SEAL_OK;
}
