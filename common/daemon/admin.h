/* SPDX-License-Identifier: Apache-2.0
 *
 * admin: what the operator asks of any daemon (ipc/proto/admin.proto). The handlers of the Admin interface are in admin.c; a daemon with a
 * socket of its own (the router) calls these functions from its own dispatch. */
#ifndef COMMON_DAEMON_ADMIN_H
#define COMMON_DAEMON_ADMIN_H

#include "common/base/arena.h"
#include "common/daemon/daemon.h"

/* Strings and figures are in the arena or live as long as the daemon. */
void daemon_admin_status(struct daemon *d, struct arena *a, Starling__StatusReply *out);
/* -1 with e set for an unknown level. */
int daemon_admin_log_level(struct daemon *d, const char *level, struct err *e);
/* -1 with e set when the file has an error: then nothing changed. */
int daemon_admin_reload(struct daemon *d, struct err *e);
void daemon_admin_drain(struct daemon *d);

#endif
