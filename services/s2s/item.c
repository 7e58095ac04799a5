/* SPDX-License-Identifier: Apache-2.0
 *
 * item: one stanza for another server. Its sender's owner waits for the answer to its Route as long as the stanza is in nobody's store. */
#include "services/s2s/s2s.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/stanza.server.h"
#include "services/s2s/metrics.h"

static char *place(char **at, const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = memcpy(*at, text, n);

	*at += n;
	return copy;
}

static struct str place_bytes(char **at, struct str s)
{
	if (s.n)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return str_make(*at - s.n, s.n);
}

struct s2s_item *s2s_item_new(struct s2s_link *l, const Starling__StanzaMeta *m, struct str bytes, struct str extra)
{
	size_t texts =
	        strlen(m->from) + strlen(m->to) + strlen(m->id) + strlen(m->child_name) + strlen(m->child_ns) + strlen(m->origin_id) + 6;
	size_t size = sizeof(struct s2s_item) + texts + bytes.n + extra.n;
	struct s2s_item *i = mem_zalloc(size);
	char *at = (char *)(i + 1);

	i->link = l;
	i->size = size;
	i->meta = *m;
	i->meta.base = (ProtobufCMessage)PROTOBUF_C_MESSAGE_INIT(&starling__stanza_meta__descriptor);
	i->meta.from = place(&at, m->from);
	i->meta.to = place(&at, m->to);
	i->meta.id = place(&at, m->id);
	i->meta.child_name = place(&at, m->child_name);
	i->meta.child_ns = place(&at, m->child_ns);
	i->meta.origin_id = place(&at, m->origin_id);
	i->bytes = place_bytes(&at, bytes);
	i->extra = place_bytes(&at, extra);
	i->time_us = clock_wall_us();
	i->taken_ms = net_now(l->s2s->net);
	list_init(&i->node);
	l->s2s->bytes += size;
	return i;
}

void s2s_item_answer(struct s2s_item *i)
{
	Starling__TakeReply taken = STARLING__TAKE_REPLY__INIT;
	Starling__Empty empty = STARLING__EMPTY__INIT;
	struct ipc_call *call = i->call;

	i->call = NULL;
	if (!call)
		return;
	if (i->take)
		reply_stanza_take(call, &taken);
	else
		reply_stanza_route(call, &empty);
}

void s2s_item_refuse(struct s2s_item *i, int code)
{
	struct ipc_call *call = i->call;

	i->call = NULL;
	if (call)
		ipc_fail(call, code, "not taken");
	s2s_item_remove(i);
}

void s2s_item_remove(struct s2s_item *i)
{
	struct s2s_link *l = i->link;

	if (!i->gone) {
		list_remove(&i->node);
		l->count--;
		l->sent -= i->state == S2S_ITEM_SENT;
		l->dropping -= i->drop;
	}
	if (i->spooling || i->unsure) { /* freed when it is known what became of its row */
		if (!i->gone)
			list_push_back(&l->leftovers, &i->node);
		i->gone = true;
		return;
	}
	list_remove(&i->node);
	l->s2s->bytes -= i->size;
	mem_free(i);
}

void s2s_item_done(struct s2s_item *i)
{
	s2s_item_answer(i);
	if (i->spool_id)
		s2s_spool_done(i->link, i->spool_id);
	s2s_item_remove(i);
}

void s2s_item_bounce(struct s2s_item *i, const char *condition, const char *text)
{
	metric_inc(&s2s_metrics.bounced);
	s2s_bounce(i->link->s2s, &i->meta, i->bytes, condition, text);
	s2s_item_done(i);
}

/* What means nothing any more when it comes late. */
bool s2s_item_keeps(const struct s2s_item *i)
{
	switch (i->meta.kind) {
	case STARLING__STANZA_KIND__STANZA_MESSAGE:
		return !(i->meta.flags & STANZA_NO_STORE) || i->meta.flags & STANZA_BODY;
	case STARLING__STANZA_KIND__STANZA_PRESENCE:
		return i->meta.type >= STARLING__STANZA_TYPE__TYPE_SUBSCRIBE && i->meta.type <= STARLING__STANZA_TYPE__TYPE_UNSUBSCRIBED;
	default:
		return false;
	}
}
