/* SPDX-License-Identifier: Apache-2.0
 *
 * federates: whether the flock speaks with other servers. Then what is for them waits while no s2s is there; else it comes back at once. Redis remembers it for
 * an hour after one was seen last, so that an owner which starts while all of them are down knows it, too. */
#ifndef SESSION_MANAGER_FEDERATES_H
#define SESSION_MANAGER_FEDERATES_H

#include <stdbool.h>

struct sm;

/* Redis is there, maybe with nothing in it: asked, or told. To be called before slots are taken. */
void federates_redis_up(struct sm *sm);
bool federates(struct sm *sm);

#endif
