/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/runtime/lane.h"

static struct ipc_lane_item *item_of(struct list_node *n)
{
	return list_entry(n, struct ipc_lane_item, node);
}

void ipc_lane_init(struct ipc_lane *l, const struct ipc_lane_ops *ops, const bool *stopping)
{
	*l = (struct ipc_lane){ .ops = ops, .stopping = stopping };
	list_init(&l->items);
}

static void pause_if_quiet(struct ipc_lane *l)
{
	if (!l->broken || l->on_the_way > 0 || l->pausing || *l->stopping)
		return;
	l->pausing = true;
	l->ops->pause(l, l->attempts++);
}

static void strand(struct ipc_lane *l)
{
	l->broken = true;
	if (l->ops->stranded)
		l->ops->stranded(l, item_of(l->items.next));
	pause_if_quiet(l);
}

static void send_waiting(struct ipc_lane *l)
{
	list_for_each_safe (n, &l->items) {
		struct ipc_lane_item *i = item_of(n);
		enum ipc_lane_sent how;

		if (l->on_the_way >= IPC_LANE_WINDOW)
			return;
		if (i->sent)
			continue;
		how = l->ops->send(l, i, l->owner, l->epoch);
		if (how == IPC_LANE_GONE)
			continue;
		i->sent = true;
		l->on_the_way++;
		if (how == IPC_LANE_STUCK) {
			l->broken = true;
			return;
		}
	}
}

static void pump(struct ipc_lane *l)
{
	uint64_t owner, epoch = 0;

	if (l->broken || *l->stopping)
		return;
	if (l->on_the_way == 0 && l->ops->quiet)
		l->ops->quiet(l);
	if (list_empty(&l->items))
		return;
	owner = l->ops->receiver(l, &epoch);
	/* Those that are still with a former owner come first. */
	if (l->on_the_way > 0 && (owner != l->owner || epoch != l->epoch))
		return;
	l->owner = owner;
	l->epoch = epoch;
	if (owner == 0)
		strand(l);
	else
		send_waiting(l);
}

void ipc_lane_add(struct ipc_lane *l, struct ipc_lane_item *i)
{
	i->sent = false;
	list_push_back(&l->items, &i->node);
	pump(l);
}

void ipc_lane_answered(struct ipc_lane *l, enum ipc_lane_answer answer)
{
	l->on_the_way--;
	if (answer == IPC_LANE_TAKEN)
		l->attempts = 0;
	if (answer == IPC_LANE_FAILED)
		l->broken = true;
	if (l->broken)
		pause_if_quiet(l);
	else
		pump(l);
}

void ipc_lane_go_on(struct ipc_lane *l)
{
	l->pausing = l->broken = false;
	list_for_each (n, &l->items)
		item_of(n)->sent = false;
	pump(l);
}
