/* SPDX-License-Identifier: Apache-2.0
 *
 * run_tool: runs a helper program (initdb) to its end before the supervisor's loop runs. Its output goes to log/init.log. */
#ifndef SERVICES_STARLINGCTL_RUN_TOOL_H
#define SERVICES_STARLINGCTL_RUN_TOOL_H

#include <sys/types.h>

#include "common/base/err.h"

struct tool {
	const char *const *argv; /* argv[0]: path */
	const char *input;       /* standard input, at most 4 KiB; NULL: none */
	int fd3;                 /* becomes descriptor 3; -1: none */
	uid_t uid;               /* to become when running as root; 0: stay */
	gid_t gid;
};

/* 0 when it ended with status 0 within a minute; else -1 with e set. */
int run_tool(const struct tool *t, struct err *e);

#endif
