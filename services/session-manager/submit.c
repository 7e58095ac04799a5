/* SPDX-License-Identifier: Apache-2.0
 *
 * The receipt of a stanza is made in advance and used again as long as stanzas are handled before on_session_submit returns: the fast path
 * allocates nothing. */
#include "services/session-manager/submit.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/session.server.h"
#include "services/session-manager/account.h"
#include "services/session-manager/bounce.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/iq_local.h"
#include "services/session-manager/outbound.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/presence.h"
#include "services/session-manager/route.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"

struct submit_receipt {
	struct receipt base;
	struct sm *sm;
	uint64_t stream, number;
	uint32_t slot;
};

static void submit_done(struct receipt *r)
{
	struct submit_receipt *sr = (struct submit_receipt *)r;
	struct sm *sm = sr->sm;
	struct session *s;

	sm->slot_work[sr->slot]--;
	/* Not handled: stays unaccepted, and the edge sends it again to whoever owns the account then. */
	s = r->code || sm->stopping ? NULL : session_find(sm, sr->stream);
	if (s && r->duplicate && sr->number <= s->origin_to)
		s->origin_to = sr->number + SESSION_ORIGIN_RUN;
	if (s && window_done(&s->window, sr->number, clock_mono_ms()))
		session_progress(s);
	if (!sm->spare && !sm->stopping)
		sm->spare = r;
	else
		mem_free(sr);
}

static struct receipt *receipt_take(struct session *s, uint64_t number)
{
	struct sm *sm = s->account->sm;
	struct submit_receipt *sr = (struct submit_receipt *)sm->spare;

	if (!sr)
		sr = mem_new(struct submit_receipt);
	sm->spare = NULL;
	sr->base = (struct receipt){ .open = 1, .done = submit_done };
	sr->sm = sm;
	sr->stream = s->stream;
	sr->number = number;
	sr->slot = s->account->slot;
	sm->slot_work[sr->slot]++;
	return &sr->base;
}

void submit_fini(struct sm *sm)
{
	mem_free(sm->spare);
	sm->spare = NULL;
}

/* RFC 6120 section 10.3: without `to`, or to the sender's own bare JID, the server acts for the account. */
static bool to_own_account(const struct session *s, struct str to)
{
	return to.n == 0 || str_eq(to, s->account->bare);
}

static void outbound(struct session *s, struct packet *p, Starling__StanzaMeta *meta)
{
	struct sm *sm = s->account->sm;

	switch (meta->kind) {
	case KIND_PRESENCE:
		presence_outbound(s, p);
		return;
	case KIND_IQ:
		if (to_own_account(s, str_from(meta->to)))
			iq_self(s, p);
		else
			route_packet(sm, p);
		return;
	case KIND_MESSAGE:
		if (!meta->to[0])
			meta->to = s->account->bare_text;
		message_outbound(s, p);
		return;
	default:
		metric_inc(&counters.dropped);
	}
}

/* The edge found that it cannot be handled: the error comes from where it was to go, or from the host. */
static void faulty(struct session *s, struct packet *p, Starling__StanzaMeta *meta, const Starling__SubmitEvent *r)
{
	struct str domain = jid_view_domain(s->account->bare);

	if (!meta->to[0])
		meta->to = (char *)domain.p; /* the bare JID's end */
	bounce(s->account->sm, p, r->fault, r->fault_text[0] ? r->fault_text : NULL);
}

/* Edges mark all that any edge may have sent to any owner; what nobody but this owner can have had, its window tells apart. */
static bool may_be_again(const struct session *s, const Starling__SubmitEvent *r)
{
	return r->number <= s->recheck_to || (r->again && r->number <= s->tried);
}

/* When that may have been, at the earliest; 0: not known. */
static uint64_t first_try(const struct session *s, const Starling__SubmitEvent *r)
{
	uint64_t now = clock_mono_ms();

	if (!may_be_again(s, r))
		return now;
	if (r->number > s->recheck_to && r->age_ms)
		return r->age_ms < now ? now - r->age_ms : 1;
	return s->tried_since_ms;
}

static void process(struct session *s, const Starling__SubmitEvent *r, uint64_t first_ms, struct ipc_call *call)
{
	Starling__StanzaMeta meta = *r->meta;
	struct packet p = {
		.meta = &meta,
		.bytes = ipc_call_payload(call),
		.trace = ipc_call_trace(call),
		.key = { r->stream, r->number },
		.again = may_be_again(s, r),
		.check_origin = r->meta->origin_id[0] && r->number <= s->origin_to,
		.first_ms = first_ms,
		.taken_ms = clock_mono_ms(),
		.receipt = receipt_take(s, r->number),
	};

	/* Whoever sent this, the address is the session's. */
	meta.from = s->full_text;
	metric_inc(&counters.stanzas[meta.kind <= KIND_IQ ? meta.kind : 0]);
	if (r->fault[0])
		faulty(s, &p, &meta, r);
	else
		outbound(s, &p, &meta);
	receipt_release(p.receipt);
}

/* An edge of the release before does not say what it sends again; to a new owner it begins with that. */
static void expect_repeats(struct session *s, uint64_t number)
{
	if (!s->edge->counts && s->recheck_to < number + WINDOW_SIZE)
		s->recheck_to = number + WINDOW_SIZE;
}

void on_session_submit(struct ipc_call *call, const Starling__SubmitEvent *r)
{
	struct sm *sm = ipc_call_daemon(call);
	struct session *s = session_find(sm, r->stream);
	uint64_t source = ipc_call_source(call);
	bool first;
	uint64_t first_ms;

	if (!r->meta || sm->stopping)
		return;
	if (!s || !session_live(s) || s->edge->instance != source || !ownership_serving(sm, s->account->slot)) {
		edge_not_owner(sm, source, r->stream);
		return;
	}
	first = !s->window.synced;
	first_ms = first_try(s, r);
	switch (window_take(&s->window, r->number, first_ms)) {
	case WINDOW_TAKE:
		if (first)
			expect_repeats(s, r->number);
		process(s, r, first_ms, call);
		return;
	case WINDOW_DUPLICATE:
		edge_progress(s);
		return;
	case WINDOW_GAP:
	case WINDOW_FULL:
		edge_not_owner(sm, source, r->stream);
		return;
	}
}
