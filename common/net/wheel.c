/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashed timing wheel of one level: a timer beyond one turn is passed over, once every two minutes. */
#include "common/net/wheel.h"

void wheel_init(struct wheel *w, uint64_t now_ms)
{
	for (uint32_t i = 0; i < WHEEL_SLOTS; i++)
		list_init(&w->slots[i]);
	w->tick = now_ms / WHEEL_TICK_MS;
	w->armed = 0;
}

void wheel_timer_init(struct wheel_timer *t, void (*fn)(struct wheel_timer *t))
{
	list_init(&t->node);
	t->due_ms = 0;
	t->fn = fn;
}

void wheel_cancel(struct wheel *w, struct wheel_timer *t)
{
	if (list_unlinked(&t->node))
		return;
	list_remove(&t->node);
	w->armed--;
}

void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t due_ms)
{
	/* The tick at whose end the time has passed; one behind the last run at the earliest, or it would wait for a full turn. */
	uint64_t tick = due_ms / WHEEL_TICK_MS + 1;

	wheel_cancel(w, t);
	if (tick <= w->tick)
		tick = w->tick + 1;
	t->due_ms = due_ms;
	list_push_back(&w->slots[tick % WHEEL_SLOTS], &t->node);
	w->armed++;
}

static void run_slot(struct wheel *w, struct list_node *slot, uint64_t now_ms)
{
	struct list_node batch = LIST_HEAD_INIT(batch);

	while (!list_empty(slot)) {
		struct list_node *n = slot->next;

		list_remove(n);
		list_push_back(&batch, n);
	}
	/* What a function cancels or frees leaves the batch by itself. */
	while (!list_empty(&batch)) {
		struct wheel_timer *t = list_entry(batch.next, struct wheel_timer, node);

		list_remove(&t->node);
		if (t->due_ms > now_ms) {
			list_push_back(slot, &t->node);
			continue;
		}
		w->armed--;
		t->fn(t);
	}
}

void wheel_run(struct wheel *w, uint64_t now_ms)
{
	uint64_t last = now_ms / WHEEL_TICK_MS;

	/* After a long sleep one turn visits every slot. */
	if (last - w->tick > WHEEL_SLOTS && last > w->tick)
		w->tick = last - WHEEL_SLOTS;
	while (w->tick < last) {
		w->tick++;
		run_slot(w, &w->slots[w->tick % WHEEL_SLOTS], now_ms);
	}
}
