/* SPDX-License-Identifier: Apache-2.0
 *
 * ownership_redis: the scripts that change who owns what, one round trip each for all slots. */
#ifndef SESSION_MANAGER_OWNERSHIP_REDIS_H
#define SESSION_MANAGER_OWNERSHIP_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/redis/redis.h"

struct sm;

void ownership_redis_register(struct redis *r);
/* Renews the lease. first: of this life: those of former lives of its name on this machine end with it. Reply: generation, "1" while that is new, then (instance, name and machine) of each member that is alive. */
bool ownership_redis_tick(struct sm *sm, uint64_t lease_ms, bool member, bool first, redis_fn fn);
/* Tries to take the slots; known: their last known epochs. Reply: (slot, epoch, continued) for each one that was taken. */
bool ownership_redis_take(struct sm *sm, const uint32_t *slots, const uint64_t *known, uint32_t count, redis_fn fn);
bool ownership_redis_release(struct sm *sm, const uint32_t *slots, const uint64_t *epochs, uint32_t count, redis_fn fn);

#endif
