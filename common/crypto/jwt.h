/* SPDX-License-Identifier: Apache-2.0
 *
 * jwt: JSON Web Tokens (RFC 7519) with a signature in compact form (RFC 7515): HS256, RS256 and ES256 (RFC 7518 section 3). Which algorithm a signature has is the
 * key's to say, and the token has to agree (RFC 8725 section 3.1): none, or a public key taken as a secret, gets nobody in. */
#ifndef COMMON_CRYPTO_JWT_H
#define COMMON_CRYPTO_JWT_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/text/json_read.h"

#define JWT_MAX      8192u /* characters of a token */
#define JWT_KEYS_MAX 256u

struct jwt_keys;

/* path: a file with the key of all tokens, or a folder of files KID.pem, KID.secret, each with the key of tokens with that `kid`. In PEM: a public key, RSA with 2048
 * bits or more, or P-256. Anything else: a secret in base64, 32 bytes or more. Hidden files are passed over. NULL with e set: a file is none of that, or there is
 * none. */
struct jwt_keys *jwt_keys_load(const char *path, struct err *e);
void jwt_keys_free(struct jwt_keys **keys);

struct jwt {
	char *text;               /* claims; owned */
	struct json_value claims; /* an object */
};

/* Could it be one? Three parts, and the first begins an object. Passwords that are not tokens are told apart by this. */
bool jwt_like(struct str token);
/* Checks the signature. False: *why, a static text for a log, says what is wrong. Otherwise out is to be ended with jwt_close. */
bool jwt_open(const struct jwt_keys *keys, struct str token, struct jwt *out, const char **why);
void jwt_close(struct jwt *t);

struct jwt_rules {
	const char *issuer, *audience; /* NULL or empty: any */
	int64_t leeway_s;              /* that clocks may differ by */
};

/* The time, the issuer and the audience (RFC 7519 section 4.1). A token must have an end. *out_end: seconds since 1970 from which on it is no longer good, with the
 * leeway. */
bool jwt_check(const struct jwt *t, const struct jwt_rules *rules, int64_t now_s, int64_t *out_end, const char **why);

#endif
