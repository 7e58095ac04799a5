/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/deliver.h"

#include "common/xmpp/jid.h"
#include "services/session-manager/account.h"
#include "services/session-manager/bounce.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/deliver_rules.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/iq_local.h"
#include "services/session-manager/offline.h"
#include "services/session-manager/presence.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"
#include "services/session-manager/subscribe.h"

#define GROUP_MAX 64 /* streams in one event */

/* Streams at the same edge as the session at `first` that the filter takes, from there on. */
static uint32_t same_edge(struct account *a, struct list_node *first, deliver_filter filter, const void *ctx, uint64_t *streams)
{
	struct edge *e = list_entry(first, struct session, of_account)->edge;
	uint32_t count = 0;

	for (struct list_node *n = first; n != &a->sessions && count < GROUP_MAX; n = n->next) {
		struct session *s = list_entry(n, struct session, of_account);

		if (s->edge == e && filter(s, ctx))
			streams[count++] = s->stream;
	}
	return count;
}

static bool first_of_its_edge(struct account *a, const struct session *s)
{
	list_for_each (n, &a->sessions) {
		const struct session *other = list_entry(n, struct session, of_account);

		if (other == s)
			return true;
		if (other->edge == s->edge)
			return false;
	}
	return true;
}

static void edge_failed(struct edge *e)
{
	e->lost = true;
}

uint32_t deliver_to(struct account *a, const struct packet *p, deliver_filter filter, const void *ctx)
{
	uint64_t streams[GROUP_MAX];
	uint32_t reached = 0;

	list_for_each (n, &a->sessions) {
		struct session *s = list_entry(n, struct session, of_account);
		uint32_t count;

		if (s->edge->lost || !first_of_its_edge(a, s))
			continue;
		count = same_edge(a, n, filter, ctx, streams);
		if (count == 0)
			continue;
		if (edge_deliver(s->edge, streams, count, p, 0))
			reached += count;
		else
			edge_failed(s->edge);
	}
	return reached;
}

bool deliver_to_session(struct session *s, const struct packet *p, uint64_t delivery)
{
	if (!s->edge->lost && edge_deliver(s->edge, &s->stream, 1, p, delivery))
		return true;
	edge_failed(s->edge);
	return false;
}

bool deliver_if_available(const struct session *s, const void *ctx)
{
	(void)ctx;
	return s->available;
}

bool deliver_if_interested(const struct session *s, const void *ctx)
{
	(void)ctx;
	return s->interested;
}

static bool if_reader(const struct session *s, const void *ctx)
{
	(void)ctx;
	return session_takes_messages(s);
}

static bool any_reader(const struct account *a)
{
	list_for_each (n, &a->sessions) {
		const struct session *s = list_entry(n, struct session, of_account);

		if (session_takes_messages(s) && !s->edge->lost)
			return true;
	}
	return false;
}

static struct session *match(struct account *a, struct str resource)
{
	struct session *s = resource.n ? session_by_resource(a, resource) : NULL;

	return s && !s->edge->lost ? s : NULL;
}

static enum deliver_case situation(struct account *a, struct str resource, const struct session *found)
{
	if (found)
		return CASE_FULL_FOUND;
	if (resource.n)
		return any_reader(a) ? CASE_FULL_READER : CASE_FULL_NOBODY;
	return any_reader(a) ? CASE_BARE_READER : CASE_BARE_NOBODY;
}

static void drop(void)
{
	metric_inc(&counters.dropped);
}

static void store(struct account *a, const struct packet *p)
{
	if (deliver_storable(p->meta->flags))
		offline_store(a, p);
	else
		drop();
}

/* While stored messages are on their way to a reader, newer ones queue up behind them in the store. */
static bool behind_stored(const struct account *a, const struct packet *p)
{
	return p->meta->kind == KIND_MESSAGE && offline_flushing(a) && deliver_storable(p->meta->flags);
}

static void serve(struct account *a, const struct packet *p)
{
	if (p->meta->kind == KIND_IQ)
		iq_account(a, p);
	else if (p->meta->type == TYPE_PROBE)
		presence_probed(a, p);
	else
		subscribe_inbound(a, p);
}

/* False: the edge turned out to be gone, the situation is another one now. */
static bool act(struct account *a, const struct packet *p, enum deliver_action action, struct session *found)
{
	switch (action) {
	case ACTION_DROP:
		drop();
		return true;
	case ACTION_RESOURCE:
		if (offline_flushing_to(a, found) && behind_stored(a, p)) {
			store(a, p);
			return true;
		}
		return deliver_to_session(found, p, 0);
	case ACTION_READERS:
		if (behind_stored(a, p)) {
			store(a, p);
			return true;
		}
		return deliver_to(a, p, if_reader, NULL) > 0;
	case ACTION_AVAILABLE:
		deliver_to(a, p, deliver_if_available, NULL);
		return true;
	case ACTION_STORE:
		store(a, p);
		return true;
	case ACTION_BOUNCE:
		bounce(a->sm, p, "service-unavailable", NULL);
		return true;
	case ACTION_SERVE:
		serve(a, p);
		return true;
	}
	return true;
}

void deliver(struct account *a, const struct packet *p)
{
	struct str resource = jid_view_resource(str_from(p->meta->to));

	/* Each turn that fails marks one more edge as lost, and an account has few. */
	for (int turn = 0; turn < 64; turn++) {
		struct session *found = match(a, resource);
		enum deliver_action action = deliver_rule(p->meta->kind, p->meta->type, situation(a, resource, found));

		if (act(a, p, action, found))
			return;
	}
	store(a, p);
}
