/* SPDX-License-Identifier: Apache-2.0
 *
 * roles: the daemons that this build knows, in the order in which they are started. One more daemon is one more row. */
#ifndef SERVICES_STARLINGCTL_ROLES_H
#define SERVICES_STARLINGCTL_ROLES_H

#include "common/base/err.h"

struct role {
	const char *name; /* also of its program and its section in starling.yml */
	unsigned wave;    /* started when all of lower waves are ready, stopped before them */
	unsigned usual;   /* how many are started where nobody says how many */
};

enum { ROLE_COUNT = 11, WAVE_STORES = 0, ROLE_MAX_SCALE = 64 };

extern const struct role roles[ROLE_COUNT];

/* Reads "c2s-edge=2,router=2" into counts (by the index in roles), leaving others alone. text may be NULL. 0, or -1 with e set. */
int roles_parse_scale(const char *text, unsigned counts[ROLE_COUNT], struct err *e);

#endif
