/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/deliver.h"

#include "common/xmpp/jid.h"
#include "services/session-manager/account.h"
#include "services/session-manager/append.h"
#include "services/session-manager/bounce.h"
#include "services/session-manager/carbons.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/deliver_log.h"
#include "services/session-manager/deliver_rules.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/iq_local.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/outbox.h"
#include "services/session-manager/presence.h"
#include "services/session-manager/route.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"
#include "services/session-manager/subscribe.h"

/* With stream management it is kept until the client has it, whatever became of the edge. */
bool deliver_reachable(const struct session *s)
{
	return s->managed || s->parked || !s->known || !s->edge->lost;
}

uint32_t deliver_to(struct account *a, const struct packet *p, deliver_filter filter, const void *ctx)
{
	struct session *to[OUTBOX_TARGETS];
	uint32_t count = 0, reached = 0;

	list_for_each (n, &a->sessions) {
		struct session *s = list_entry(n, struct session, of_account);

		if (!deliver_reachable(s) || !filter(s, ctx))
			continue;
		to[count++] = s;
		if (count == OUTBOX_TARGETS) {
			reached += outbox_give(to, count, p, 0, FORM(PLAIN));
			count = 0;
		}
	}
	return reached + outbox_give(to, count, p, 0, FORM(PLAIN));
}

bool deliver_to_session(struct session *s, const struct packet *p)
{
	return deliver_reachable(s) && outbox_give(&s, 1, p, 0, FORM(PLAIN)) > 0;
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

bool deliver_any_reader(const struct account *a)
{
	list_for_each (n, &a->sessions) {
		const struct session *s = list_entry(n, struct session, of_account);

		if (session_takes_messages(s) && deliver_reachable(s))
			return true;
	}
	return false;
}

static struct session *match(struct account *a, struct str resource)
{
	struct session *s = resource.n ? session_by_resource(a, resource) : NULL;

	return s && deliver_reachable(s) ? s : NULL;
}

static enum deliver_case situation(struct account *a, struct str resource, const struct session *found)
{
	if (found)
		return CASE_FULL_FOUND;
	if (resource.n)
		return deliver_any_reader(a) ? CASE_FULL_READER : CASE_FULL_NOBODY;
	return deliver_any_reader(a) ? CASE_BARE_READER : CASE_BARE_NOBODY;
}

static void drop(void)
{
	metric_inc(&counters.dropped);
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

/* XEP-0280 for what is not in the log, such as chat states: to the sessions that did not get it. */
static void copies(struct account *a, const struct packet *p, const struct session *found)
{
	if (p->meta->kind == KIND_MESSAGE && carbon_eligible(p->meta, false))
		deliver_received_copies(a, p, found);
}

/* False: the edge turned out to be gone, the situation is another one now. */
static bool act(struct account *a, const struct packet *p, enum deliver_action action, struct session *found)
{
	switch (action) {
	case ACTION_DROP:
		drop();
		return true;
	case ACTION_RESOURCE:
		if (!deliver_to_session(found, p))
			return false;
		copies(a, p, found);
		return true;
	case ACTION_READERS:
		if (deliver_to(a, p, if_reader, NULL) == 0)
			return false;
		copies(a, p, NULL);
		return true;
	case ACTION_AVAILABLE:
		deliver_to(a, p, deliver_if_available, NULL);
		return true;
	case ACTION_STORE: /* what is worth it came another way (deliver_log.h) */
		drop();
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

static void deliver_now(struct account *a, const struct packet *p)
{
	struct str resource = jid_view_resource(str_from(p->meta->to));

	/* Each turn that fails marks one more edge as lost, and an account has few. */
	for (int turn = 0; turn < 64; turn++) {
		struct session *found = match(a, resource);
		enum deliver_action action = deliver_rule(p->meta->kind, p->meta->type, situation(a, resource, found));

		if (act(a, p, action, found))
			return;
	}
	drop();
}

static void in_turn(struct account *a, const struct packet *p, const struct append_result *result)
{
	(void)result;
	deliver_now(a, p);
}

static void when_loaded(struct account *a, void *ctx)
{
	struct parcel *c = ctx;

	if (!a) {
		route_again(c);
		return;
	}
	append_behind(a, &c->packet, in_turn);
	parcel_free(&c);
}

void deliver(struct account *a, const struct packet *p)
{
	if (deliver_is_logged(p->meta))
		deliver_to_log(a, p);
	else if (a->log && !list_empty(&a->log->want)) /* messages wait for it: none is overtaken */
		msglog_with(a, when_loaded, parcel_new(a->sm, p));
	else
		append_behind(a, p, in_turn);
}
