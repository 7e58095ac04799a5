/* SPDX-License-Identifier: Apache-2.0
 *
 * mix: hashes of addresses for tables, with a random key so that nobody can choose who meets whom. Not for secrets. */
#ifndef TURN_MIX_H
#define TURN_MIX_H

#include <stdint.h>
#include <string.h>

/* Folds the 128-bit product. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t p = (__uint128_t)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t mix_bytes16(const uint8_t p[16], uint64_t key)
{
	uint64_t a, b;

	memcpy(&a, p, 8);
	memcpy(&b, p + 8, 8);
	return mix(mix(a ^ 0x9e3779b97f4a7c15u, b ^ key) ^ key, 0xd6e8feb86659fd93u);
}

static inline uint64_t mix_address(const uint8_t ip[16], uint16_t port, uint16_t place, uint64_t key)
{
	return mix(mix_bytes16(ip, key) ^ ((uint64_t)port << 16 | place), 0x9e3779b97f4a7c15u);
}

#endif
