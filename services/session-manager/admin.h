/* SPDX-License-Identifier: Apache-2.0
 *
 * admin: the two methods of admin.proto that are this role's. */
#ifndef SESSION_MANAGER_ADMIN_H
#define SESSION_MANAGER_ADMIN_H

#include "ipc/proto/admin.pb-c.h"
#include "ipc/runtime/bus.h"

void sm_admin_connected(struct ipc_call *call, const Starling__ConnectedRequest *r);
void sm_admin_kick(struct ipc_call *call, const Starling__KickRequest *r);

#endif
