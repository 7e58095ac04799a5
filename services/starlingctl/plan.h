/* SPDX-License-Identifier: Apache-2.0
 *
 * plan: which processes `up` runs for a state folder: the private stores and the daemons, as children of a supervisor. */
#ifndef SERVICES_STARLINGCTL_PLAN_H
#define SERVICES_STARLINGCTL_PLAN_H

#include "services/starlingctl/args.h"
#include "services/starlingctl/ctl_config.h"
#include "services/starlingctl/postgres.h"
#include "services/starlingctl/redis_server.h"
#include "services/starlingctl/roles.h"
#include "services/starlingctl/supervisor.h"

struct plan {
	struct postgres postgres;
	struct redis_server redis;
	unsigned counts[ROLE_COUNT];
	char *programs[ROLE_COUNT]; /* paths */
};

/* Scale: one each, then the configuration's, then --scale. Checks that the programs are there. 0, or -1 with e set. */
int plan_open(struct plan *p, const struct ctl_config *config, const struct args *a, struct err *e);
/* Makes what the stores need at their first start, and one child a process. to_file: child.to_file of all. */
int plan_build(struct plan *p, struct supervisor *s, const struct ctl_config *config, const struct args *a, bool to_file, struct err *e);
void plan_close(struct plan *p);

#endif
