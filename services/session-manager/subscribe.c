/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/subscribe.h"

#include "common/base/mem.h"
#include "common/xmpp/stanza.h"
#include "services/session-manager/account.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/route.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"
#include "services/session-manager/subscribe_impl.h"

static enum sub_stanza stanza_of(Starling__StanzaType type)
{
	switch (type) {
	case TYPE_SUBSCRIBE:
		return SUB_SUBSCRIBE;
	case TYPE_UNSUBSCRIBE:
		return SUB_UNSUBSCRIBE;
	case TYPE_SUBSCRIBED:
		return SUB_SUBSCRIBED;
	default:
		return SUB_UNSUBSCRIBED;
	}
}

struct sub_op *sub_op_new(struct sm *sm, const struct packet *p, struct str from, struct str to)
{
	struct sub_op *op = mem_new(struct sub_op);
	Starling__StanzaMeta meta = *p->meta;
	struct packet bare = *p;
	char *from_text = mem_strndup(from.p, from.n), *to_text = mem_strndup(to.p, to.n);

	meta.from = from_text;
	meta.to = to_text;
	bare.meta = &meta;
	op->parcel = parcel_new(sm, &bare);
	op->stanza = stanza_of(p->meta->type);
	mem_free(from_text);
	mem_free(to_text);
	return op;
}

void sub_op_done(struct account *a, struct sub_op *op)
{
	parcel_free(&op->parcel);
	mem_free(op);
	if (a)
		account_serial_done(a);
}

void sub_commit(struct account *a, const struct roster_change *c, roster_fn committed, roster_fn done, struct sub_op *op)
{
	if (c->hidden && c->state == SUB_NONE && !c->approved)
		roster_remove(a, c->jid, committed, done, op);
	else
		roster_put(a, c, committed, done, op);
}

bool sub_roster_full(const struct account *a, struct str jid)
{
	return a->roster->count >= (uint32_t)a->sm->options->roster_max && !roster_find(a->roster, jid);
}

void subscribe_send(struct account *a, const char *contact, Starling__StanzaType type, struct receipt *receipt, uint32_t hops)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct packet p = { .meta = &meta, .receipt = receipt, .hops = hops };
	struct buf bytes = { 0 };

	buf_printf(&bytes, "<presence type='%s'/>", stanza_type_name((enum stanza_type)type));
	meta.kind = KIND_PRESENCE;
	meta.type = type;
	meta.flags = STARLING__STANZA_FLAG__FLAG_EMPTY;
	meta.from = a->bare_text;
	meta.to = (char *)contact;
	p.bytes = buf_str(&bytes);
	route_packet(a->sm, &p);
	buf_fini(&bytes);
}

void subscribe_show_pending(struct session *s, struct receipt *receipt)
{
	struct account *a = s->account;

	list_for_each (n, &a->roster->order) {
		const struct roster_item *i = list_entry(n, struct roster_item, node);
		Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
		struct packet p = { .meta = &meta, .receipt = receipt };
		int subscription;
		bool ask, pending_in;

		sub_unpack(i->state, &subscription, &ask, &pending_in);
		if (!pending_in)
			continue;
		meta.kind = KIND_PRESENCE;
		meta.type = TYPE_SUBSCRIBE;
		meta.from = (char *)i->jid;
		meta.to = a->bare_text;
		p.bytes = i->pending.n ? i->pending : STR("<presence type='subscribe'/>");
		deliver_to_session(s, &p);
	}
}
