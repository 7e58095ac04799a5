/* SPDX-License-Identifier: Apache-2.0
 *
 * XEP-0013: what waits behind the tail becomes a list of single messages, so that any of them may be taken out. */
#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/later.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"
#include "services/session-manager/waiters.h"

#define PAGE 500u

uint32_t msglog_waiting(const struct account *a)
{
	return a->log->left.count + (a->log->behind ? a->log->waiting : 0);
}

const struct positions *msglog_left(const struct account *a, uint64_t *out_tail, uint64_t *out_last)
{
	*out_tail = a->log->tail;
	*out_last = a->log->behind ? a->log->last : a->log->tail;
	return &a->log->left;
}

bool msglog_held(const struct account *a)
{
	return a->log && a->log->holder && session_find(a->sm, a->log->holder);
}

static void list_page(struct account *a);

static void list_again(void *ctx)
{
	struct account *a = ctx;

	if (!a->dead && !a->sm->stopping)
		list_page(a);
	account_unpin(a);
}

static void on_page(const struct ipc_result *result, const Starling__LogFetchReply *reply, void *ctx)
{
	struct account *a = ctx;

	if (a->dead || a->sm->stopping) {
		account_unpin(a);
		return;
	}
	if (!ipc_ok(result)) {
		later_again(a->sm, a->log->attempts++, list_again, a);
		return;
	}
	a->log->attempts = 0;
	for (size_t i = 0; i < reply->n_entries; i++) {
		if (!positions_has(&a->log->flight, reply->entries[i]->id))
			positions_add(&a->log->left, reply->entries[i]->id);
		msglog_move_tail(a, reply->entries[i]->id);
	}
	if (reply->complete) {
		a->log->behind = false; /* what is being appended now is handed out, or counted, when it is committed */
		a->log->waiting = 0;
		a->log->listing = false;
		waiters_wake(&a->log->want_list, a);
	} else {
		list_page(a);
	}
	account_unpin(a);
}

static void list_page(struct account *a)
{
	Starling__LogFetchRequest request = STARLING__LOG_FETCH_REQUEST__INIT;

	request.account = a->bare_text;
	request.after = a->log->tail;
	request.received_only = true;
	request.limit = PAGE;
	account_pin(a);
	call_storage_log_fetch(a->sm->bus, ipc_any("storage"), NULL, &request, on_page, a);
}

static void hold(struct account *a, void *ctx)
{
	uint64_t *stream = ctx;

	if (a && session_find(a->sm, *stream) && a->log->holder != *stream) {
		a->log->holder = *stream;
		if (a->log->behind && !a->log->flusher) {
			a->log->listing = true;
			list_page(a);
		}
	}
	mem_free(stream);
}

void msglog_hold_offline(struct session *s)
{
	uint64_t *stream = mem_new(uint64_t);

	*stream = s->stream;
	msglog_with(s->account, hold, stream);
}

void msglog_listed(struct account *a, account_fn fn, void *ctx)
{
	if (a->log->listing)
		waiters_add(&a->log->want_list, fn, ctx);
	else
		fn(a, ctx);
}

void msglog_taken(struct account *a, const uint64_t *ids, size_t n)
{
	bool changed = false;

	for (size_t i = 0; i < n; i++)
		changed = positions_remove(&a->log->left, ids[i]) || changed;
	if (changed)
		msglog_save(a, true);
}
