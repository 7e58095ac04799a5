/* SPDX-License-Identifier: Apache-2.0
 *
 * exit_code: what starlingctl's exit status means. 64, 69 and 75 follow sysexits(3). */
#ifndef SERVICES_STARLINGCTL_EXIT_CODE_H
#define SERVICES_STARLINGCTL_EXIT_CODE_H

enum exit_code {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_CONFLICT = 2, /* not found, or exists already */
	CTL_USAGE = 64,
	CTL_UNAVAILABLE = 69, /* no flock to talk to */
	CTL_TEMPORARY = 75,   /* the flock cannot do it now; try again */
};

/* Of a failed call (enum Code of ipc/proto/envelope.proto). */
int exit_code_of(int call_code);

#endif
