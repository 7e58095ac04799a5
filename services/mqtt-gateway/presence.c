/* SPDX-License-Identifier: Apache-2.0
 *
 * presence: a name of a rule can stand in a roster, as a contact that is there (RFC 6121 sections 3 and 4). Nothing is kept: whoever may see
 * the name is told so when he asks, and whoever may not is told that he is not subscribed. */
#include "common/xmpp/jid.h"
#include "services/mqtt-gateway/stanza.h"

#define T(name) STARLING__STANZA_TYPE__TYPE_##name

void presence_serve(struct request *r)
{
	static const Starling__StanzaType granted[] = { T(SUBSCRIBED), T(NONE), T(ERROR) }, here[] = { T(NONE), T(ERROR) };
	static const Starling__StanzaType denied[] = { T(UNSUBSCRIBED), T(ERROR) }, gone[] = { T(UNAVAILABLE), T(ERROR) };
	struct str name = jid_view_local(str_from(r->meta.to));
	bool visible = rules_visible(r->gateway->rules, name, jid_view_bare(str_from(r->meta.from)));

	switch (r->meta.type) {
	case T(SUBSCRIBE):
		request_presence(r, visible ? granted : denied);
		return;
	case T(PROBE):
		request_presence(r, visible ? here : denied);
		return;
	case T(UNSUBSCRIBE):
		/* Section 3.3.3. */
		request_presence(r, gone);
		return;
	default:
		request_handled(r); /* how users are is nothing to a topic */
	}
}
