/* SPDX-License-Identifier: Apache-2.0
 *
 * lock: at most one supervisor a state folder. The lock is the kernel's and goes with the process; run/supervisor.pid is for people and `down`. */
#ifndef SERVICES_STARLINGCTL_LOCK_H
#define SERVICES_STARLINGCTL_LOCK_H

#include "common/base/err.h"

/* The held lock's descriptor; -1 with e set; -2 when another process holds it. */
int lock_take(struct err *e);
/* Who we are now (after a fork the number changes). */
int lock_write_pid(struct err *e);
void lock_drop(int *fd);
/* The process that holds it; 0 when nobody does. */
int lock_holder(void);

#endif
