/* SPDX-License-Identifier: Apache-2.0
 *
 * children_file: run/children, what the supervisor runs, for `status` and for whoever comes after a supervisor that was killed. A line a
 * child: name, role, state, pid, start time, restarts. */
#ifndef SERVICES_STARLINGCTL_CHILDREN_FILE_H
#define SERVICES_STARLINGCTL_CHILDREN_FILE_H

#include "services/starlingctl/child.h"

struct child_line {
	char name[80], role[64], state[16];
	int pid;
	uint64_t start_ticks;
	unsigned restarts;
};

/* Replaces the file. A failure is logged: the flock goes on. */
void children_file_write(struct child *const *children, unsigned count);
/* At most max lines; how many were read, 0 when there is no file. */
unsigned children_file_read(struct child_line *out, unsigned max);
/* Ends, in order from the last, the processes of a supervisor that is no more: SIGTERM, and SIGKILL after grace_ms. The number found alive. */
unsigned children_file_clear(uint64_t grace_ms);

#endif
