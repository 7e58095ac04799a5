/* SPDX-License-Identifier: Apache-2.0
 *
 * base64: RFC 4648 section 4, strictly, as RFC 6120 section 13.9.1 wants it for SASL: only the alphabet, padding where it belongs and nowhere
 * else, no white space, and no stray bits behind the last byte, so that a value has exactly one spelling. The edge answers a refusal with
 * incorrect-encoding (section 6.5.5); that "=" alone means a response of no bytes (section 6.4.2) is the edge's to know. */
#ifndef COMMON_CRYPTO_BASE64_H
#define COMMON_CRYPTO_BASE64_H

#include "common/base/buf.h"
#include "common/base/str.h"

/* Characters that n bytes become. */
static inline size_t base64_encoded_size(size_t n)
{
	return (n + 2) / 3 * 4;
}
/* No more bytes than this come out of n characters. */
static inline size_t base64_decoded_max(size_t n)
{
	return n / 4 * 3;
}

/* out holds base64_encoded_size(in.n) characters; no NUL is written. Returns how many. */
size_t base64_encode(struct str in, char *out);
bool base64_append(struct buf *out, struct str in); /* false past the buffer's limit */
/* out holds base64_decoded_max(in.n) bytes. False: not base64; what out holds then means nothing. */
bool base64_decode(struct str in, void *out, size_t *out_n);

/* RFC 4648 section 5 without padding, as JSON Web Tokens have it (RFC 7515 section 2); as strict otherwise. out holds base64_decoded_max(in.n + 3) bytes. */
bool base64url_decode(struct str in, void *out, size_t *out_n);

#endif
