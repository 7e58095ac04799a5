/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/waiters.h"

#include "common/base/mem.h"

struct waiter {
	struct list_node node;
	account_fn fn;
	void *ctx;
};

void waiters_add(struct list_node *waiters, account_fn fn, void *ctx)
{
	struct waiter *w = mem_new(struct waiter);

	w->fn = fn;
	w->ctx = ctx;
	list_push_back(waiters, &w->node);
}

bool waiters_pop(struct list_node *waiters, account_fn *out_fn, void **out_ctx)
{
	struct waiter *w;

	if (list_empty(waiters))
		return false;
	w = list_entry(waiters->next, struct waiter, node);
	*out_fn = w->fn;
	*out_ctx = w->ctx;
	list_remove(&w->node);
	mem_free(w);
	return true;
}

void waiters_wake(struct list_node *waiters, struct account *a)
{
	struct list_node all;
	account_fn fn;
	void *ctx;

	list_take(waiters, &all);
	while (waiters_pop(&all, &fn, &ctx))
		fn(a->dead ? NULL : a, ctx);
}
