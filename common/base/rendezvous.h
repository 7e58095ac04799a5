/* SPDX-License-Identifier: Apache-2.0
 *
 * rendezvous: which of the live instances should own which slot. Every instance computes the same answer from the same members; when
 * one comes or goes, only the slots that it gains or had move. */
#ifndef COMMON_BASE_RENDEZVOUS_H
#define COMMON_BASE_RENDEZVOUS_H

#include <stdint.h>

#include "common/base/hash.h"

struct rendezvous_member {
	uint64_t instance; /* not 0 */
	uint64_t
	        key; /* hash of what names it: the same after a restart, so that it gets its slots back. Several may have one: they divide what is theirs */
};

/* The instance of the member that should own the slot: the highest weight wins; 0 when there are none. In any order. */
uint64_t rendezvous_owner(const struct rendezvous_member *members, uint32_t count, uint32_t slot);

#endif
