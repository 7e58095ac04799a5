/* SPDX-License-Identifier: Apache-2.0
 *
 * link_leave: a link that another instance is to have, or has (docs/decisions/0032-federation.md). */
#include "services/s2s/s2s.h"

#define LEAVE_MS 5000u

static void drop_leftovers(struct s2s_link *l)
{
	list_for_each_safe (n, &l->leftovers) {
		s2s_item_settled(list_entry(n, struct s2s_item, node));
		s2s_item_remove(list_entry(n, struct s2s_item, node));
	}
}

void s2s_link_abandon(struct s2s_link *l, int code)
{
	list_for_each_safe (n, &l->items) {
		s2s_item_settled(list_entry(n, struct s2s_item, node));
		s2s_item_refuse(list_entry(n, struct s2s_item, node), code);
	}
	drop_leftovers(l);
}

/* What is in nobody's store and was answered for means nothing later: its sender is told. All else has a row, or a sender's owner that has it. */
static void let_go(struct s2s_item *i)
{
	if (i->state == S2S_ITEM_WAITING && !i->call && !i->spool_id && i->meta.kind != STARLING__STANZA_KIND__STANZA_PRESENCE)
		s2s_item_bounce(i, "remote-server-timeout", i->link->error);
	else
		s2s_item_refuse(i, STARLING__CODE__CODE_WRONG_OWNER);
}

/* To the next owner: by its row, or by its sender's owner; not by both. So what may have a row waits until that is known, as long as the slot is ours. */
static void hand_over(struct s2s_link *l, bool sent_too)
{
	bool lost = l->s2s->slots[l->slot].state == S2S_SLOT_FOREIGN;

	list_for_each_safe (n, &l->items) {
		struct s2s_item *i = list_entry(n, struct s2s_item, node);

		if (i->state == S2S_ITEM_SENT && !sent_too)
			continue;
		if (lost)
			s2s_item_settled(i);
		else if (i->spooling || i->unsure)
			continue;
		let_go(i);
	}
	if (lost)
		drop_leftovers(l);
}

void s2s_link_leave_tick(struct s2s_link *l, uint64_t now_ms)
{
	bool waits = l->sent > 0 && now_ms - l->leaving_ms < LEAVE_MS;

	s2s_spool_append(l, 0); /* only what is unsure */
	hand_over(l, !waits);
	if (waits)
		return;
	if (l->out && l->out->outbound)
		s2s_finish(l->out, "another instance speaks with this domain now");
	else if (l->out)
		l->out->link = NULL;
	l->out = NULL;
	l->more_in_store = false;
	if (l->count == 0 && l->unsure == 0 && !l->fetching && l->appending == 0)
		s2s_link_free(l);
}

/* What was not sent goes to the next owner at once; what was, has a moment to be acknowledged. */
void s2s_link_leave(struct s2s_link *l)
{
	if (l->leaving_ms)
		return;
	l->leaving_ms = net_now(l->s2s->net);
	s2s_attempt_cancel(l);
	hand_over(l, false);
}
