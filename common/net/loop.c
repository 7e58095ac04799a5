/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/loop.h"

#include "common/base/mem.h"

static void stop_if_idle(struct net_loop *l)
{
	if (list_empty(&l->tasks) && list_empty(&l->costly))
		uv_idle_stop(&l->idle);
}

static void run_first(struct list_node *list)
{
	struct net_task *t = list_entry(list->next, struct net_task, node);

	list_remove(&t->node);
	t->fn(t);
}

/* Tasks queued meanwhile are left for the next run, so that no connection keeps the loop to itself. */
static void run_tasks(struct net_loop *l)
{
	struct list_node batch = LIST_HEAD_INIT(batch);

	if (!list_empty(&l->tasks)) {
		batch = l->tasks;
		batch.next->prev = &batch;
		batch.prev->next = &batch;
		list_init(&l->tasks);
		while (!list_empty(&batch))
			run_first(&batch);
	}
	stop_if_idle(l);
}

static void run_costly(struct net_loop *l)
{
	for (uint32_t i = 0; i < NET_COSTLY_A_TURN && !list_empty(&l->costly); i++)
		run_first(&l->costly);
}

static void on_prepare(uv_prepare_t *h)
{
	run_tasks(h->data);
}

static void on_check(uv_check_t *h)
{
	run_costly(h->data);
	run_tasks(h->data);
}

static void on_idle(uv_idle_t *h)
{
	(void)h;
}

static void on_timer(uv_timer_t *h)
{
	struct net_loop *l = h->data;

	wheel_run(&l->wheel, net_now(l));
	if (l->wheel.armed == 0)
		uv_timer_stop(h);
}

struct net_loop *net_loop_new(uv_loop_t *uv)
{
	struct net_loop *l = mem_new(struct net_loop);

	l->uv = uv;
	l->read_buf = mem_alloc(NET_READ_BYTES);
	l->plain_buf = mem_alloc(NET_READ_BYTES);
	list_init(&l->tasks);
	list_init(&l->costly);
	wheel_init(&l->wheel, net_now(l));
	uv_prepare_init(uv, &l->prepare);
	uv_check_init(uv, &l->check);
	uv_idle_init(uv, &l->idle);
	uv_timer_init(uv, &l->timer);
	l->prepare.data = l->check.data = l->idle.data = l->timer.data = l;
	uv_prepare_start(&l->prepare, on_prepare);
	uv_check_start(&l->check, on_check);
	return l;
}

static void on_closed(uv_handle_t *h)
{
	struct net_loop *l = h->data;

	if (--l->closing > 0)
		return;
	mem_free(l->read_buf);
	mem_free(l->plain_buf);
	mem_free(l);
}

void net_loop_free(struct net_loop **l)
{
	struct net_loop *it = *l;

	if (!it)
		return;
	it->closing = 4;
	uv_close((uv_handle_t *)&it->prepare, on_closed);
	uv_close((uv_handle_t *)&it->check, on_closed);
	uv_close((uv_handle_t *)&it->idle, on_closed);
	uv_close((uv_handle_t *)&it->timer, on_closed);
	*l = NULL;
}

void net_task_init(struct net_task *t, void (*fn)(struct net_task *t))
{
	list_init(&t->node);
	t->fn = fn;
}

static void defer(struct net_loop *l, struct list_node *list, struct net_task *t)
{
	if (!list_unlinked(&t->node))
		return;
	uv_idle_start(&l->idle, on_idle); /* nothing, when it is active */
	list_push_back(list, &t->node);
}

void net_defer(struct net_loop *l, struct net_task *t)
{
	defer(l, &l->tasks, t);
}

void net_defer_costly(struct net_loop *l, struct net_task *t)
{
	defer(l, &l->costly, t);
}

void net_task_cancel(struct net_task *t)
{
	list_remove(&t->node);
}

void net_timer_set(struct net_loop *l, struct wheel_timer *t, uint64_t in_ms)
{
	if (l->wheel.armed == 0) {
		/* The wheel stood still: without this it would walk through all that time. */
		wheel_run(&l->wheel, net_now(l));
		uv_timer_start(&l->timer, on_timer, WHEEL_TICK_MS, WHEEL_TICK_MS);
	}
	wheel_set(&l->wheel, t, net_now(l) + in_ms);
}

void net_timer_cancel(struct net_loop *l, struct wheel_timer *t)
{
	wheel_cancel(&l->wheel, t);
}
