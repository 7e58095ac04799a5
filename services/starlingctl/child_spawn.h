/* SPDX-License-Identifier: Apache-2.0
 *
 * child_spawn: the process of a child: its descriptors, its output, its end. Tells child.c by the two functions below. */
#ifndef SERVICES_STARLINGCTL_CHILD_SPAWN_H
#define SERVICES_STARLINGCTL_CHILD_SPAWN_H

#include "services/starlingctl/child.h"

/* 0; or -1 with c->ending set, when no process came to be. */
int child_spawn(struct child *c);

/* Closes what is left of its descriptors. */
void child_spawn_close(struct child *c);

/* In child.c. c->ending says how. */
void child_exited(struct child *c);
void child_reports_ready(struct child *c);

#endif
