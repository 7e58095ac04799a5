/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/archive_rules.h"

#include <inttypes.h>

#include "common/xml/xml.h"
#include "common/xmpp/jid.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/roster.h"

#define FLAG(name) ((uint32_t)STARLING__STANZA_FLAG__FLAG_##name)
#define ID_DIGITS  16

bool archive_storable(uint32_t flags, Starling__StanzaType type)
{
	/* Receipts and markers belong to what was said: a client that was away learns from them what was read. A retraction must be kept
	 * (XEP-0424 section 5). Chat states and payloads of unknown meaning are not kept, unless their sender asks for it. */
	const uint32_t content = FLAG(BODY) | FLAG(SUBJECT) | FLAG(ENCRYPTED) | FLAG(RECEIPT) | FLAG(MARKER) | FLAG(RETRACT) | FLAG(INVITE);

	/* Rooms keep their own; an error's payload and hints are those of somebody else's message (XEP-0334 section 5). */
	if (type == TYPE_GROUPCHAT || type == TYPE_ERROR)
		return false;
	if (flags & (FLAG(NO_STORE) | FLAG(NO_PERMANENT_STORE) | FLAG(CARBON)))
		return false;
	if (flags & FLAG(STORE))
		return true;
	return type != TYPE_HEADLINE && flags & content;
}

static bool listed(char *const *jids, uint32_t count, struct str jid)
{
	for (uint32_t i = 0; i < count; i++) {
		if (strncmp(jids[i], jid.p, jid.n) == 0 && jids[i][jid.n] == '\0')
			return true;
	}
	return false;
}

static bool in_roster(const struct roster *roster, struct str bare)
{
	const struct roster_item *item = roster ? roster_find(roster, bare) : NULL;

	return item && !item->hidden;
}

bool archive_wanted(const struct archive_prefs *p, Starling__ArchivePrefs__Default host_default, const struct roster *roster,
                    struct str own, struct str peer)
{
	struct str bare = jid_view_bare(peer);
	Starling__ArchivePrefs__Default fallback = p->fallback ? p->fallback : host_default;

	if (bare.n < peer.n && listed(p->never, p->never_count, peer))
		return false;
	if (bare.n < peer.n && listed(p->always, p->always_count, peer))
		return true;
	if (listed(p->never, p->never_count, bare))
		return false;
	if (listed(p->always, p->always_count, bare))
		return true;
	if (fallback == STARLING__ARCHIVE_PREFS__DEFAULT__ROSTER)
		return str_eq(bare, own) || in_roster(roster, bare);
	return fallback != STARLING__ARCHIVE_PREFS__DEFAULT__NEVER;
}

void archive_id_write(struct buf *out, uint64_t id)
{
	buf_printf(out, "%0*" PRIu64, ID_DIGITS, id);
}

bool archive_id_read(struct str text, uint64_t *out)
{
	uint64_t value = 0;

	if (text.n < ID_DIGITS || text.n > 18 || (text.n > ID_DIGITS && text.p[0] == '0'))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		value = 10 * value + (uint64_t)(text.p[i] - '0');
	}
	*out = value;
	return value > 0;
}

void archive_stanza_id(struct buf *out, uint64_t id, struct str account)
{
	buf_append_str(out, STR("<stanza-id xmlns='urn:xmpp:sid:0'"));
	xml_attr(out, "by", account);
	buf_append_str(out, STR(" id='"));
	archive_id_write(out, id);
	buf_append_str(out, STR("'/>"));
}
