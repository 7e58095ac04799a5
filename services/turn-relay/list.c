/* SPDX-License-Identifier: Apache-2.0
 *
 * list: what operators see and do (ipc/proto/turn.proto). Each worker looks through its own allocations; the last one to have done so sends the answer back to the
 * main thread, which has the bus. */
#include <stdio.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/turn.server.h"
#include "services/turn-relay/turn.h"

#define LIMIT_MAX 10000u

struct question {
	struct question *next;
	struct turn *turn;
	struct ipc_call *call;
	char *user; /* "": all */
	bool kick;
	uint32_t limit;
	/* Behind turn.lock. */
	unsigned waiting; /* workers */
	struct arena *arena;
	Starling__TurnAllocation **found;
	size_t count;
	uint32_t kicked;
};

static void question_free(struct question *q)
{
	arena_free(&q->arena);
	mem_free(q->found);
	mem_free(q->user);
	mem_free(q);
}

/* --- on a worker -------------------------------------------------------------------------------------------------- */

static char *address_text(struct arena *a, const struct net_addr *addr)
{
	char text[NET_ADDR_TEXT_MAX];

	net_addr_text(addr, text);
	return net_addr_is_v4(addr) ? arena_printf(a, "%s:%u", text, addr->port) : arena_printf(a, "[%s]:%u", text, addr->port);
}

static const char *transport(const struct allocation *a)
{
	if (a->client.dtls)
		return "dtls";
	if (a->client.udp)
		return "udp";
	if (!a->client.stream)
		return "none";
	return a->client.stream->tls ? "tls" : "tcp";
}

static void describe(struct question *q, const struct allocation *a)
{
	Starling__TurnAllocation *out = arena_alloc(q->arena, sizeof(*out));
	uint64_t now = worker_now(a->worker), until = 0;
	uint16_t channels;

	starling__turn_allocation__init(out);
	out->user = arena_strndup(q->arena, a->account, strlen(a->account));
	out->client = address_text(q->arena, &a->client.addr);
	out->transport = (char *)(uintptr_t)transport(a);
	out->relayed = arena_zalloc(q->arena, RELAYED_FAMILIES * sizeof(*out->relayed));
	for (int i = 0; i < RELAYED_FAMILIES; i++) {
		if (!a->relayed[i])
			continue;
		out->relayed[out->n_relayed++] = address_text(q->arena, &a->relayed[i]->told);
		until = a->relayed[i]->until_ms > until ? a->relayed[i]->until_ms : until;
	}
	out->since_ms = now - a->since_ms;
	out->expires_ms = until > now ? until - now : 0;
	out->permissions = peers_count(&a->peers, now, &channels);
	out->channels = channels;
	out->bytes_to_peer = a->in_bytes;
	out->bytes_to_client = a->out_bytes;
	out->packets_to_peer = a->in_packets;
	out->packets_to_client = a->out_packets;
	q->found[q->count++] = out;
}

static bool is_asked_for(const struct question *q, const struct allocation *a)
{
	return !q->user[0] || strcmp(q->user, a->account) == 0;
}

static void look(struct worker *w, void *arg)
{
	struct question *q = arg;
	struct turn *t = q->turn;

	w->kicks += q->kick;
	pthread_mutex_lock(&t->lock);
	list_for_each_safe (n, &w->allocations) {
		struct allocation *a = list_entry(n, struct allocation, node);

		if (!is_asked_for(q, a))
			continue;
		if (q->kick) {
			allocation_free(a);
			q->kicked++;
		} else if (q->count < q->limit) {
			describe(q, a);
		}
	}
	if (--q->waiting == 0) {
		q->next = t->answers;
		t->answers = q;
		uv_async_send(&t->answered);
	}
	pthread_mutex_unlock(&t->lock);
}

/* --- on the main thread ------------------------------------------------------------------------------------------- */

static void answer(struct question *q)
{
	Starling__TurnListReply list = STARLING__TURN_LIST_REPLY__INIT;
	Starling__TurnKickReply kick = STARLING__TURN_KICK_REPLY__INIT;

	if (q->kick) {
		kick.kicked = q->kicked;
		reply_turn_kick(q->call, &kick);
	} else {
		list.allocations = q->found;
		list.n_allocations = q->count;
		reply_turn_list(q->call, &list);
	}
	question_free(q);
}

void turn_on_answered(uv_async_t *h)
{
	struct turn *t = h->data;
	struct question *all;

	pthread_mutex_lock(&t->lock);
	all = t->answers;
	t->answers = NULL;
	pthread_mutex_unlock(&t->lock);
	while (all) {
		struct question *q = all;

		all = q->next;
		answer(q);
	}
}

static void ask(struct turn *t, struct ipc_call *call, const char *user, bool kick, uint32_t limit)
{
	struct question *q = mem_new(struct question);

	q->turn = t;
	q->call = call;
	q->user = mem_strdup(user);
	q->kick = kick;
	q->limit = limit > 0 && limit < LIMIT_MAX ? limit : LIMIT_MAX;
	q->arena = arena_new(0);
	q->found = mem_alloc(q->limit * sizeof(*q->found));
	q->waiting = t->worker_count;
	for (unsigned i = 0; i < t->worker_count; i++)
		worker_post(t->workers[i], look, q);
}

void on_turn_list(struct ipc_call *call, const Starling__TurnListRequest *r)
{
	ask(ipc_call_daemon(call), call, r->user, false, r->limit);
}

void on_turn_kick(struct ipc_call *call, const Starling__TurnKickRequest *r)
{
	struct turn *t = ipc_call_daemon(call);
	uint64_t now = clock_mono_ms();

	if (!r->user[0])
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "a user is wanted");
	else if (r->block_ms && !quota_block(t->shared.quota, str_from(r->user), now + r->block_ms, now))
		ipc_fail(call, STARLING__CODE__CODE_OVERLOAD, "too many users are kept out");
	else
		ask(t, call, r->user, true, 0);
}

/* No worker need be asked: quotas are for all threads. */
void on_turn_quota(struct ipc_call *call, const Starling__TurnQuotaRequest *r)
{
	struct turn *t = ipc_call_daemon(call);
	Starling__TurnQuotaReply reply = STARLING__TURN_QUOTA_REPLY__INIT;
	struct quota *q = t->shared.quota;
	struct quota_state state;

	if (!r->user[0] || (r->set && r->reset)) {
		ipc_fail(call, STARLING__CODE__CODE_INVALID, r->user[0] ? "a limit cannot be set and reset" : "a user is wanted");
		return;
	}
	if (r->set && !quota_set(q, str_from(r->user), r->allocations)) {
		ipc_fail(call, STARLING__CODE__CODE_OVERLOAD, "too many users have limits of their own");
		return;
	}
	if (r->reset)
		quota_reset(q, str_from(r->user));
	quota_look(q, str_from(r->user), clock_mono_ms(), &state);
	reply.allocations = state.limit;
	reply.set = state.own;
	reply.used = state.used;
	reply.blocked_ms = state.blocked_ms;
	reply_turn_quota(call, &reply);
}
