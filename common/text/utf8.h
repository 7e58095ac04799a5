/* SPDX-License-Identifier: Apache-2.0
 *
 * utf8: strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef COMMON_TEXT_UTF8_H
#define COMMON_TEXT_UTF8_H

#include <stdint.h>

#include "common/base/str.h"

/* One code point from p[0..n). Returns its length in bytes, 0 when malformed or cut short. */
size_t utf8_decode(const char *p, size_t n, uint32_t *out_cp);
/* out holds 4 bytes. cp must be a Unicode scalar value. */
size_t utf8_encode(uint32_t cp, char *out);
bool utf8_valid(struct str s);
bool utf8_ascii(struct str s);
/* Text in pieces: what a character that is not whole yet still needs. Zeroed: none is begun. */
struct utf8_state {
	uint8_t left, low, high; /* bytes, and the range of the next one */
};
bool utf8_valid_so_far(struct utf8_state *state, struct str piece);
static inline bool utf8_between(const struct utf8_state *state)
{
	return state->left == 0;
}
/* Whole text to code points: how many, or SIZE_MAX when it is malformed or has more than max. */
size_t utf8_to_cps(struct str s, uint32_t *out, size_t max);
/* Code points to text of at most max bytes: how many bytes, or SIZE_MAX when it does not fit. */
size_t utf8_from_cps(const uint32_t *cps, size_t n, char *out, size_t max);

#endif
