/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/presence_send.h"

#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "services/session-manager/account.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/fanout.h"
#include "services/session-manager/presence.h"
#include "services/session-manager/roster.h"
#include "services/session-manager/route.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

void presence_broadcast(struct account *a, const struct packet *p)
{
	Starling__StanzaMeta meta = *p->meta;
	struct packet own = *p;
	struct fanout f;

	meta.to = a->bare_text;
	own.meta = &meta;
	deliver_to(a, &own, deliver_if_available, NULL);
	fanout_begin(&f, a->sm, p);
	list_for_each (n, &a->roster->order) {
		const struct roster_item *i = list_entry(n, struct roster_item, node);

		if (sub_has_from(i->state))
			fanout_add(&f, i->jid);
	}
	fanout_end(&f);
}

void presence_undirect(struct account *a, const struct packet *p, struct directed **list, uint32_t *count)
{
	Starling__StanzaMeta meta = *p->meta;
	struct packet one = *p;

	one.meta = &meta;
	while (*list) {
		struct directed *d = *list;
		struct str bare = jid_view_bare(str_from(d->jid));

		*list = d->next;
		meta.to = d->jid;
		if (!sub_has_from(roster_state(a->roster, bare)))
			route_packet(a->sm, &one);
		mem_free(d);
	}
	*count = 0;
}

/* The stored presence of a session, or that it is unavailable, as a packet; `to` is left to the caller. */
static void stored(const struct session *s, bool available, Starling__StanzaMeta *meta, struct packet *out)
{
	starling__stanza_meta__init(meta);
	meta->kind = KIND_PRESENCE;
	meta->type = available ? TYPE_NONE : TYPE_UNAVAILABLE;
	meta->from = s->full_text;
	meta->flags = available ? s->presence_flags : STARLING__STANZA_FLAG__FLAG_EMPTY;
	meta->priority = available ? s->priority : 0;
	out->meta = meta;
	out->bytes = available ? str_make(s->presence, s->presence_n) : STR("<presence type='unavailable'/>");
}

void presence_show(struct account *a, const char *to, bool available, struct receipt *receipt)
{
	list_for_each_safe (n, &a->sessions) {
		const struct session *s = list_entry(n, struct session, of_account);
		struct packet p = { .receipt = receipt };
		Starling__StanzaMeta meta;

		if (!s->available)
			continue;
		stored(s, available, &meta, &p);
		meta.to = (char *)to;
		route_packet(a->sm, &p);
	}
}

void presence_show_others(struct session *s, struct receipt *receipt)
{
	list_for_each (n, &s->account->sessions) {
		const struct session *other = list_entry(n, struct session, of_account);
		struct packet p = { .receipt = receipt };
		Starling__StanzaMeta meta;

		if (other == s || !other->available)
			continue;
		stored(other, true, &meta, &p);
		meta.to = s->full_text;
		deliver_to_session(s, &p);
	}
}

void presence_probe_contacts(struct session *s, struct receipt *receipt)
{
	struct account *a = s->account;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct packet p = { .meta = &meta, .bytes = STR("<presence type='probe'/>"), .receipt = receipt };
	struct fanout f;

	meta.kind = KIND_PRESENCE;
	meta.type = TYPE_PROBE;
	meta.flags = STARLING__STANZA_FLAG__FLAG_EMPTY;
	meta.from = s->full_text;
	fanout_begin(&f, a->sm, &p);
	list_for_each (n, &a->roster->order) {
		const struct roster_item *i = list_entry(n, struct roster_item, node);

		if (sub_has_to(i->state))
			fanout_add(&f, i->jid);
	}
	fanout_end(&f);
}
