/* SPDX-License-Identifier: Apache-2.0
 *
 * stun_integrity: keys of the long-term mechanism, what proves a message, and its checksum (RFC 8489 sections 9.2.2, 14.4 to 14.7, 18.5.1). */
#ifndef COMMON_STUN_STUN_INTEGRITY_H
#define COMMON_STUN_STUN_INTEGRITY_H

#include "common/stun/stun_message.h"

#define STUN_KEY_MAX       32u
#define STUN_USERHASH_SIZE 32u
/* Longest message that is verified: all that a request may carry, names of STUN_NAME_MAX each included. */
#define STUN_SIGNED_MAX 4096u

struct stun_key {
	uint8_t bytes[STUN_KEY_MAX];
	uint8_t n; /* 16: MD5, 32: SHA-256; a short-term one any length up to 32 */
};

/* From name, realm and password as they are: preparing them (OpaqueString) is the caller's business. algorithm: STUN_ALGORITHM_... False: unknown, or one of
 * them is longer than STUN_NAME_MAX. */
bool stun_key_long_term(struct stun_key *key, uint16_t algorithm, struct str user, struct str realm, struct str password);
/* The SHA-256 that stands for a name (section 14.4). False: too long. */
bool stun_userhash(uint8_t out[STUN_USERHASH_SIZE], struct str user, struct str realm);

/* By the SHA-256 attribute where there is one, else by the SHA-1 one; false when there is neither, it is not this key's, or the message is longer than
 * STUN_SIGNED_MAX. Takes the same time wherever the first difference is. */
bool stun_integrity_ok(const struct stun_message *m, const struct stun_key *key);
bool stun_fingerprint_ok(const struct stun_message *m);
/* Of the bytes before the attribute, whose header's length already counts it (section 14.7). */
uint32_t stun_fingerprint(const uint8_t *p, size_t n);

#endif
