/* SPDX-License-Identifier: Apache-2.0
 *
 * stun_bytes: numbers in network order, padding, and the mask of XOR addresses. Private to common/stun and to who puts headers in front of data in place. */
#ifndef COMMON_STUN_STUN_BYTES_H
#define COMMON_STUN_STUN_BYTES_H

#include <stddef.h>
#include <string.h>

#include "common/stun/stun.h"

static inline uint16_t stun_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t stun_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void stun_set16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void stun_set32(uint8_t *p, uint32_t v)
{
	stun_set16(p, (uint16_t)(v >> 16));
	stun_set16(p + 2, (uint16_t)v);
}

/* Values end on a multiple of four (RFC 8489 section 14). */
static inline size_t stun_padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* The cookie and the transaction's number (RFC 8489 section 14.2). */
static inline void stun_xor_mask(uint8_t out[16], const uint8_t id[STUN_ID_SIZE])
{
	stun_set32(out, STUN_COOKIE);
	memcpy(out + 4, id, STUN_ID_SIZE);
}

#endif
