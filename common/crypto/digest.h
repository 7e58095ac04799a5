/* SPDX-License-Identifier: Apache-2.0
 *
 * digest: the three hashes that SCRAM is defined for, and HMAC and PBKDF2 over them. Algorithms are fetched from OpenSSL once a process, because
 * a fetch costs more than the hash itself. Safe in worker threads. A failing OpenSSL primitive aborts, as running out of memory does: there
 * is no input that makes one fail. */
#ifndef COMMON_CRYPTO_DIGEST_H
#define COMMON_CRYPTO_DIGEST_H

#include <stdint.h>

#include "common/base/str.h"

enum digest { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512, DIGEST_COUNT };
#define DIGEST_MAX 64

size_t digest_size(enum digest d);
const char *digest_name(enum digest d); /* "SHA-256", as in names of SCRAM mechanisms */
bool digest_parse(struct str name, enum digest *out);

/* out holds digest_size(d) bytes. */
void digest_hash(enum digest d, struct str data, uint8_t *out);
void digest_hmac(enum digest d, struct str key, struct str data, uint8_t *out);
/* One block of PBKDF2 with HMAC (RFC 8018): the Hi() of RFC 5802 section 2.2. Takes milliseconds: never on a loop. */
void digest_pbkdf2(enum digest d, struct str password, struct str salt, uint32_t iterations, uint8_t *out);

#endif
