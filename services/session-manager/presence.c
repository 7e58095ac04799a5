/* SPDX-License-Identifier: Apache-2.0
 *
 * A presence that changes a session's state waits for what changes the roster before it, and then takes the steps that the table names. */
#include "services/session-manager/presence.h"

#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "services/session-manager/account.h"
#include "services/session-manager/bounce.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/last_activity.h"
#include "services/session-manager/presence_send.h"
#include "services/session-manager/roster.h"
#include "services/session-manager/route.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"
#include "services/session-manager/subscribe.h"

enum step {
	STEP_BROADCAST = 1, /* 4.2.2, 4.4.2, 4.5.2: to contacts with from or both, and to the user's own available resources */
	STEP_PROBE = 2,     /* 4.3.1: ask contacts with to or both */
	STEP_OTHERS = 4,    /* 4.2.2: show the new resource the others of the same account */
	STEP_PENDING = 8,   /* 3.1.3: subscription requests that wait for an answer */
	STEP_DIRECTED = 16, /* 4.6.3: unavailable follows directed presence */
	STEP_LAST = 32,     /* XEP-0012 */
};

/* [was available][is available] */
static const unsigned steps[2][2] = {
	{ STEP_DIRECTED, STEP_BROADCAST | STEP_PROBE | STEP_OTHERS | STEP_PENDING },
	{ STEP_BROADCAST | STEP_DIRECTED | STEP_LAST, STEP_BROADCAST },
};

static void take_steps(struct session *s, const struct packet *p, unsigned what)
{
	if (what & STEP_BROADCAST)
		presence_broadcast(s->account, p);
	if (what & STEP_DIRECTED)
		presence_undirect(s->account, p, &s->directed, &s->directed_count);
	if (what & STEP_OTHERS)
		presence_show_others(s, p->receipt);
	if (what & STEP_PENDING)
		subscribe_show_pending(s, p->receipt);
	if (what & STEP_PROBE)
		presence_probe_contacts(s, p->receipt);
	if (what & STEP_LAST)
		last_activity_note(s->account, p->bytes);
}

static void change(struct session *s, const struct packet *p)
{
	bool was = s->available, is = p->meta->type == TYPE_NONE, reader = session_takes_messages(s);

	session_set_presence(s, is ? p->bytes : STR(""), p->meta->priority, p->meta->flags);
	catchup_expect(s);
	session_save(s);
	take_steps(s, p, steps[was][is]);
	/* XEP-0160 section 3: what waited goes to the first resource that reads messages. */
	if (!reader && session_takes_messages(s))
		catchup_offline(s);
}

struct job {
	struct parcel *parcel;
	uint64_t stream;
};

static void change_later(struct account *a, void *ctx)
{
	struct job *j = ctx;
	struct session *s = a ? session_find(a->sm, j->stream) : NULL;

	if (s)
		change(s, &j->parcel->packet);
	else if (!a)
		receipt_fail(j->parcel->packet.receipt, CODE(WRONG_OWNER));
	parcel_free(&j->parcel);
	mem_free(j);
	if (a)
		account_serial_done(a);
}

static void change_presence(struct session *s, const struct packet *p)
{
	struct account *a = s->account;
	struct job *j;

	if (account_quiet(a)) {
		change(s, p);
		return;
	}
	j = mem_new(struct job);
	j->parcel = parcel_new(a->sm, p);
	j->stream = s->stream;
	account_serial(a, change_later, j);
}

static void directed(struct session *s, const struct packet *p)
{
	struct str to = str_from(p->meta->to);

	if (p->meta->type == TYPE_UNAVAILABLE) {
		session_drop_directed(s, to);
	} else if (p->meta->type == TYPE_NONE && !session_add_directed(s, to)) {
		bounce(s->account->sm, p, "resource-constraint", "Directed presence to too many addresses.");
		return;
	}
	route_packet(s->account->sm, p);
}

void presence_outbound(struct session *s, const struct packet *p)
{
	bool to = p->meta->to[0] != '\0';

	switch (p->meta->type) {
	case TYPE_NONE:
	case TYPE_UNAVAILABLE:
		if (to)
			directed(s, p);
		else
			change_presence(s, p);
		return;
	case TYPE_SUBSCRIBE:
	case TYPE_SUBSCRIBED:
	case TYPE_UNSUBSCRIBE:
	case TYPE_UNSUBSCRIBED:
		if (to)
			subscribe_outbound(s, p);
		else
			bounce(s->account->sm, p, "bad-request", NULL);
		return;
	case TYPE_ERROR:
		if (to)
			route_packet(s->account->sm, p);
		return;
	default:
		metric_inc(&counters.dropped); /* probes are the server's (section 4.3) */
	}
}

struct refresh {
	uint64_t stream;
};

static void refresh(struct account *a, void *ctx)
{
	struct refresh *r = ctx;
	struct session *s = a ? session_find(a->sm, r->stream) : NULL;

	if (s && s->available)
		presence_probe_contacts(s, NULL);
	mem_free(r);
}

void presence_refresh(struct session *s)
{
	struct refresh *r;

	if (!s->available)
		return;
	r = mem_new(struct refresh);
	r->stream = s->stream;
	account_with_roster(s->account, refresh, r);
}

/* --- the end of a session --- */

struct farewell {
	struct sm *sm;
	char *full;
	struct directed *directed;
	bool available;
};

static void farewell_free(struct farewell *f)
{
	while (f->directed) {
		struct directed *d = f->directed;

		f->directed = d->next;
		mem_free(d);
	}
	mem_free(f->full);
	mem_free(f);
}

static void say_farewell(struct account *a, void *ctx)
{
	struct farewell *f = ctx;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct packet p = { .meta = &meta, .bytes = STR("<presence type='unavailable'/>") };
	uint32_t count = UINT32_MAX;

	if (a) {
		meta.kind = KIND_PRESENCE;
		meta.type = TYPE_UNAVAILABLE;
		meta.flags = STARLING__STANZA_FLAG__FLAG_EMPTY;
		meta.from = f->full;
		if (f->available)
			presence_broadcast(a, &p);
		presence_undirect(a, &p, &f->directed, &count);
		if (f->available)
			last_activity_note(a, p.bytes);
	}
	farewell_free(f);
	if (a)
		account_serial_done(a);
}

void presence_farewell(struct session *s)
{
	struct farewell *f;

	if (!s->available && !s->directed)
		return;
	f = mem_new(struct farewell);
	f->full = mem_strdup(s->full_text);
	f->available = s->available;
	f->directed = s->directed;
	s->directed = NULL;
	s->directed_count = 0;
	session_set_presence(s, STR(""), 0, 0);
	account_serial(s->account, say_farewell, f);
}

/* --- probes (section 4.3.2) --- */

static void answer_probe(struct account *a, void *ctx)
{
	struct parcel *c = ctx;
	struct str asker = jid_view_bare(str_from(c->packet.meta->from));
	struct packet no;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	char *bare;

	if (!a) {
		route_again(c);
		return;
	}
	if (str_eq(asker, a->bare) || sub_has_from(roster_state(a->roster, asker))) {
		presence_show(a, c->packet.meta->from, true, c->packet.receipt);
		parcel_free(&c);
		return;
	}
	/* The asker believes in a subscription that is not there: set it right. */
	bare = mem_strndup(asker.p, asker.n);
	meta.kind = KIND_PRESENCE;
	meta.type = TYPE_UNSUBSCRIBED;
	meta.flags = STARLING__STANZA_FLAG__FLAG_EMPTY;
	meta.from = a->bare_text;
	meta.to = bare;
	no = (struct packet){
		.meta = &meta, .bytes = STR("<presence type='unsubscribed'/>"), .hops = c->packet.hops + 1, .receipt = c->packet.receipt
	};
	route_packet(a->sm, &no);
	mem_free(bare);
	parcel_free(&c);
}

void presence_probed(struct account *a, const struct packet *p)
{
	list_for_each (n, &a->sessions) {
		if (!list_entry(n, struct session, of_account)->available)
			continue;
		account_with_roster(a, answer_probe, parcel_new(a->sm, p));
		return;
	}
	/* Nobody there: section 4.3.2 leaves it open whether to say so, and silence spares a roster from the store. */
}
