/* SPDX-License-Identifier: Apache-2.0
 *
 * hash: the account space's slots, as ipc/proto/bus.proto (SlotClaim) publishes them. */
#ifndef COMMON_BASE_HASH_H
#define COMMON_BASE_HASH_H

#include <stdint.h>

#include "common/base/str.h"

#define SLOT_COUNT 1024u

uint64_t hash_fnv1a64(struct str s);
/* Slot of a bare JID; a full JID's resource and slash are left out of the hash. */
uint32_t hash_slot(struct str jid);

#endif
