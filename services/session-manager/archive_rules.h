/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_rules: which messages an account's archive keeps (XEP-0313 section 6.1.1, XEP-0334), which of them its user wants there (XEP-0441), and how an
 * archive id is written (XEP-0359). Pure. */
#ifndef SESSION_MANAGER_ARCHIVE_RULES_H
#define SESSION_MANAGER_ARCHIVE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "ipc/proto/storage.pb-c.h"
#include "ipc/proto/types.pb-c.h"
#include "services/session-manager/options.h"

struct archive_prefs;
struct roster;

/* Does it say something that its reader would look for again? */
bool archive_storable(uint32_t flags, Starling__StanzaType type);
/* What the configuration says to users who have said nothing. */
static inline Starling__ArchivePrefs__Default archive_host_default(const struct sm_options *o)
{
	return (Starling__ArchivePrefs__Default)(o->archive_default + 1);
}
/* peer is whom the user (own, a bare JID) talks to: `to` of what is sent, `from` of what is received. The nearest entry decides: a full JID
 * before a bare one, among equals `never`. roster may be NULL: empty; the user's own account counts as one of its contacts. */
bool archive_wanted(const struct archive_prefs *p, Starling__ArchivePrefs__Default host_default, const struct roster *roster,
                    struct str own, struct str peer);

/* A position in the log as clients see it. To them it is opaque; of one length, so it sorts as text, too (XEP-0013 section 2.3). */
void archive_id_write(struct buf *out, uint64_t id);
/* False: no such id can exist. */
bool archive_id_read(struct str text, uint64_t *out);
/* <stanza-id/> for a message of this account's archive. */
void archive_stanza_id(struct buf *out, uint64_t id, struct str account);

#endif
