/* SPDX-License-Identifier: Apache-2.0
 *
 * privileges: what a process gives up before it serves. Private to daemon. */
#ifndef COMMON_DAEMON_PRIVILEGES_H
#define COMMON_DAEMON_PRIVILEGES_H

#include "common/base/err.h"

/* As many descriptors as the system grants, no core files (they would hold keys and passwords). Early, as root when there is root. */
void privileges_limits(void);
/* Becomes `user` for good when started as root ("" stays), and never gains a privilege again. 0, or -1 with e set. */
int privileges_drop(const char *user, struct err *e);

#endif
