/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/admin.h"

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/admin.server.h"
#include "services/session-manager/account.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_end.h"
#include "services/session-manager/sm.h"

#define CONNECTED_MAX 10000u

struct listing {
	struct sm *sm;
	struct arena *arena;
	struct str host;
	Starling__ConnectedUser **users;
	uint32_t count, limit;
};

static const char *edge_name(struct listing *l, uint64_t instance)
{
	const Starling__Registration *r = ipc_bus_find(l->sm->bus, instance);

	return r ? arena_strndup(l->arena, r->name, strlen(r->name)) : arena_printf(l->arena, "%016llx", (unsigned long long)instance);
}

static void add(struct table_node *n, void *ctx)
{
	const struct session *s = table_entry(n, struct session, by_stream);
	struct listing *l = ctx;
	Starling__ConnectedUser *u;

	if (l->count == l->limit || (l->host.n && !str_eq(jid_view_domain(s->account->bare), l->host)))
		return;
	u = arena_alloc(l->arena, sizeof(*u));
	starling__connected_user__init(u);
	u->jid = s->full_text;
	u->address = s->address;
	u->encrypted = s->encrypted;
	u->since_ms = (uint64_t)(clock_wall_us() - s->since_us) / 1000;
	u->priority = s->priority;
	u->available = s->available;
	u->edge = (char *)edge_name(l, s->edge->instance);
	l->users[l->count++] = u;
}

void sm_admin_connected(struct ipc_call *call, const Starling__ConnectedRequest *r)
{
	struct sm *sm = ipc_call_daemon(call);
	Starling__ConnectedReply reply = STARLING__CONNECTED_REPLY__INIT;
	struct listing l = { .sm = sm, .arena = arena_new(0), .host = str_from(r->host) };

	l.limit = r->limit && r->limit < CONNECTED_MAX ? r->limit : CONNECTED_MAX;
	l.users = mem_alloc((size_t)l.limit * sizeof(*l.users));
	table_each(&sm->streams, add, &l);
	reply.users = l.users;
	reply.n_users = l.count;
	reply_admin_connected(call, &reply);
	mem_free(l.users);
	arena_free(&l.arena);
}

struct kick {
	struct ipc_call *call;
	char *resource, *text;
};

static void kick(struct account *a, void *ctx)
{
	struct kick *k = ctx;
	Starling__KickReply reply = STARLING__KICK_REPLY__INIT;

	if (!a) {
		ipc_fail(k->call, CODE(WRONG_OWNER), "the slot moved");
	} else {
		list_for_each_safe (n, &a->sessions) {
			struct session *s = list_entry(n, struct session, of_account);

			if (k->resource[0] && !str_is(s->resource, k->resource))
				continue;
			session_end(s, SESSION_END_KICKED, k->text[0] ? k->text : NULL);
			reply.kicked++;
		}
		reply_admin_kick(k->call, &reply);
	}
	mem_free(k->resource);
	mem_free(k->text);
	mem_free(k);
}

void sm_admin_kick(struct ipc_call *call, const Starling__KickRequest *r)
{
	struct sm *sm = ipc_call_daemon(call);
	struct str bare = jid_view_bare(str_from(r->account)), resource = jid_view_resource(str_from(r->account));
	struct kick *k;

	if (jid_view_local(bare).n == 0 || !sm_local_host(sm, jid_view_domain(bare))) {
		ipc_fail(call, CODE(INVALID), "no account of ours");
		return;
	}
	if (!ownership_serving(sm, hash_slot(bare))) {
		ipc_fail(call, CODE(WRONG_OWNER), "not the owner");
		return;
	}
	k = mem_new(struct kick);
	k->call = call;
	k->resource = mem_strndup(resource.n ? resource.p : "", resource.n);
	k->text = mem_strdup(r->text);
	account_with_sessions(account_get(sm, bare), kick, k);
}
