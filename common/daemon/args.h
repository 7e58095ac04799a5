/* SPDX-License-Identifier: Apache-2.0
 *
 * args: the command line that all daemons share. Private to daemon. */
#ifndef COMMON_DAEMON_ARGS_H
#define COMMON_DAEMON_ARGS_H

#include <stdbool.h>

enum { EXIT_FAILED = 1, EXIT_BAD_USAGE = 64, EXIT_BAD_CONFIG = 78 }; /* the last two as in sysexits.h */

struct args {
	const char *config;
	const char *instance; /* NULL: not given */
	int ready_fd;         /* -1: none */
	bool check_config, print_config;
};

/* True: go on. False: *out_status is the exit status (0 after --help and --version). */
bool args_parse(struct args *args, const char *role, const char *summary, int argc, char **argv, int *out_status);

#endif
