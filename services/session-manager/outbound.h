/* SPDX-License-Identifier: Apache-2.0
 *
 * outbound: a message from a local client on its way out: whether its sender's archive wants it, and copies for the sender's other clients
 * (XEP-0280) once it is where it belongs. */
#ifndef SESSION_MANAGER_OUTBOUND_H
#define SESSION_MANAGER_OUTBOUND_H

#include "services/session-manager/packet.h"

struct session;

/* p->meta->from is the session's, to is not empty. */
void message_outbound(struct session *s, struct packet *p);

#endif
