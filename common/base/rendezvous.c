/* SPDX-License-Identifier: Apache-2.0
 *
 * Highest-random-weight hashing with a 64-bit finaliser as the weight. */
#include "common/base/rendezvous.h"

static uint64_t weight(uint64_t key, uint32_t slot)
{
	uint64_t v = key ^ (slot + 1) * 0x9e3779b97f4a7c15ULL;

	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ULL;
	v = (v ^ v >> 27) * 0x94d049bb133111ebULL;
	return v ^ v >> 31;
}

uint64_t rendezvous_owner(const struct rendezvous_member *members, uint32_t count, uint32_t slot)
{
	uint64_t best = 0, best_weight = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t w = weight(members[i].key, slot);

		/* Equal weights: the name was given twice, or one is a former life, whose lease ends soon. They divide what is theirs. */
		if (!best || w > best_weight || (w == best_weight && weight(members[i].instance, slot) > weight(best, slot))) {
			best = members[i].instance;
			best_weight = w;
		}
	}
	return best;
}
