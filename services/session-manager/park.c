/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/park.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/session.server.h"
#include "services/session-manager/account.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/later.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/outbox.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/presence.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_end.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"

/* So long an edge that lives may take to attach what it holds; what it does not attach, it does not hold. */
#define ATTACH_MS    60000u
#define RESUME_S_MAX 86400u
#define RECHECK      256u /* what an edge leaves unaccepted by default (window.stanzas); one that leaves more says itself what is sent again */

/* --- waiting for a client, or for its edge --- */

struct patience {
	struct sm *sm;
	uint64_t stream;
	uint32_t turn;
};

static void over(void *ctx)
{
	struct patience *w = ctx;
	struct session *s = w->sm->stopping ? NULL : session_find(w->sm, w->stream);

	if (s && s->turn == w->turn) {
		if (s->parked)
			session_end(s, SESSION_END_LOST, NULL);
		else if (!s->known)
			park_or_end(s);
	}
	mem_free(w);
}

static void wait_for(struct session *s, uint64_t ms)
{
	struct patience *w = mem_new(struct patience);

	*w = (struct patience){ .sm = s->account->sm, .stream = s->stream, .turn = ++s->turn };
	later_run(w->sm, ms, over, w);
}

static void set_parked(struct session *s, uint64_t ms)
{
	s->parked = true;
	s->parked_until_us = clock_wall_us() + (int64_t)ms * 1000;
	if (!list_unlinked(&s->behind))
		list_remove(&s->behind);
	catchup_park(s);
	metric_inc(&counters.parked);
	wait_for(s, ms);
}

void park_or_end(struct session *s)
{
	if (!s->managed) {
		session_end(s, SESSION_END_LOST, NULL);
		return;
	}
	if (s->parked)
		return;
	set_parked(s, (uint64_t)s->resume_s * 1000);
	session_save(s);
}

void park_adopted(struct session *s)
{
	int64_t left_us = s->parked_until_us - clock_wall_us();

	s->known = false;
	/* What is appended meanwhile is found by reading the log from the cursor, once it is known where its client stands. */
	s->catchup = (struct catchup){ .mode = CATCHUP_REBUILD, .start = s->cursor, .after = s->cursor, .began = s->cursor, .again = true };
	if (s->parked_until_us == 0)
		wait_for(s, ATTACH_MS);
	else
		set_parked(s, left_us > 0 ? (uint64_t)left_us / 1000 : 0);
}

void park_leave(struct session *s)
{
	s->parked = false;
	s->parked_until_us = 0;
	s->known = true;
	s->turn++;
}

/* --- Enable --- */

void on_session_enable(struct ipc_call *call, const Starling__EnableRequest *r)
{
	struct sm *sm = ipc_call_daemon(call);
	struct session *s = session_find(sm, r->stream);
	Starling__EnableReply reply = STARLING__ENABLE_REPLY__INIT;

	if (!s || s->edge->instance != ipc_call_source(call) || !ownership_serving(sm, s->account->slot)) {
		ipc_fail(call, s ? CODE(WRONG_OWNER) : CODE(NOT_FOUND), "no such session");
		return;
	}
	if (!s->managed)
		s->told = s->window.accepted;
	/* An edge that asks again has not heard the answer: it counts from the one that it hears. */
	s->managed = r->resume_s > 0;
	s->resume_s = r->resume_s < RESUME_S_MAX ? r->resume_s : RESUME_S_MAX;
	s->base_in = r->base_in;
	s->base_out = unacked_sent(&s->list);
	session_save(s);
	reply.resume_s = s->resume_s;
	reply_session_enable(call, &reply);
}

/* --- Resume --- */

struct resuming {
	struct ipc_call *call;
	struct sm *sm;
	uint64_t stream;
	uint32_t h;
	char *address;
	bool encrypted;
};

static void resuming_free(struct resuming *r)
{
	mem_free(r->address);
	mem_free(r);
}

static void refuse(struct resuming *r, int code, const char *why)
{
	ipc_fail(r->call, code, "%s", why);
	resuming_free(r);
}

/* The client's count is modulo 2^32: the delivery nearest behind what it has acknowledged before. */
static uint64_t number_of(const struct session *s, uint32_t h)
{
	return s->list.acked + (uint32_t)(h - (uint32_t)(s->list.acked - s->base_out));
}

/* Whoever had the session before knew what was sent; all that we know is what the client says. */
static void rebuild(struct session *s)
{
	struct msglog *log = s->account->log;

	catchup_rebuild(s, s->cursor ? s->cursor : log->tail);
}

/* What the former owner had in hand may be done, and the client sends it again. */
static void recheck(struct session *s)
{
	session_expect_again(s);
	s->recheck_to = s->window.accepted + RECHECK;
}

/* For the new edge: what its client sends again, we have taken, or another owner before us may have, or nobody has. */
static uint64_t resent_ms(struct session *s)
{
	uint64_t now = clock_mono_ms(), since = window_since(&s->window, now);

	if (s->tried < s->window.taken)
		s->tried = s->window.taken;
	if (s->tried_since_ms && s->window.accepted < s->tried && s->tried_since_ms < since)
		since = s->tried_since_ms;
	return since ? now - since + 1 : 0;
}

static void move_here(struct session *s, uint64_t instance)
{
	struct sm *sm = s->account->sm;

	if (!s->parked && s->known)
		edge_moved(sm, s->edge->instance, s->stream);
	session_move(s, instance);
}

static void answer(struct resuming *r, struct session *s)
{
	Starling__ResumeReply reply = STARLING__RESUME_REPLY__INIT;

	reply.jid = s->full_text;
	reply.accepted = session_accepted(s);
	reply.sent = unacked_sent(&s->list);
	reply.base_in = s->base_in;
	reply.base_out = s->base_out;
	reply.resume_s = s->resume_s;
	reply.resent_ms = resent_ms(s);
	reply_session_resume(r->call, &reply);
	resuming_free(r);
}

static void resume(struct account *a, void *ctx)
{
	struct resuming *r = ctx;
	struct session *s = a ? session_find(a->sm, r->stream) : NULL;
	bool known;

	if (!a) {
		refuse(r, CODE(WRONG_OWNER), "the slot moved");
		return;
	}
	if (!s || s->account != a || !s->managed) {
		refuse(r, CODE(NOT_FOUND), "nothing to resume");
		return;
	}
	known = s->known;
	if (known && number_of(s, r->h) > unacked_sent(&s->list)) {
		refuse(r, CODE(INVALID), "more than was sent");
		return;
	}
	move_here(s, ipc_call_source(r->call));
	mem_free(s->address);
	s->address = r->address;
	r->address = NULL;
	s->encrypted = r->encrypted;
	if (known) {
		outbox_acked(s, number_of(s, r->h));
		unacked_rewind(&s->list, s->list.acked);
	} else {
		s->list.acked = s->base_out + r->h;
		recheck(s);
	}
	park_leave(s);
	metric_inc(&counters.resumed);
	answer(r, s);
	session_save(s);
	outbox_pump(s);
	if (!known) {
		rebuild(s);
		presence_refresh(s);
	} else if (session_takes_messages(s)) {
		catchup_offline(s);
	}
}

static void resume_with_log(struct account *a, void *ctx)
{
	if (a)
		msglog_with(a, resume, ctx);
	else
		resume(NULL, ctx);
}

void on_session_resume(struct ipc_call *call, const Starling__ResumeRequest *r)
{
	struct sm *sm = ipc_call_daemon(call);
	struct str bare = str_from(r->account);
	struct resuming *w;

	if (r->stream == 0 || jid_view_local(bare).n == 0 || jid_view_resource(bare).n || !sm_local_host(sm, jid_view_domain(bare))) {
		ipc_fail(call, CODE(NOT_FOUND), "no account of ours");
		return;
	}
	if (!ownership_serving(sm, hash_slot(bare))) {
		ipc_fail(call, CODE(WRONG_OWNER), "not the owner");
		return;
	}
	w = mem_new(struct resuming);
	*w = (struct resuming){ .call = call, .sm = sm, .stream = r->stream, .h = r->h, .encrypted = r->encrypted };
	w->address = mem_strdup(r->address);
	account_with_sessions(account_get(sm, bare), resume_with_log, w);
}

/* --- what the edge reports --- */

void on_session_acked(struct ipc_call *call, const Starling__AckedEvent *r)
{
	struct sm *sm = ipc_call_daemon(call);

	for (size_t i = 0; i < r->n_acks; i++) {
		struct session *s = session_find(sm, r->acks[i]->stream);

		if (s && session_live(s) && s->edge->instance == ipc_call_source(call))
			outbox_acked(s, r->acks[i]->acked);
	}
}
