/* SPDX-License-Identifier: Apache-2.0
 *
 * Life of an account object: table, waiters, pins, eviction. Loading is account_load.c. */
#include "services/session-manager/account.h"

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "services/session-manager/account_load.h"
#include "services/session-manager/append.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/roster.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"
#include "services/session-manager/waiters.h"

struct account *account_find(struct sm *sm, struct str bare)
{
	for (struct table_node *n = table_first(&sm->accounts, hash_fnv1a64(bare)); n; n = table_next(n)) {
		struct account *a = table_entry(n, struct account, by_bare);

		if (str_eq(a->bare, bare))
			return a;
	}
	return NULL;
}

static void evict(struct sm *sm)
{
	/* Never the one that is being worked on: it stands at the other end. */
	while (sm->idle_count > (size_t)sm->options->accounts_max)
		account_drop(list_entry(sm->idle.next, struct account, idle));
}

struct account *account_get(struct sm *sm, struct str bare)
{
	struct account *a = account_find(sm, bare);

	if (a) {
		account_touch(a);
		return a;
	}
	evict(sm);
	a = mem_new(struct account);
	a->sm = sm;
	a->bare_text = mem_strndup(bare.p, bare.n);
	a->bare = str_make(a->bare_text, bare.n);
	a->slot = hash_slot(bare);
	list_init(&a->idle);
	list_init(&a->sessions);
	list_init(&a->want_sessions);
	list_init(&a->want_roster);
	list_init(&a->serial);
	table_insert(&sm->accounts, &a->by_bare, hash_fnv1a64(bare));
	account_touch(a);
	return a;
}

static void account_free(struct account *a)
{
	roster_free(&a->roster);
	msglog_free(&a->log);
	mem_free(a->last_status);
	mem_free(a->bare_text);
	mem_free(a);
}

static void leave_idle(struct account *a)
{
	if (list_unlinked(&a->idle))
		return;
	list_remove(&a->idle);
	a->sm->idle_count--;
}

void account_pin(struct account *a)
{
	a->pins++;
	leave_idle(a);
}

void account_unpin(struct account *a)
{
	if (--a->pins > 0)
		return;
	if (a->dead)
		account_free(a);
	else
		account_touch(a);
}

void account_touch(struct account *a)
{
	leave_idle(a);
	if (a->dead || a->pins > 0 || !list_empty(&a->sessions))
		return;
	list_push_back(&a->sm->idle, &a->idle);
	a->sm->idle_count++;
}

static void serial_ready(struct account *a, void *ctx);

static void serial_next(struct account *a)
{
	account_fn fn;
	void *ctx;

	if (a->serial_busy || list_empty(&a->serial) || a->dead)
		return;
	if (a->roster_load != ACCOUNT_LOADED) {
		account_with_roster(a, serial_ready, NULL);
		return;
	}
	waiters_pop(&a->serial, &fn, &ctx);
	a->serial_busy = true;
	account_pin(a);
	fn(a, ctx);
}

void account_loaded(struct account *a)
{
	account_pin(a);
	if (a->sessions_load == ACCOUNT_LOADED)
		waiters_wake(&a->want_sessions, a);
	if (a->roster_load == ACCOUNT_LOADED)
		waiters_wake(&a->want_roster, a);
	account_unpin(a);
}

void account_with_sessions(struct account *a, account_fn fn, void *ctx)
{
	if (a->sessions_load == ACCOUNT_LOADED && list_empty(&a->want_sessions)) {
		fn(a, ctx);
		return;
	}
	waiters_add(&a->want_sessions, fn, ctx);
	account_load_sessions(a);
}

void account_with_roster(struct account *a, account_fn fn, void *ctx)
{
	if (a->roster_load == ACCOUNT_LOADED && list_empty(&a->want_roster)) {
		fn(a, ctx);
		return;
	}
	waiters_add(&a->want_roster, fn, ctx);
	account_load_roster(a);
}

static void serial_ready(struct account *a, void *ctx)
{
	(void)ctx;
	if (a)
		serial_next(a);
}

void account_serial(struct account *a, account_fn fn, void *ctx)
{
	waiters_add(&a->serial, fn, ctx);
	serial_next(a);
}

bool account_quiet(const struct account *a)
{
	return a->roster_load == ACCOUNT_LOADED && !a->serial_busy && list_empty(&a->serial) && list_empty(&a->want_roster);
}

void account_serial_done(struct account *a)
{
	a->serial_busy = false;
	serial_next(a);
	account_unpin(a);
}

void account_drop(struct account *a)
{
	if (a->dead)
		return;
	account_pin(a);
	a->dead = true;
	table_remove(&a->sm->accounts, &a->by_bare);
	list_for_each_safe (n, &a->sessions)
		session_free(list_entry(n, struct session, of_account));
	append_abandon(a);
	if (a->log) {
		waiters_wake(&a->log->want, a);
		waiters_wake(&a->log->want_list, a);
	}
	waiters_wake(&a->want_sessions, a);
	waiters_wake(&a->want_roster, a);
	waiters_wake(&a->serial, a);
	account_unpin(a);
}

void account_drop_slots(struct sm *sm, const bool slots[])
{
	struct account **all = mem_alloc((sm->accounts.count + 1) * sizeof(struct account *));
	size_t count = 0;

	/* Collected first: dropping one account re-routes what waits for it, which may make others. */
	for (size_t i = 0; i < sm->accounts.size; i++) {
		for (struct table_node *n = sm->accounts.buckets[i]; n; n = n->next) {
			struct account *a = table_entry(n, struct account, by_bare);

			if (slots[a->slot]) {
				account_pin(a);
				all[count++] = a;
			}
		}
	}
	for (size_t i = 0; i < count; i++) {
		account_drop(all[i]);
		account_unpin(all[i]);
	}
	mem_free(all);
}
