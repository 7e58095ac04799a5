/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/ticket.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "common/crypto/base64.h"
#include "common/crypto/digest.h"
#include "common/crypto/secret.h"
#include "common/stun/stun_bytes.h"

#define BLOCK      16u
#define MAC_SIZE   8u /* whoever guesses must ask us each time, and be somebody */
#define CIPHER_KEY 32u

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void crypt_block(const struct ticket_key *key, const uint8_t in[BLOCK], uint8_t out[BLOCK], int encrypt)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0;

	must(c != NULL);
	must(EVP_CipherInit_ex(c, EVP_aes_256_ecb(), NULL, key->bytes, NULL, encrypt) == 1);
	EVP_CIPHER_CTX_set_padding(c, 0);
	must(EVP_CipherUpdate(c, out, &n, in, (int)BLOCK) == 1 && n == (int)BLOCK);
	EVP_CIPHER_CTX_free(c);
}

static void authenticate(const struct ticket_key *key, const uint8_t block[BLOCK], uint8_t out[MAC_SIZE])
{
	uint8_t mac[DIGEST_MAX];

	digest_hmac(DIGEST_SHA256, str_make(key->bytes + CIPHER_KEY, TICKET_KEY_SIZE - CIPHER_KEY), str_make(block, BLOCK), mac);
	memcpy(out, mac, MAC_SIZE);
}

void ticket_make(const struct ticket_key *key, const struct ticket *t, char out[TICKET_SIZE])
{
	uint8_t plain[BLOCK], sealed[BLOCK + MAC_SIZE];

	stun_set32(plain, (uint32_t)(t->serial >> 32));
	stun_set32(plain + 4, (uint32_t)t->serial);
	stun_set32(plain + 8, t->generation);
	stun_set32(plain + 12, t->until_s);
	crypt_block(key, plain, sealed, 1);
	authenticate(key, sealed, sealed + BLOCK);
	base64_encode(str_make(sealed, sizeof(sealed)), out);
}

bool ticket_read(const struct ticket_key *key, struct str text, uint32_t now_s, struct ticket *out)
{
	uint8_t sealed[BLOCK + MAC_SIZE], plain[BLOCK], want[MAC_SIZE];
	size_t n = 0;

	if (text.n != TICKET_SIZE || !base64_decode(text, sealed, &n) || n != sizeof(sealed))
		return false;
	authenticate(key, sealed, want);
	if (!secret_equal(sealed + BLOCK, want, MAC_SIZE))
		return false;
	crypt_block(key, sealed, plain, 0);
	out->serial = (uint64_t)stun_get32(plain) << 32 | stun_get32(plain + 4);
	out->generation = stun_get32(plain + 8);
	out->until_s = stun_get32(plain + 12);
	return now_s <= out->until_s;
}
