/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/session_end.h"

#include <stddef.h>

#include "services/session-manager/account.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/outbox.h"
#include "services/session-manager/presence.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_store.h"

/* By reason: the stream error that the client gets (RFC 6120 section 4.9.3); NULL: its stream is gone already. */
static const char *const condition[] = {
	[SESSION_END_CLOSED] = NULL,
	[SESSION_END_LOST] = NULL,
	[SESSION_END_REPLACED] = "conflict",
	[SESSION_END_KICKED] = "policy-violation",
	[SESSION_END_REMOVED] = "not-authorized",
};

void session_end(struct session *s, enum session_end_reason reason, const char *text)
{
	struct account *a = s->account;
	struct unacked rest = s->list;
	bool legacy, reader = s->catchup.reader;

	account_pin(a);
	if (condition[reason])
		edge_end(s, condition[reason], text ? text : "");
	presence_farewell(s);
	session_erase(a, s->resource);
	catchup_stop(s, reader);
	legacy = !s->edge->counts;
	s->list = (struct unacked){ 0 };
	session_free(s);
	metric_inc(&counters.closed);
	outbox_abandon(a, &rest);
	if (legacy)
		msglog_orphan_unlisted(a);
	/* Nobody is here any more to repeat this: the store hears now what came through. */
	if (a->log && list_empty(&a->sessions))
		msglog_save(a, true);
	account_unpin(a);
}
