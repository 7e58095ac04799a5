/* SPDX-License-Identifier: Apache-2.0
 *
 * nonce: challenges that nobody has to remember: a time, and an HMAC over it and the client's transport address (RFC 8489 section 9.2). Who sends one back has got mail at that address.
 *
 * "obMatJos2", the security features, then base64 of 4 bytes of seconds and 8 bytes of the HMAC. Seconds are any clock's that only goes forward. */
#ifndef TURN_NONCE_H
#define TURN_NONCE_H

#include "common/base/str.h"
#include "common/net/addr.h"

#define NONCE_SIZE     29u
#define NONCE_KEY_SIZE 32u
/* The features: password algorithms, yes; names as hashes, no (RFC 8489 section 18.1). */
#define NONCE_COOKIE "obMatJos2gAAA"

struct nonce_key {
	uint8_t bytes[NONCE_KEY_SIZE];
};

enum nonce_verdict { NONCE_OK, NONCE_STALE, NONCE_FORGED };

void nonce_make(const struct nonce_key *key, const struct net_addr *client, uint32_t now_s, char out[NONCE_SIZE]);
/* FORGED: never made with this key, or for somebody else. */
enum nonce_verdict nonce_check(const struct nonce_key *key, const struct net_addr *client, struct str nonce, uint32_t now_s,
                               uint32_t life_s);

#endif
