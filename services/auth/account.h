/* SPDX-License-Identifier: Apache-2.0
 *
 * account: what all requests about an account check first. */
#ifndef SERVICES_AUTH_ACCOUNT_H
#define SERVICES_AUTH_ACCOUNT_H

#include "common/xmpp/jid.h"
#include "services/auth/auth.h"

/* A bare JID on a host that is served. False: the call was failed with INVALID and out is empty. */
bool account_parse(struct ipc_call *call, const char *text, struct jid *out);

#endif
