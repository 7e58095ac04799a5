/* SPDX-License-Identifier: Apache-2.0
 *
 * index_hash: keyed hashes for tables that clients fill. Who does not know the key cannot choose topics that meet in one place.
 * SipHash (Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012), with one round a word and three at the end. */
#ifndef COMMON_MQTT_INDEX_HASH_H
#define COMMON_MQTT_INDEX_HASH_H

#include <endian.h>
#include <stdint.h>

#include "common/base/str.h"

/* Random; made once for each index. */
struct index_key {
	uint64_t k0, k1;
};

struct index_sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t index_rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void index_sip_rounds(struct index_sip *s, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = index_rotate(s->v1, 13) ^ s->v0;
		s->v3 = index_rotate(s->v3, 16) ^ s->v2;
		s->v0 = index_rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = index_rotate(s->v1, 17) ^ s->v2;
		s->v3 = index_rotate(s->v3, 21) ^ s->v0;
		s->v2 = index_rotate(s->v2, 32);
	}
}

static inline uint64_t index_load64(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return le64toh(word);
}

static inline uint64_t index_load32(const char *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return le32toh(word);
}

/* Fewer than eight bytes as a number, the first the lowest. Reads may overlap: the same bits then come to the same place. */
static inline uint64_t index_load_tail(const char *p, size_t n)
{
	if (n >= 4)
		return index_load32(p) | index_load32(p + n - 4) << (8 * (n - 4));
	if (n == 0)
		return 0;
	return (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << (8 * (n / 2)) |
	       (uint64_t)(unsigned char)p[n - 1] << (8 * (n - 1));
}

/* SipHash-c-d: c rounds for each word, d at the end. */
static inline uint64_t index_siphash(const struct index_key *key, struct str s, int c, int d)
{
	struct index_sip v = { key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du, key->k0 ^ 0x6c7967656e657261u,
		               key->k1 ^ 0x7465646279746573u };
	uint64_t word;
	size_t at = 0;

	for (; s.n - at >= 8; at += 8) {
		word = index_load64(s.p + at);
		v.v3 ^= word;
		index_sip_rounds(&v, c);
		v.v0 ^= word;
	}
	word = (uint64_t)s.n << 56 | index_load_tail(s.p + at, s.n - at);
	v.v3 ^= word;
	index_sip_rounds(&v, c);
	v.v0 ^= word;
	v.v2 ^= 0xff;
	index_sip_rounds(&v, d);
	return v.v0 ^ v.v1 ^ v.v2 ^ v.v3;
}

static inline uint32_t index_hash_text(const struct index_key *key, struct str s)
{
	uint64_t h = index_siphash(key, s, 1, 3);

	return (uint32_t)(h >> 32 ^ h);
}

/* Of two numbers of our own making. A client has some say in them by the order of what it does, hence the key, but it never sees a hash. */
static inline uint32_t index_hash_pair(const struct index_key *key, uint32_t a, uint32_t b)
{
	uint64_t x = (((uint64_t)a << 32 | b) ^ key->k0) * 0x9e3779b97f4a7c15u;

	x ^= x >> 32;
	x *= key->k1 | 1;
	return (uint32_t)(x >> 32);
}

#endif
