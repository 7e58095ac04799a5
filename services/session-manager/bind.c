/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/bind.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/session.server.h"
#include "services/session-manager/account.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/offline.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/packet.h"
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
	metric_inc(&counters.opened);
	opened(b, s);
}

void on_session_open(struct ipc_call *call, const Starling__OpenRequest *r)
{
	struct sm *sm = ipc_call_daemon(call);

	if (!valid_account(sm, r->account, r->stream) || jid_view_resource(str_from(r->account)).n)
		ipc_fail(call, CODE(INVALID), "no account of ours");
	else if (!ownership_serving(sm, hash_slot(str_from(r->account))))
		ipc_fail(call, CODE(WRONG_OWNER), "not the owner");
	else
		account_with_sessions(account_get(sm, str_from(r->account)), open_session,
		                      binding_new(call, r->stream, r->account, r->resource, r->address, r->encrypted));
}

/* --- Attach --- */

static void move_to_edge(struct session *s, uint64_t instance)
{
	struct sm *sm = s->account->sm;
	struct edge *old = s->edge;

	if (old->instance == instance)
		return;
	list_remove(&s->of_edge);
	if (!list_unlinked(&s->progress))
		list_remove(&s->progress);
	s->edge = edge_get(sm, instance);
	list_push_back(&s->edge->sessions, &s->of_edge);
	edge_drop_if_unused(sm, old);
	session_save(s);
}

static void attach_session(struct account *a, void *ctx)
{
	struct binding *b = ctx;
	Starling__AttachReply reply = STARLING__ATTACH_REPLY__INIT;
	struct session *s;

	if (!a) {
		refuse(b, CODE(WRONG_OWNER), "the slot moved");
		return;
	}
	s = session_by_resource(a, str_from(b->resource));
	if (s && s->stream != b->stream) {
		refuse(b, CODE(NOT_FOUND), "replaced");
		return;
	}
	/* Redis may have lost it; the edge is the truth about who is connected. */
	if (!s && session_find(a->sm, b->stream)) {
		refuse(b, CODE(INVALID), "the stream is another account's");
		return;
	}
	if (!s)
		s = make(a, b, str_from(b->resource));
	else
		move_to_edge(s, ipc_call_source(b->call));
	metric_inc(&counters.attached);
	/* What was taken and is still being handled is not to come again; what was lost on the way is. */
	reply.accepted = s->window.accepted;
	reply_session_attach(b->call, &reply);
	binding_free(b);
}

void on_session_attach(struct ipc_call *call, const Starling__AttachRequest *r)
{
	struct sm *sm = ipc_call_daemon(call);
	struct str bare = jid_view_bare(str_from(r->jid)), resource = jid_view_resource(str_from(r->jid));

	if (!valid_account(sm, r->jid, r->stream) || resource.n == 0)
		ipc_fail(call, CODE(NOT_FOUND), "no such session");
	else if (!ownership_serving(sm, hash_slot(bare)))
		ipc_fail(call, CODE(WRONG_OWNER), "not the owner");
	else
		account_with_sessions(account_get(sm, bare), attach_session,
		                      binding_new(call, r->stream, r->jid, resource.p, r->address, r->encrypted));
}

/* --- Close --- */

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
	if (s && s->account == a)
		session_end(s, SESSION_END_CLOSED, NULL);
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
		account_with_sessions(account_get(sm, bare), close_session, binding_new(call, r->stream, r->jid, "", "", false));
}

/* --- what became of deliveries --- */

void on_session_written(struct ipc_call *call, const Starling__WrittenEvent *r)
{
	struct sm *sm = ipc_call_daemon(call);
	struct account *a = account_find(sm, str_from(r->account));

	if (a && ownership_serving(sm, a->slot))
		offline_written(a, r->stream, r->deliveries, r->n_deliveries);
}

void on_session_returned(struct ipc_call *call, const Starling__ReturnedEvent *r)
{
	struct sm *sm = ipc_call_daemon(call);
	struct session *s = session_find(sm, r->stream);
	struct packet p = { .meta = r->meta, .bytes = ipc_call_payload(call), .trace = ipc_call_trace(call) };

	/* The edge does not have it: the session is over, whatever Redis says. */
	if (s && s->edge->instance == ipc_call_source(call))
		session_end(s, SESSION_END_LOST, NULL);
	/* A stored message stays in the store until it was written. Presence and results had their one chance. */
	if (r->delivery || !r->meta || !r->meta->to[0] || (p.meta->kind == KIND_PRESENCE && p.meta->type <= TYPE_UNAVAILABLE))
		return;
	p.extra = str_make(r->extra.data, r->extra.len);
	p.hops = 1;
	route_packet(sm, &p);
}

void on_session_removed(struct ipc_call *call, const Starling__RemovedEvent *r)
{
	account_removed(ipc_call_daemon(call), str_from(r->account));
}

/* --- stream management --- */

void on_session_enable(struct ipc_call *call, const Starling__EnableRequest *r)
{
	(void)r;
	ipc_fail(call, CODE(UNSUPPORTED), "no stream management");
}

void on_session_resume(struct ipc_call *call, const Starling__ResumeRequest *r)
{
	(void)r;
	ipc_fail(call, CODE(UNSUPPORTED), "no stream management");
}

void on_session_acked(struct ipc_call *call, const Starling__AckedEvent *r)
{
	(void)call;
	(void)r;
}
