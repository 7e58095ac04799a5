/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/outbound.h"

#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "services/session-manager/account.h"
#include "services/session-manager/carbons.h"
#include "services/session-manager/deliver_log.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/route.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

/* --- copies, when the message has been handled --- */

struct copying {
	struct receipt base;
	struct receipt *parent;
	struct parcel *parcel;
	struct account *account; /* pinned */
};

static void handled(struct receipt *r)
{
	struct copying *c = (struct copying *)r;
	struct account *a = c->account;

	if (r->code)
		receipt_fail(c->parent, r->code);
	else if (!a->dead && !a->sm->stopping)
		deliver_sent_copies(a, &c->parcel->packet, r->log_id);
	receipt_logged(c->parent, r->log_id, r->duplicate);
	parcel_free(&c->parcel); /* lets go of the parent */
	account_unpin(a);
	mem_free(c);
}

static bool wants_copies(const struct session *s, const struct packet *p)
{
	/* To oneself: every client gets it, or a copy, as received. */
	if (str_eq(jid_view_bare(str_from(p->meta->to)), s->account->bare) || !carbon_eligible(p->meta, true))
		return false;
	list_for_each (n, &s->account->sessions) {
		const struct session *other = list_entry(n, struct session, of_account);

		if (other != s && other->carbons)
			return true;
	}
	return false;
}

static void send_with_copies(struct session *s, const struct packet *p)
{
	struct copying *c = mem_new(struct copying);
	struct packet out = *p;

	c->base = (struct receipt){ .open = 1, .done = handled };
	c->parent = p->receipt;
	c->parcel = parcel_new(s->account->sm, p);
	c->account = s->account;
	account_pin(c->account);
	out.receipt = &c->base;
	route_packet(s->account->sm, &out);
	receipt_release(&c->base);
}

/* --- once the sender's wishes are known --- */

static void send_known(struct session *s, struct packet *p)
{
	p->archive_sender = deliver_is_logged(p->meta) && deliver_archived_as_sent(s->account, p->meta);
	if (wants_copies(s, p))
		send_with_copies(s, p);
	else
		route_packet(s->account->sm, p);
}

struct waiting {
	struct parcel *parcel;
	uint64_t stream;
};

static void known(struct account *a, void *ctx)
{
	struct waiting *w = ctx;
	struct session *s = a ? session_find(a->sm, w->stream) : NULL;
	struct packet *p = &w->parcel->packet;

	if (!a) {
		/* Its edge presents it to the next owner. */
		receipt_fail(p->receipt, CODE(WRONG_OWNER));
	} else if (s) {
		send_known(s, p);
	} else {
		p->archive_sender = deliver_is_logged(p->meta) && deliver_archived_as_sent(a, p->meta);
		route_packet(a->sm, p);
	}
	parcel_free(&w->parcel);
	mem_free(w);
}

static void roster_then_known(struct account *a, void *ctx)
{
	if (a && !deliver_archive_known(a))
		account_with_roster(a, known, ctx);
	else
		known(a, ctx);
}

void message_outbound(struct session *s, struct packet *p)
{
	struct waiting *w;

	if (deliver_archive_known(s->account)) {
		send_known(s, p);
		return;
	}
	w = mem_new(struct waiting);
	w->parcel = parcel_new(s->account->sm, p);
	w->stream = s->stream;
	msglog_with(s->account, roster_then_known, w);
}
