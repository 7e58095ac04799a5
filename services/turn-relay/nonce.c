/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/nonce.h"

#include "common/crypto/base64.h"
#include "common/crypto/digest.h"
#include "common/crypto/secret.h"
#include "common/stun/stun_bytes.h"

#define COOKIE_SIZE 13u
#define TIME_SIZE   4u
#define MAC_SIZE    8u /* whoever guesses must ask us each time */

static void seal(const struct nonce_key *key, const struct net_addr *client, uint32_t at_s, uint8_t out[TIME_SIZE + MAC_SIZE])
{
	uint8_t text[TIME_SIZE + 16 + 2], mac[DIGEST_MAX];

	stun_set32(text, at_s);
	memcpy(text + TIME_SIZE, client->ip, 16);
	stun_set16(text + TIME_SIZE + 16, client->port);
	digest_hmac(DIGEST_SHA256, str_make(key->bytes, sizeof(key->bytes)), str_make(text, sizeof(text)), mac);
	memcpy(out, text, TIME_SIZE);
	memcpy(out + TIME_SIZE, mac, MAC_SIZE);
}

void nonce_make(const struct nonce_key *key, const struct net_addr *client, uint32_t now_s, char out[NONCE_SIZE])
{
	uint8_t sealed[TIME_SIZE + MAC_SIZE];

	seal(key, client, now_s, sealed);
	memcpy(out, NONCE_COOKIE, COOKIE_SIZE);
	base64_encode(str_make(sealed, sizeof(sealed)), out + COOKIE_SIZE);
}

enum nonce_verdict nonce_check(const struct nonce_key *key, const struct net_addr *client, struct str nonce, uint32_t now_s,
                               uint32_t life_s)
{
	uint8_t got[TIME_SIZE + MAC_SIZE], want[TIME_SIZE + MAC_SIZE];
	uint32_t at_s;
	size_t n = 0;

	if (nonce.n != NONCE_SIZE || memcmp(nonce.p, NONCE_COOKIE, COOKIE_SIZE) != 0)
		return NONCE_FORGED;
	if (!base64_decode(str_make(nonce.p + COOKIE_SIZE, NONCE_SIZE - COOKIE_SIZE), got, &n) || n != sizeof(got))
		return NONCE_FORGED;
	at_s = stun_get32(got);
	seal(key, client, at_s, want);
	if (!secret_equal(got, want, sizeof(got)))
		return NONCE_FORGED;
	return now_s - at_s <= life_s ? NONCE_OK : NONCE_STALE;
}
