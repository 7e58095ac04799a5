/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/bounce.h"

#include "common/xmpp/stanza.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/route.h"
#include "services/session-manager/sm.h"

void bounce(struct sm *sm, const struct packet *p, const char *condition, const char *text)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct packet back = { .meta = &meta, .trace = p->trace, .hops = p->hops + 1, .receipt = p->receipt };
	struct buf bytes = { 0 };

	if (p->meta->type == TYPE_ERROR || p->meta->type == TYPE_RESULT || !p->meta->from[0] || sm->stopping)
		return;
	stanza_error_bytes(&bytes, (enum stanza_kind)p->meta->kind, str_from(p->meta->id), p->bytes, condition, str_from(text), STR(""),
	                   STR(""));
	meta.kind = p->meta->kind;
	meta.type = TYPE_ERROR;
	meta.from = p->meta->to;
	meta.to = p->meta->from;
	meta.id = p->meta->id;
	meta.flags = p->meta->flags;
	back.bytes = buf_str(&bytes);
	metric_inc(&counters.bounces);
	route_packet(sm, &back);
	buf_fini(&bytes);
}
