/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/carbons.h"

#include "common/xmpp/jid.h"
#include "common/xmpp/stanza.h"
#include "services/session-manager/packet.h"

#define FLAG(name) ((uint32_t)STARLING__STANZA_FLAG__FLAG_##name)

/* What a room's service marks and sends from an occupant is a private message, which it has sent to all joined clients itself. From the room it
 * is an invitation. */
static bool private_from_room(const Starling__StanzaMeta *m)
{
	return m->flags & FLAG(MUC_USER) && m->type != TYPE_ERROR && jid_view_resource(str_from(m->from)).n > 0;
}

bool carbon_eligible(const Starling__StanzaMeta *m, bool sent)
{
	/* XEP-0184, 0085, 0333, 0249. */
	const uint32_t talk = FLAG(RECEIPT) | FLAG(RECEIPT_REQUEST) | FLAG(CHAT_STATE) | FLAG(MARKER) | FLAG(INVITE);

	/* no-copy: XEP-0334 section 4.3. In an error these are echoed: its cause was not copied either. */
	if (m->flags & (FLAG(PRIVATE) | FLAG(NO_COPY) | FLAG(CARBON)) || m->type == TYPE_GROUPCHAT)
		return false;
	if (!sent && private_from_room(m))
		return false;
	/* An error need not repeat what caused it; what users send is nearly always eligible, so an error counts as an answer to such. */
	if (m->type == TYPE_CHAT || m->type == TYPE_ERROR)
		return true;
	if (m->flags & (talk | FLAG(MUC_USER)))
		return true;
	return m->type != TYPE_HEADLINE && m->flags & FLAG(BODY);
}

void carbon_wrap(struct buf *out, Starling__DeliverForm form, const Starling__StanzaMeta *m, struct str bytes, struct str extra)
{
	bool sent = form == STARLING__DELIVER_FORM__FORM_CARBON_SENT;
	const char *type = stanza_type_name((enum stanza_type)m->type);

	buf_append_str(out, STR("<message"));
	if (type) {
		buf_append_str(out, STR(" type='"));
		buf_append_cstr(out, type);
		buf_append_char(out, '\'');
	}
	buf_append_str(out, sent ? STR("><sent xmlns='urn:xmpp:carbons:2'>") : STR("><received xmlns='urn:xmpp:carbons:2'>"));
	stanza_forward(out, 0, bytes, str_from(m->from), str_from(m->to), extra);
	buf_append_str(out, sent ? STR("</sent></message>") : STR("</received></message>"));
}
