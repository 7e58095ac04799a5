/* SPDX-License-Identifier: Apache-2.0
 *
 * A list sorted by due time: entries are few, and new ones are nearly always the last. */
#include "services/session-manager/later.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/session-manager/sm.h"

struct entry {
	struct list_node node;
	uint64_t due_ms;
	bool again; /* what failed is tried again */
	void (*fn)(void *ctx);
	void *ctx;
};

static void on_timer(uv_timer_t *timer);

static void arm(struct sm *sm)
{
	uint64_t now = clock_mono_ms();
	struct entry *first;

	if (list_empty(&sm->later) || sm->stopping)
		return;
	first = list_entry(sm->later.next, struct entry, node);
	uv_timer_start(&sm->later_timer, on_timer, first->due_ms > now ? first->due_ms - now : 0, 0);
}

static void run_first(struct sm *sm)
{
	struct entry *first = list_entry(sm->later.next, struct entry, node);
	struct entry copy = *first;

	list_remove(&first->node);
	mem_free(first);
	copy.fn(copy.ctx);
}

static void on_timer(uv_timer_t *timer)
{
	struct sm *sm = timer->data;
	uint64_t now = clock_mono_ms();

	while (!list_empty(&sm->later) && list_entry(sm->later.next, struct entry, node)->due_ms <= now)
		run_first(sm);
	arm(sm);
}

void later_init(struct sm *sm)
{
	list_init(&sm->later);
	uv_timer_init(sm->loop, &sm->later_timer);
	sm->later_timer.data = sm;
}

void later_fini(struct sm *sm)
{
	while (!list_empty(&sm->later))
		run_first(sm);
	uv_close((uv_handle_t *)&sm->later_timer, NULL);
}

static void insert(struct sm *sm, struct entry *e)
{
	struct list_node *at = sm->later.prev;

	while (at != &sm->later && list_entry(at, struct entry, node)->due_ms > e->due_ms)
		at = at->prev;
	list_insert_before(at->next, &e->node);
	if (sm->later.next == &e->node)
		arm(sm);
}

static struct entry *entry_new(uint64_t delay_ms, void (*fn)(void *ctx), void *ctx)
{
	struct entry *e = mem_new(struct entry);

	e->due_ms = clock_mono_ms() + delay_ms;
	e->fn = fn;
	e->ctx = ctx;
	return e;
}

void later_run(struct sm *sm, uint64_t delay_ms, void (*fn)(void *ctx), void *ctx)
{
	insert(sm, entry_new(delay_ms, fn, ctx));
}

void later_again(struct sm *sm, uint32_t attempts, void (*fn)(void *ctx), void *ctx)
{
	struct entry *e = entry_new(later_backoff_ms(attempts), fn, ctx);

	e->again = true;
	insert(sm, e);
}

void later_hurry(struct sm *sm)
{
	struct list_node all;

	list_take(&sm->later, &all);
	while (!list_empty(&all)) {
		struct entry *e = list_entry(all.next, struct entry, node);

		list_remove(&e->node);
		if (e->again)
			e->due_ms = clock_mono_ms();
		insert(sm, e);
	}
}

uint64_t later_backoff_ms(uint32_t attempts)
{
	uint64_t base = attempts >= 6 ? 2000 : 50ULL << attempts;

	return base / 2 + random_u64() % (base / 2 + 1);
}
