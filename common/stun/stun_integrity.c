/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stun/stun_integrity.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <zlib.h>

#include "common/base/mem.h"
#include "common/crypto/digest.h"
#include "common/crypto/secret.h"
#include "common/stun/stun_bytes.h"

#define FINGERPRINT_XOR 0x5354554Eu

struct joined {
	char text[3 * STUN_NAME_MAX + 2];
	size_t n;
};

/* Fetched once: what EVP_md5() stands for is looked up by its name each time that it is used. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *md5;

static void release(void)
{
	EVP_MD_free(md5);
	md5 = NULL;
}

static void fetch(void)
{
	md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	atexit(release);
}

static void append(struct joined *j, struct str s)
{
	if (s.n)
		memcpy(j->text + j->n, s.p, s.n);
	j->n += s.n;
}

/* With colons between. */
static bool join(struct joined *j, const struct str *parts, size_t count)
{
	j->n = 0;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].n > STUN_NAME_MAX)
			return false;
		if (i > 0)
			append(j, STR(":"));
		append(j, parts[i]);
	}
	return true;
}

bool stun_key_long_term(struct stun_key *key, uint16_t algorithm, struct str user, struct str realm, struct str password)
{
	const struct str parts[] = { user, realm, password };
	unsigned int n = 0;
	struct joined j;

	if (!join(&j, parts, 3))
		return false;
	if (algorithm == STUN_ALGORITHM_SHA256) {
		digest_hash(DIGEST_SHA256, str_make(j.text, j.n), key->bytes);
		key->n = 32;
	} else if (algorithm == STUN_ALGORITHM_MD5) {
		if (pthread_once(&once, fetch) != 0 || !md5 || EVP_Digest(j.text, j.n, key->bytes, &n, md5, NULL) != 1)
			abort();
		key->n = 16;
	}
	mem_wipe(&j, sizeof(j));
	return algorithm == STUN_ALGORITHM_SHA256 || algorithm == STUN_ALGORITHM_MD5;
}

bool stun_userhash(uint8_t out[STUN_USERHASH_SIZE], struct str user, struct str realm)
{
	const struct str parts[] = { user, realm };
	struct joined j;

	if (!join(&j, parts, 2))
		return false;
	digest_hash(DIGEST_SHA256, str_make(j.text, j.n), out);
	return true;
}

bool stun_integrity_ok(const struct stun_message *m, const struct stun_key *key)
{
	enum stun_attr attr = stun_has(m, STUN_A_INTEGRITY_SHA256) ? STUN_A_INTEGRITY_SHA256 : STUN_A_INTEGRITY;
	enum digest digest = attr == STUN_A_INTEGRITY ? DIGEST_SHA1 : DIGEST_SHA256;
	uint8_t copy[STUN_SIGNED_MAX], mac[DIGEST_MAX];
	size_t before;

	if (!stun_has(m, attr))
		return false;
	before = (size_t)(m->attr[attr].p - m->bytes.p) - 4;
	if (before > sizeof(copy))
		return false;
	/* The length as if the message ended with the attribute. */
	memcpy(copy, m->bytes.p, before);
	stun_set16(copy + 2, (uint16_t)(before + 4 + m->attr[attr].n - STUN_HEADER_SIZE));
	digest_hmac(digest, str_make(key->bytes, key->n), str_make(copy, before), mac);
	return secret_equal(mac, m->attr[attr].p, digest_size(digest));
}

uint32_t stun_fingerprint(const uint8_t *p, size_t n)
{
	return (uint32_t)crc32(0, p, (uInt)n) ^ FINGERPRINT_XOR;
}

bool stun_fingerprint_ok(const struct stun_message *m)
{
	size_t before = (size_t)(m->attr[STUN_A_FINGERPRINT].p - m->bytes.p) - 4;

	return stun_u32(m, STUN_A_FINGERPRINT) == stun_fingerprint((const uint8_t *)m->bytes.p, before);
}
