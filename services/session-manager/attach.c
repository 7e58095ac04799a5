/* SPDX-License-Identifier: Apache-2.0
 *
 * attach: an edge tells the owner of an account that it holds one of its sessions: after a change of owner, or when the way between the two lost
 * something. What either side knows and the other does not is set right here (session.proto, Attach). */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/session.server.h"
#include "services/session-manager/account.h"
#include "services/session-manager/catchup.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/outbox.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/park.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"

struct attaching {
	struct sm *sm;
	struct ipc_call *call;
	Starling__AttachRequest *request; /* a copy */
};

static void attaching_free(struct attaching *t)
{
	starling__attach_request__free_unpacked(t->request, NULL);
	mem_free(t);
}

static void refuse(struct attaching *t, int code, const char *why)
{
	ipc_fail(t->call, code, "%s", why);
	attaching_free(t);
}

/* --- an owner without a memory --- */

static uint32_t form_at(const Starling__AttachRequest *r, size_t i)
{
	return i < r->n_unacked_form ? r->unacked_form[i] : FORM(PLAIN);
}

/* What went to the client as its edge knows it, ahead of what came since this owner has the session. */
static void take_list(struct session *s, const Starling__AttachRequest *r)
{
	struct unacked waiting = s->list;
	struct unacked *list = &s->list;

	*list = (struct unacked){ .acked = r->acked, .turn = waiting.turn + 1 };
	for (size_t i = 0; i < r->n_unacked_log && r->acked + i < r->sent; i++) {
		uint64_t id = r->unacked_log[i];
		uint32_t form = form_at(r, i);

		unacked_push(list, id, form, NULL, true);
		if (id && (form == FORM(PLAIN) || form == FORM(DELAYED)))
			msglog_in_flight(s->account, id);
	}
	/* One without stream management tells no more than how many. */
	while (list->count < r->sent - r->acked && r->sent > r->acked && r->sent - r->acked < UINT16_MAX)
		unacked_push(list, 0, FORM(PLAIN), NULL, true);
	for (uint32_t i = 0; i < waiting.count; i++) {
		const struct unacked_entry *e = unacked_at(&waiting, i);

		unacked_push(list, e->log_id, (uint32_t)e->form, e->copy, false);
	}
	mem_free(waiting.ring);
}

static uint64_t lowest_unacked(const struct unacked *list)
{
	uint64_t lowest = 0;

	for (uint32_t i = 0; i < list->sent; i++) {
		uint64_t id = unacked_at(list, i)->log_id;

		if (id && (lowest == 0 || id < lowest))
			lowest = id;
	}
	return lowest;
}

static void become_known(struct session *s, const Starling__AttachRequest *r)
{
	uint64_t handed = r->handed > s->cursor ? r->handed : s->cursor;
	uint64_t lowest;

	take_list(s, r);
	lowest = lowest_unacked(&s->list);
	s->given = handed;
	if (r->handed > s->cursor)
		s->cursor = lowest && lowest <= r->handed ? lowest - 1 : r->handed;
	if (r->accepted > s->window.accepted) {
		window_restore(&s->window, r->accepted, s->window.since_ms, clock_mono_ms());
		s->told = r->accepted;
	}
	session_expect_again(s);
	park_leave(s);
	catchup_rebuild(s, handed ? handed : s->account->log->tail);
}

/* --- the same owner as before --- */

/* False: it cannot be, the edge has had more than we have sent. */
static bool repair(struct session *s, const Starling__AttachRequest *r)
{
	if (!s->edge->counts)
		return true;
	if (r->sent > unacked_sent(&s->list) || r->acked > r->sent || r->sent < s->list.acked)
		return false;
	outbox_acked(s, r->acked);
	unacked_rewind(&s->list, r->sent);
	return true;
}

/* --- the request --- */

static struct session *make(struct account *a, const struct attaching *t)
{
	const Starling__AttachRequest *r = t->request;
	struct session *s = session_new(a, jid_view_resource(str_from(r->jid)), r->stream, ipc_call_source(t->call));
	struct session_record record;

	if (session_decode(str_make(r->record.data, r->record.len), &record) && record.stream == r->stream)
		session_restore(s, &record);
	else
		window_restore(&s->window, 0, 0, clock_mono_ms());
	s->encrypted = r->encrypted;
	if (!s->address)
		s->address = mem_strdup(r->address);
	return s;
}

/* Why this edge cannot have it; NULL: it can. */
static const char *conflict(const struct account *a, const struct session *s, const struct attaching *t)
{
	if (s && s->stream != t->request->stream)
		return "replaced";
	if (!s && session_find(a->sm, t->request->stream))
		return "the stream is another account's";
	if (s && s->known && s->edge->instance != ipc_call_source(t->call))
		return "its client has moved";
	return NULL;
}

static void attach_session(struct account *a, void *ctx)
{
	struct attaching *t = ctx;
	Starling__AttachReply reply = STARLING__ATTACH_REPLY__INIT;
	struct session *s = a ? session_by_resource(a, jid_view_resource(str_from(t->request->jid))) : NULL;
	const char *why = a ? conflict(a, s, t) : NULL;

	if (!a || why) {
		refuse(t, a ? CODE(NOT_FOUND) : CODE(WRONG_OWNER), why ? why : "the slot moved");
		return;
	}
	/* Redis may have lost it; the edge is the truth about who is connected. */
	if (!s)
		s = make(a, t);
	session_move(s, ipc_call_source(t->call));
	metric_inc(&counters.attached);
	if (s->known && !repair(s, t->request)) {
		unacked_clear(&s->list, NULL, NULL);
		s->known = false;
	}
	if (!s->known)
		become_known(s, t->request);
	else if (s->parked) /* its edge had only been out of sight */
		park_leave(s);
	/* What was taken and is still being handled is not to come again; what was lost on the way is. */
	reply.accepted = session_accepted(s);
	reply_session_attach(t->call, &reply);
	attaching_free(t);
	session_save(s);
	outbox_pump(s);
	if (session_takes_messages(s))
		catchup_offline(s);
}

static void attach_with_log(struct account *a, void *ctx)
{
	if (a)
		msglog_with(a, attach_session, ctx);
	else
		attach_session(NULL, ctx);
}

static Starling__AttachRequest *copy_of(const Starling__AttachRequest *r)
{
	size_t n = starling__attach_request__get_packed_size(r);
	uint8_t *bytes = mem_alloc(n);
	Starling__AttachRequest *copy;

	starling__attach_request__pack(r, bytes);
	copy = starling__attach_request__unpack(NULL, n, bytes);
	mem_free(bytes);
	return copy;
}

void on_session_attach(struct ipc_call *call, const Starling__AttachRequest *r)
{
	struct sm *sm = ipc_call_daemon(call);
	struct str full = str_from(r->jid), bare = jid_view_bare(full);
	struct attaching *t;

	if (r->stream == 0 || jid_view_local(bare).n == 0 || jid_view_resource(full).n == 0 || !sm_local_host(sm, jid_view_domain(bare))) {
		ipc_fail(call, CODE(NOT_FOUND), "no such session");
		return;
	}
	if (!ownership_serving(sm, hash_slot(bare))) {
		ipc_fail(call, CODE(WRONG_OWNER), "not the owner");
		return;
	}
	t = mem_new(struct attaching);
	*t = (struct attaching){ .sm = sm, .call = call, .request = copy_of(r) };
	account_with_sessions(account_get(sm, bare), attach_with_log, t);
}
