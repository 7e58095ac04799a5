/* SPDX-License-Identifier: Apache-2.0
 *
 * jwt_keys: what jwt.c and jwt_keys.c share. */
#ifndef COMMON_CRYPTO_JWT_KEYS_H
#define COMMON_CRYPTO_JWT_KEYS_H

#include <openssl/evp.h>

#include "common/crypto/jwt.h"

struct jwt_key {
	char *kid;       /* NULL: any */
	const char *alg; /* HS256, RS256 or ES256 */
	EVP_PKEY *pkey;  /* NULL: a secret */
	uint8_t *secret;
	size_t secret_n;
};

struct jwt_keys {
	struct jwt_key *keys;
	size_t count;
};

#endif
