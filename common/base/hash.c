/* SPDX-License-Identifier: Apache-2.0
 *
 * hash: see hash.h. FNV-1a, 64 bit, with the constants of draft-eastlake-fnv. Not for tables that a client can fill. */
#include "common/base/hash.h"

#define FNV_OFFSET 0xcbf29ce484222325u
#define FNV_PRIME  0x100000001b3u

uint64_t hash_fnv1a64(struct str s)
{
	uint64_t h = FNV_OFFSET;

	for (size_t i = 0; i < s.n; i++) {
		h ^= (unsigned char)s.p[i];
		h *= FNV_PRIME;
	}
	return h;
}

uint32_t hash_slot(struct str jid)
{
	const char *slash = jid.n ? memchr(jid.p, '/', jid.n) : NULL;

	if (slash)
		jid.n = (size_t)(slash - jid.p);
	uint64_t h = hash_fnv1a64(jid);
	return (uint32_t)((h ^ (h >> 32)) % SLOT_COUNT);
}
