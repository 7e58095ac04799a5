/* SPDX-License-Identifier: Apache-2.0
 *
 * carbons: XEP-0280 1.0. Which messages a user's other clients get copies of (section 6.1, in full: urn:xmpp:carbons:rules:0), and how a copy
 * is written. Pure. Who gets one is deliver.c's matter: sessions with `carbons` set that have not got the message itself. */
#ifndef SESSION_MANAGER_CARBONS_H
#define SESSION_MANAGER_CARBONS_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "ipc/proto/edge.pb-c.h"
#include "ipc/proto/types.pb-c.h"

/* sent: by the user whose clients would get the copy; else received by that user. */
bool carbon_eligible(const Starling__StanzaMeta *m, bool sent);
/* Canonical bytes of the message that carries the copy. `bytes` and `extra` (a stanza-id, a delay) are the message's own. It goes from the user's bare JID to the
 * full JID of the client, with the type of the message in the envelope, too. */
void carbon_wrap(struct buf *out, Starling__DeliverForm form, const Starling__StanzaMeta *m, struct str bytes, struct str extra);

#endif
