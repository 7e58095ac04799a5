/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of a roster: packed once, sent until the store has answered, then applied in memory and pushed. The caller holds the account's
 * serial turn, so nothing else changes the roster in between. */
#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/later.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/roster.h"
#include "services/session-manager/roster_impl.h"
#include "services/session-manager/sm.h"

struct edit {
	struct account *account;
	Starling__RosterItem *item; /* heap, unpacked; only its jid with `remove` */
	bool remove;
	uint32_t attempts;
	roster_fn committed, done;
	void *ctx;
};

static void attempt(void *ctx);

static void finish(struct edit *e, int code)
{
	struct account *a = e->account;
	struct edit copy = *e;

	mem_free(e);
	starling__roster_item__free_unpacked(copy.item, NULL);
	copy.done(code == CODE(WRONG_OWNER) ? NULL : a, code, copy.ctx);
	account_unpin(a);
}

static void apply(struct edit *e, uint64_t version)
{
	struct roster *r = e->account->roster;
	struct roster_item *i, *old = roster_find(r, str_from(e->item->jid));
	bool seen = old && !old->hidden;

	if (e->remove) {
		if (old)
			roster_forget(r, old);
		r->version = version;
		if (seen)
			roster_push_removed(e->account, e->item->jid, version);
		return;
	}
	e->item->version = version;
	i = roster_load_item(r, e->item);
	r->version = version;
	if (!i->hidden)
		roster_push(e->account, i);
	else if (seen)
		roster_push_removed(e->account, i->jid, version);
}

static void on_answer(const struct ipc_result *result, const Starling__RosterVersionReply *reply, void *ctx)
{
	struct edit *e = ctx;
	struct account *a = e->account;

	if (a->dead || a->sm->stopping) {
		finish(e, CODE(WRONG_OWNER));
		return;
	}
	if (ipc_ok(result)) {
		if (e->committed)
			e->committed(a, CODE(OK), e->ctx);
		apply(e, reply->version);
		finish(e, CODE(OK));
		return;
	}
	if (result->code == CODE(LIMIT) || result->code == CODE(NOT_FOUND) || result->code == CODE(INVALID)) {
		finish(e, result->code);
		return;
	}
	if (result->code == CODE(FENCED))
		ownership_fenced(a->sm, a->slot);
	later_again(a->sm, e->attempts++, attempt, e);
}

static void attempt(void *ctx)
{
	struct edit *e = ctx;
	struct account *a = e->account;
	Starling__Fence fence = STARLING__FENCE__INIT;
	Starling__RosterPutRequest put = STARLING__ROSTER_PUT_REQUEST__INIT;
	Starling__RosterRemoveRequest remove = STARLING__ROSTER_REMOVE_REQUEST__INIT;

	if (a->dead || a->sm->stopping) {
		finish(e, CODE(WRONG_OWNER));
		return;
	}
	fence.slot = a->slot;
	fence.epoch = ownership_epoch(a->sm, a->slot);
	put.account = remove.account = a->bare_text;
	put.fence = remove.fence = &fence;
	put.item = e->item;
	remove.jid = e->item->jid;
	if (e->remove)
		call_storage_roster_remove(a->sm->bus, ipc_any("storage"), NULL, &remove, on_answer, e);
	else
		call_storage_roster_put(a->sm->bus, ipc_any("storage"), NULL, &put, on_answer, e);
}

static Starling__RosterItem *pack(const struct roster_change *c)
{
	Starling__RosterItem *m = mem_alloc(sizeof(*m));
	int subscription;
	bool ask, pending_in;

	/* Field by field on the same allocator that protobuf-c frees with. */
	starling__roster_item__init(m);
	sub_unpack(c->state, &subscription, &ask, &pending_in);
	m->jid = mem_strndup(c->jid.p, c->jid.n);
	m->name = mem_strndup(c->name.p ? c->name.p : "", c->name.n);
	m->subscription = (Starling__Subscription)subscription;
	m->ask = ask;
	m->pending_in = pending_in;
	m->approved = c->approved;
	m->hidden = c->hidden;
	m->n_groups = c->group_count;
	m->groups = c->group_count ? mem_alloc(c->group_count * sizeof(char *)) : NULL;
	for (uint32_t i = 0; i < c->group_count; i++)
		m->groups[i] = mem_strndup(c->groups[i].p, c->groups[i].n);
	if (pending_in && c->pending.n) {
		m->pending_stanza.data = mem_memdup(c->pending.p, c->pending.n);
		m->pending_stanza.len = c->pending.n;
	}
	return m;
}

static void start(struct account *a, Starling__RosterItem *item, bool removing, roster_fn committed, roster_fn done, void *ctx)
{
	struct edit *e = mem_new(struct edit);

	e->account = a;
	e->item = item;
	e->remove = removing;
	e->committed = committed;
	e->done = done;
	e->ctx = ctx;
	account_pin(a);
	attempt(e);
}

void roster_put(struct account *a, const struct roster_change *c, roster_fn committed, roster_fn done, void *ctx)
{
	start(a, pack(c), false, committed, done, ctx);
}

void roster_remove(struct account *a, struct str jid, roster_fn committed, roster_fn done, void *ctx)
{
	struct roster_change c = { .jid = jid };

	start(a, pack(&c), true, committed, done, ctx);
}
