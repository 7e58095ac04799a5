/* SPDX-License-Identifier: Apache-2.0
 *
 * bounce: a stanza error back to who sent it (RFC 6120 section 8.3). Never answers an error or an IQ result. */
#ifndef SESSION_MANAGER_BOUNCE_H
#define SESSION_MANAGER_BOUNCE_H

#include "services/session-manager/packet.h"

/* text may be NULL. */
void bounce(struct sm *sm, const struct packet *p, const char *condition, const char *text);

#endif
