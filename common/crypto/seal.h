/* SPDX-License-Identifier: Apache-2.0
 *
 * seal: state that travels through hands which must neither read nor change it, and comes back within a minute to whichever instance holds the
 * same key. AES-256-GCM. What it is bound to (host, mechanism, ...) is additional data: opening with other data fails.
 *
 * Sealed: version (1 byte), time of sealing (8, microseconds since 1970, little endian), nonce (12), ciphertext, tag (16). The cipher's key is derived
 * from the shared one for each hour of the sealing time, so that random nonces stay far from the 2^32 that one GCM key may see (NIST SP 800-38D
 * section 8.3). Time is an argument. Not for use by two threads at once. */
#ifndef COMMON_CRYPTO_SEAL_H
#define COMMON_CRYPTO_SEAL_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

#define SEAL_KEY_SIZE 32
#define SEAL_OVERHEAD 37       /* bytes more than what is sealed */
#define SEAL_LIFE_US  60000000 /* opens for a minute */
#define SEAL_SKEW_US  10000000 /* by how much the sealer's clock may be ahead */

struct seal;

struct seal *seal_new(const uint8_t key[SEAL_KEY_SIZE]);
void seal_free(struct seal **s);
/* Another key from the shared one, for another purpose. */
void seal_derive(const struct seal *s, const char *purpose, uint8_t out[SEAL_KEY_SIZE]);

/* Appends; false past the buffer's limit. */
bool seal_close(struct seal *s, struct str bound_to, struct str plain, int64_t now_us, struct buf *out);

enum seal_error {
	SEAL_OK,
	SEAL_MALFORMED,
	SEAL_EXPIRED,
	SEAL_FORGED, /* changed, sealed with another key, or bound to something else */
};
const char *seal_error_name(enum seal_error e);
/* out holds sealed.n bytes. */
enum seal_error seal_open(struct seal *s, struct str bound_to, struct str sealed, int64_t now_us, void *out, size_t *out_n);

/* The key file: 32 bytes as base64 or hexadecimal digits on one line. Generating refuses to replace a file, and makes it readable by its owner only.
 * 0, or -1 with e set. */
int seal_key_generate(const char *path, struct err *e);
int seal_key_load(const char *path, uint8_t out[SEAL_KEY_SIZE], struct err *e);

#endif
