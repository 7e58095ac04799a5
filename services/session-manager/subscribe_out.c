/* SPDX-License-Identifier: Apache-2.0
 *
 * Subscription stanzas from a local user (RFC 6121 sections 3.1.2, 3.1.5, 3.2.2, 3.3.2, 3.4.2). */
#include "common/xmpp/jid.h"
#include "services/session-manager/account.h"
#include "services/session-manager/bounce.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/presence.h"
#include "services/session-manager/route.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"
#include "services/session-manager/subscribe_impl.h"

/* The roster is as it should be: route, and show or hide the user's presence. */
static void out_effects(struct account *a, struct sub_op *op)
{
	const struct packet *p = &op->parcel->packet;

	if (op->pass)
		route_packet(a->sm, p);
	if (!sub_has_from(op->before) && sub_has_from(op->after))
		presence_show(a, p->meta->to, true, p->receipt);
	else if (sub_has_from(op->before) && !sub_has_from(op->after))
		presence_show(a, p->meta->to, false, p->receipt);
}

static void out_stored(struct account *a, int code, void *ctx)
{
	struct sub_op *op = ctx;

	if (!a)
		receipt_fail(op->parcel->packet.receipt, CODE(WRONG_OWNER));
	else if (code == CODE(LIMIT))
		bounce(a->sm, &op->parcel->packet, "resource-constraint", "The roster is full.");
	else if (code == CODE(OK))
		out_effects(a, op);
	sub_op_done(a, op);
}

/* What the stanza makes of the item. False: nothing changes. */
static bool out_change(struct sub_op *op, struct roster_change *c)
{
	struct sub_out row = sub_outbound(op->stanza, c->state);
	struct roster_change old = *c;

	op->before = c->state;
	op->after = c->state = row.next;
	op->pass = row.route;
	if (op->stanza == SUB_SUBSCRIBED && !row.route && sub_can_preapprove(op->before))
		c->approved = true;
	if (op->stanza == SUB_UNSUBSCRIBED)
		c->approved = false;
	/* Asking, granting and pre-approving make a contact of a stranger. */
	if (op->stanza == SUB_SUBSCRIBE || (op->stanza == SUB_SUBSCRIBED && (row.route || c->approved)))
		c->hidden = false;
	return c->state != old.state || c->approved != old.approved || c->hidden != old.hidden;
}

static void out_start(struct account *a, void *ctx)
{
	struct sub_op *op = ctx;
	struct str contact = str_from(op->parcel->packet.meta->to);
	struct roster_change c;

	if (!a) {
		receipt_fail(op->parcel->packet.receipt, CODE(WRONG_OWNER));
		sub_op_done(NULL, op);
		return;
	}
	if (op->stanza != SUB_UNSUBSCRIBE && op->stanza != SUB_UNSUBSCRIBED && sub_roster_full(a, contact)) {
		out_stored(a, CODE(LIMIT), op);
		return;
	}
	roster_change_from(&c, a->roster, contact);
	if (out_change(op, &c))
		sub_commit(a, &c, NULL, out_stored, op);
	else
		out_stored(a, CODE(OK), op);
	roster_change_done(&c);
}

void subscribe_outbound(struct session *s, const struct packet *p)
{
	struct account *a = s->account;
	/* Section 3.1.2: stamped with the bare JID, sent to the bare JID. */
	struct str contact = jid_view_bare(str_from(p->meta->to));

	if (str_eq(contact, a->bare)) {
		metric_inc(&counters.dropped);
		return;
	}
	account_serial(a, out_start, sub_op_new(a->sm, p, a->bare, contact));
}
