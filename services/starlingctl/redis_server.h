/* SPDX-License-Identifier: Apache-2.0
 *
 * redis_server: the flock's private Redis, on run/redis.sock. It keeps nothing on disk: what is in it can be built again. */
#ifndef SERVICES_STARLINGCTL_REDIS_SERVER_H
#define SERVICES_STARLINGCTL_REDIS_SERVER_H

#include "services/starlingctl/child.h"

struct redis_server {
	uid_t uid; /* to run as, when we are root; 0: root */
	gid_t gid;
};

/* context: struct redis_server. */
extern const struct program redis_program;

#endif
