/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/bind.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/session.server.h"
#include "services/session-manager/account.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/deliver_log.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/park.h"
#include "services/session-manager/route.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_end.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"

/* An Open or Attach that waits for the account's sessions; one allocation with its strings. */
struct binding {
	struct sm *sm;
	struct ipc_call *call;
	uint64_t stream;
	char *jid; /* bare for Open, full for Attach */
	char *resource;
	char *address;
	bool encrypted;
	bool resume_failed; /* Open */
	bool resumable;     /* Close */
};

static struct binding *binding_new(struct ipc_call *call, uint64_t stream, const char *jid, const char *resource, const char *address,
                                   bool encrypted)
{
	struct binding *b = mem_new(struct binding);

	b->sm = ipc_call_daemon(call);
	b->call = call;
	b->stream = stream;
	b->jid = mem_strdup(jid);
	b->resource = mem_strdup(resource);
	b->address = mem_strdup(address);
	b->encrypted = encrypted;
	return b;
}

static void binding_free(struct binding *b)
{
	mem_free(b->jid);
	mem_free(b->resource);
	mem_free(b->address);
	mem_free(b);
}

static struct binding *opening(struct ipc_call *call, const Starling__OpenRequest *r)
{
	struct binding *b = binding_new(call, r->stream, r->account, r->resource, r->address, r->encrypted);

	b->resume_failed = r->resume_failed;
	return b;
}

static void refuse(struct binding *b, int code, const char *why)
{
	ipc_fail(b->call, code, "%s", why);
	binding_free(b);
}

static bool valid_account(struct sm *sm, const char *jid, uint64_t stream)
{
	struct str text = str_from(jid);

	return stream != 0 && jid_view_local(text).n > 0 && sm_local_host(sm, jid_view_domain(text));
}

static struct session *make(struct account *a, struct binding *b, struct str resource)
{
	struct session *s = session_new(a, resource, b->stream, ipc_call_source(b->call));

	s->encrypted = b->encrypted;
	s->address = mem_strdup(b->address);
	s->known = true;
	session_save(s);
	return s;
}

/* --- Open --- */

static void opened(struct binding *b, struct session *s)
{
	Starling__OpenReply reply = STARLING__OPEN_REPLY__INIT;

	reply.jid = s->full_text;
	reply_session_open(b->call, &reply);
	binding_free(b);
}

/* RFC 6120 section 7.7.2.2. True: the resource is free now, or *out_other is to be used. */
static bool resolve_conflict(struct account *a, struct session *holder, char *other, struct str *resource)
{
	switch (a->sm->options->conflict) {
	case CONFLICT_REPLACE:
		metric_inc(&counters.conflicts);
		session_end(holder, SESSION_END_REPLACED, "Replaced by a new connection");
		return true;
	case CONFLICT_RENAME:
		random_token(other, BIND_RESOURCE_LENGTH);
		*resource = str_from(other);
		return true;
	default:
		return false;
	}
}

static void open_session(struct account *a, void *ctx)
{
	struct binding *b = ctx;
	struct str resource = str_from(b->resource);
	char made[BIND_RESOURCE_LENGTH + 1];
	struct session *s, *holder;

	if (!a) {
		refuse(b, CODE(WRONG_OWNER), "the slot moved");
		return;
	}
	s = session_find(a->sm, b->stream);
	if (s && s->account == a) {
		opened(b, s);
		return;
	}
	if (resource.n == 0) {
		random_token(made, BIND_RESOURCE_LENGTH);
		resource = str_from(made);
	}
	holder = session_by_resource(a, resource);
	if (holder && !resolve_conflict(a, holder, made, &resource)) {
		refuse(b, CODE(EXISTS), "the resource is taken");
		return;
	}
	if (session_count(a) >= (uint32_t)a->sm->options->sessions_max) {
		refuse(b, CODE(LIMIT), "too many sessions");
		return;
	}
	s = make(a, b, resource);
	s->window.synced = true;
	s->origin_to = b->resume_failed ? SESSION_ORIGIN_RUN : 0;
	/* What comes from now on is not what it may have missed. */
	s->cursor = a->log ? a->log->last : 0;
	metric_inc(&counters.opened);
	opened(b, s);
}

/* With what its user wants archived, so that its first message finds that known. */
static void open_with_log(struct account *a, void *ctx)
{
	if (a)
		msglog_with(a, open_session, ctx);
	else
		open_session(NULL, ctx);
}

void on_session_open(struct ipc_call *call, const Starling__OpenRequest *r)
{
	struct sm *sm = ipc_call_daemon(call);

	if (!valid_account(sm, r->account, r->stream) || jid_view_resource(str_from(r->account)).n)
		ipc_fail(call, CODE(INVALID), "no account of ours");
	else if (!ownership_serving(sm, hash_slot(str_from(r->account))))
		ipc_fail(call, CODE(WRONG_OWNER), "not the owner");
	else
		account_with_sessions(account_get(sm, str_from(r->account)), open_with_log, opening(call, r));
}

/* --- Close --- */

static struct binding *closing(struct ipc_call *call, const Starling__CloseRequest *r)
{
	struct binding *b = binding_new(call, r->stream, r->jid, "", "", false);

	b->resumable = r->resumable;
	return b;
}

static void close_session(struct account *a, void *ctx)
{
	struct binding *b = ctx;
	Starling__Empty empty = STARLING__EMPTY__INIT;
	struct session *s;

	if (!a) {
		refuse(b, CODE(WRONG_OWNER), "the slot moved");
		return;
	}
	/* By its stream: an edge whose client left while binding does not know the resource. */
	s = session_find(a->sm, b->stream);
	/* An edge from which the client has moved on says nothing new. */
	if (s && s->account == a && s->edge->instance == ipc_call_source(b->call)) {
		if (b->resumable)
			park_or_end(s);
		else
			session_end(s, SESSION_END_CLOSED, NULL);
	}
	reply_session_close(b->call, &empty);
	binding_free(b);
}

void on_session_close(struct ipc_call *call, const Starling__CloseRequest *r)
{
	struct sm *sm = ipc_call_daemon(call);
	struct str bare = jid_view_bare(str_from(r->jid));

	if (!valid_account(sm, r->jid, r->stream))
		ipc_fail(call, CODE(INVALID), "no session of ours");
	else if (!ownership_serving(sm, hash_slot(bare)))
		ipc_fail(call, CODE(WRONG_OWNER), "not the owner");
	else
		account_with_sessions(account_get(sm, bare), close_session, closing(call, r));
}

/* --- what became of deliveries --- */

/* From edges that do not count (edge.proto): positions in the log. The session's cursor rises as with an acknowledgement, or the next owner would
 * give its client everything since it logged in once more. */
void on_session_written(struct ipc_call *call, const Starling__WrittenEvent *r)
{
	struct sm *sm = ipc_call_daemon(call);
	struct account *a = account_find(sm, str_from(r->account));
	struct session *s = session_find(sm, r->stream);

	if (!a || !ownership_serving(sm, a->slot))
		return;
	for (size_t i = 0; i < r->n_deliveries; i++) {
		msglog_acked(a, r->deliveries[i]);
		if (s && r->deliveries[i] > s->cursor)
			s->cursor = r->deliveries[i];
	}
	if (s) {
		session_save_later(s);
		catchup_go_on(s);
	}
}

void on_session_returned(struct ipc_call *call, const Starling__ReturnedEvent *r)
{
	struct sm *sm = ipc_call_daemon(call);
	struct session *s = session_find(sm, r->stream);
	struct packet p = { .meta = r->meta, .bytes = ipc_call_payload(call), .trace = ipc_call_trace(call) };
	bool listed = s && s->edge->counts;

	/* The edge does not have it, whatever Redis says. What was on its list is seen to with the session. */
	if (s && session_live(s) && s->edge->instance == ipc_call_source(call))
		park_or_end(s);
	if (listed || r->delivery || !r->meta || !r->meta->to[0] || (p.meta->kind == KIND_PRESENCE && p.meta->type <= TYPE_UNAVAILABLE) ||
	    deliver_is_logged(r->meta))
		return;
	p.extra = str_make(r->extra.data, r->extra.len);
	p.hops = 1;
	route_packet(sm, &p);
}

void on_session_removed(struct ipc_call *call, const Starling__RemovedEvent *r)
{
	account_removed(ipc_call_daemon(call), str_from(r->account));
}
