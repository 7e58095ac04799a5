/* SPDX-License-Identifier: Apache-2.0
 *
 * Subscription stanzas for a local user (RFC 6121 sections 3.1.3, 3.1.6, 3.2.3, 3.3.3, 3.4.3). */
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "services/session-manager/account.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/presence.h"
#include "services/session-manager/route.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"
#include "services/session-manager/subscribe_impl.h"

static void answer(struct account *a, struct sub_op *op, Starling__StanzaType type)
{
	const struct packet *p = &op->parcel->packet;

	subscribe_send(a, p->meta->from, type, p->receipt, p->hops + 1);
}

/* Those who have the roster on screen, as the RFC says, and also who is there without it: such a client has no other way to know. */
static bool concerned(const struct session *s, const void *ctx)
{
	(void)ctx;
	return s->interested || s->available;
}

/* Before the push: the user sees the stanza first (sections 3.1.6, 3.2.3, 3.3.3). */
static void in_committed(struct account *a, int code, void *ctx)
{
	struct sub_op *op = ctx;

	(void)code;
	if (!op->pass)
		return;
	deliver_to(a, &op->parcel->packet, op->stanza == SUB_SUBSCRIBE ? deliver_if_available : concerned, NULL);
}

static void in_stored(struct account *a, int code, void *ctx)
{
	struct sub_op *op = ctx;
	const struct packet *p = &op->parcel->packet;

	if (!a) {
		struct parcel *parcel = op->parcel;

		op->parcel = NULL;
		sub_op_done(NULL, op);
		route_again(parcel);
		return;
	}
	if (code == CODE(OK)) {
		if (op->granted)
			answer(a, op, TYPE_SUBSCRIBED);
		if (!sub_has_from(op->before) && sub_has_from(op->after))
			presence_show(a, p->meta->from, true, p->receipt);
		else if (sub_has_from(op->before) && !sub_has_from(op->after))
			presence_show(a, p->meta->from, false, p->receipt);
	}
	sub_op_done(a, op);
}

/* False: nothing changes. */
static bool in_change(struct sub_op *op, struct roster_change *c)
{
	struct sub_in row = sub_inbound(op->stanza, c->state);

	op->before = c->state;
	op->pass = row.deliver;
	op->after = row.next;
	if (op->stanza == SUB_SUBSCRIBE && sub_has_from(c->state)) {
		op->granted = true;
	} else if (op->stanza == SUB_SUBSCRIBE && c->approved) {
		op->granted = true;
		op->pass = false;
		op->after = sub_preapproved(c->state);
		c->hidden = false;
	} else if (op->stanza == SUB_SUBSCRIBE) {
		c->pending = op->parcel->packet.bytes;
	}
	c->state = op->after;
	return op->after != op->before;
}

static void in_start(struct account *a, void *ctx)
{
	struct sub_op *op = ctx;
	struct str contact = str_from(op->parcel->packet.meta->from);
	struct roster_change c;

	if (!a) {
		in_stored(NULL, CODE(WRONG_OWNER), op);
		return;
	}
	if (!a->exists) {
		/* Section 3.1.3, number 1: nobody will ever answer. */
		if (op->stanza == SUB_SUBSCRIBE)
			answer(a, op, TYPE_UNSUBSCRIBED);
		sub_op_done(a, op);
		return;
	}
	if (op->stanza == SUB_SUBSCRIBE && sub_roster_full(a, contact)) {
		metric_inc(&counters.dropped);
		sub_op_done(a, op);
		return;
	}
	roster_change_from(&c, a->roster, contact);
	if (in_change(op, &c))
		sub_commit(a, &c, in_committed, in_stored, op);
	else
		in_stored(a, CODE(OK), op);
	roster_change_done(&c);
}

void subscribe_inbound(struct account *a, const struct packet *p)
{
	struct str contact = jid_view_bare(str_from(p->meta->from));

	if (contact.n == 0 || str_eq(contact, a->bare)) {
		metric_inc(&counters.dropped);
		return;
	}
	account_serial(a, in_start, sub_op_new(a->sm, p, contact, a->bare));
}
