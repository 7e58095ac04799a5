/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 6120 section 8.2.3, RFC 6121 sections 8.5.1, 8.5.2: an IQ get or set gets exactly one answer. What is not in the tables is refused
 * without being parsed. */
#include "services/session-manager/iq.h"

#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/stanza.h"
#include "services/session-manager/account.h"
#include "services/session-manager/bounce.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/iq_local.h"
#include "services/session-manager/roster.h"
#include "services/session-manager/route.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

struct iq_call {
	struct iq iq;
	struct str bytes;
	struct receipt *receipt;
	uint32_t hops;
};

static const struct iq_row *find(const struct packet *p, enum iq_scope scope)
{
	unsigned type = p->meta->type == TYPE_SET ? IQ_SET : IQ_GET;

	for (const struct iq_feature *const *f = iq_features; *f; f++) {
		for (const struct iq_row *r = (*f)->rows; r->ns; r++) {
			if (r->scopes & scope && r->types & type && strcmp(r->name, p->meta->child_name) == 0 &&
			    strcmp(r->ns, p->meta->child_ns) == 0)
				return r;
		}
	}
	return NULL;
}

static struct str keep(struct arena *a, const char *text)
{
	return arena_str(a, str_from(text));
}

/* NULL: refused, and said so. */
static struct iq *iq_new(struct sm *sm, const struct packet *p, enum iq_scope scope, struct str account)
{
	struct arena *arena = arena_new(0);
	struct iq_call *c = mem_new(struct iq_call);
	struct iq *iq = &c->iq;

	iq->sm = sm;
	iq->arena = arena;
	iq->scope = scope;
	iq->set = p->meta->type == TYPE_SET;
	iq->from = keep(arena, p->meta->from);
	iq->to = keep(arena, p->meta->to);
	iq->id = keep(arena, p->meta->id);
	iq->account = arena_str(arena, account);
	iq->host = jid_view_domain(scope == IQ_HOST ? iq->to : iq->account);
	iq->trace = p->trace;
	c->bytes = arena_str(arena, p->bytes);
	iq->root = xml_parse(arena, c->bytes, STR("jabber:client"));
	iq->child = iq->root ? xml_first_element(iq->root) : NULL;
	if (!iq->child || xml_next_element(iq->child)) {
		bounce(sm, p, "bad-request", NULL);
		arena_free(&arena);
		mem_free(c);
		return NULL;
	}
	c->receipt = p->receipt;
	c->hops = p->hops;
	receipt_hold(c->receipt);
	return iq;
}

static void iq_free(struct iq *iq)
{
	struct iq_call *c = (struct iq_call *)iq;
	struct receipt *receipt = c->receipt;

	arena_free(&iq->arena);
	mem_free(c);
	receipt_release(receipt);
}

/* Results and errors are nobody's here: dropped. True: go on. */
static bool is_request(struct sm *sm, const struct packet *p)
{
	if (p->meta->type != TYPE_GET && p->meta->type != TYPE_SET) {
		metric_inc(&counters.dropped);
		return false;
	}
	if (!p->meta->child_name[0]) {
		bounce(sm, p, "bad-request", NULL);
		return false;
	}
	return true;
}

static void unknown(struct sm *sm, const struct packet *p)
{
	bounce(sm, p, "service-unavailable", NULL);
}

/* --- the ways in --- */

static void serve_self(struct account *a, struct session *s, const struct packet *p)
{
	const struct iq_row *row = find(p, IQ_SELF);
	struct iq *iq;

	if (!row) {
		unknown(a->sm, p);
		return;
	}
	iq = iq_new(a->sm, p, IQ_SELF, a->bare);
	if (!iq)
		return;
	iq->stream = s ? s->stream : 0;
	iq->trusted = true;
	row->handler(iq);
}

void iq_self(struct session *s, const struct packet *p)
{
	if (is_request(s->account->sm, p))
		serve_self(s->account, s, p);
}

void iq_host(struct sm *sm, const struct packet *p)
{
	struct str from = str_from(p->meta->from);
	const struct iq_row *row;
	struct account *a;
	struct session *s;
	struct iq *iq;

	if (!is_request(sm, p))
		return;
	row = find(p, IQ_HOST);
	if (!row) {
		unknown(sm, p);
		return;
	}
	iq = iq_new(sm, p, IQ_HOST, STR(""));
	if (!iq)
		return;
	a = account_find(sm, jid_view_bare(from));
	s = a ? session_by_resource(a, jid_view_resource(from)) : NULL;
	iq->stream = s ? s->stream : 0;
	row->handler(iq);
}

static void serve_account(struct account *a, void *ctx)
{
	struct parcel *c = ctx;
	const struct packet *p = &c->packet;
	struct str asker = jid_view_bare(str_from(p->meta->from));
	const struct iq_row *row = find(p, IQ_ACCOUNT);
	bool trusted;
	struct iq *iq;

	if (!a) {
		route_again(c);
		return;
	}
	trusted = sub_has_from(roster_state(a->roster, asker));
	/* Whether there is such an account shows only to who may know. */
	if (!a->exists || (row->subscribers_only && !trusted)) {
		unknown(a->sm, p);
	} else {
		iq = iq_new(a->sm, p, IQ_ACCOUNT, a->bare);
		if (iq) {
			iq->trusted = trusted;
			row->handler(iq);
		}
	}
	parcel_free(&c);
}

void iq_account(struct account *a, const struct packet *p)
{
	struct str from = str_from(p->meta->from);

	if (!is_request(a->sm, p))
		return;
	if (str_eq(jid_view_bare(from), a->bare))
		serve_self(a, session_by_resource(a, jid_view_resource(from)), p);
	else if (find(p, IQ_ACCOUNT))
		account_with_roster(a, serve_account, parcel_new(a->sm, p));
	else
		unknown(a->sm, p);
}

/* --- answers --- */

static void answer(struct iq *iq, Starling__StanzaType type, struct str bytes)
{
	struct iq_call *c = (struct iq_call *)iq;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct packet p = { .meta = &meta, .bytes = bytes, .trace = iq->trace, .hops = c->hops + 1, .receipt = c->receipt };
	struct session *s = iq->stream ? session_find(iq->sm, iq->stream) : NULL;

	meta.kind = KIND_IQ;
	meta.type = type;
	meta.from = (char *)iq->to.p;
	meta.to = (char *)iq->from.p;
	meta.id = (char *)iq->id.p;
	if (s)
		deliver_to_session(s, &p);
	else if (iq->to.n && !iq->sm->stopping)
		route_packet(iq->sm, &p);
	iq_free(iq);
}

void iq_result(struct iq *iq, struct str child)
{
	struct buf bytes = { 0 };

	stanza_result_bytes(&bytes, iq->id, child);
	answer(iq, TYPE_RESULT, buf_str(&bytes));
	buf_fini(&bytes);
}

void iq_error(struct iq *iq, const char *condition, const char *text)
{
	struct str original = iq->secret ? STR("<iq/>") : ((struct iq_call *)iq)->bytes;
	struct buf bytes = { 0 };

	stanza_error_bytes(&bytes, STANZA_IQ, iq->id, original, condition, str_from(text), STR(""), STR(""));
	metric_inc(&counters.bounces);
	answer(iq, TYPE_ERROR, buf_str(&bytes));
	buf_fini(&bytes);
}

static const char *const conditions[] = {
	[CODE(NOT_FOUND)] = "item-not-found",       [CODE(EXISTS)] = "conflict",     [CODE(DENIED)] = "not-allowed",
	[CODE(LIMIT)] = "resource-constraint",      [CODE(INVALID)] = "bad-request", [CODE(UNSUPPORTED)] = "feature-not-implemented",
	[CODE(INTERNAL)] = "internal-server-error",
};

void iq_fail(struct iq *iq, int ipc_code)
{
	size_t count = sizeof(conditions) / sizeof(conditions[0]);
	const char *condition = (size_t)ipc_code < count ? conditions[ipc_code] : NULL;

	/* The rest passes: somebody is away, moved or busy. resource-constraint is of type wait. */
	iq_error(iq, condition ? condition : "resource-constraint", condition ? NULL : "Not possible now; try again later.");
}
