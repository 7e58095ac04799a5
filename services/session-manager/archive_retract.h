/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_retract: XEP-0424 0.4.2, section 4: a message that its sender takes back leaves a tombstone in the archives of both. The
 * retraction itself is an ordinary message, kept beside it. */
#ifndef SESSION_MANAGER_ARCHIVE_RETRACT_H
#define SESSION_MANAGER_ARCHIVE_RETRACT_H

#include "services/session-manager/packet.h"

struct sm;

/* After a message with FLAG_RETRACT was appended to the log. Tries again while the store is away; nobody waits for it. */
void archive_retract(struct sm *sm, const struct packet *p);

#endif
