/* SPDX-License-Identifier: Apache-2.0
 *
 * rendezvous: which of the live instances should own which slot. Every instance computes the same answer from the same members; when
 * one comes or goes, only the slots that it gains or had move. */
#ifndef SESSION_MANAGER_RENDEZVOUS_H
#define SESSION_MANAGER_RENDEZVOUS_H

#include <stdint.h>

#include "common/base/hash.h"

/* The owner of a slot among members (instance numbers in any order, no zero): the highest weight wins; 0 when there are none. */
uint64_t rendezvous_owner(const uint64_t *members, uint32_t count, uint32_t slot);

#endif
