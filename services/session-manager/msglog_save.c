/* SPDX-License-Identifier: Apache-2.0
 *
 * msglog_save: the account's cursor is written behind: a lost write means that messages come again, with the same stanza-id. */
#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/later.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/sm.h"

#define SAVE_MS   5000
#define HOLES_MAX 1000u

/* What the store is to know. With too many holes the mark goes down instead: some come twice then, none is missed. */
static uint64_t fill(const struct msglog *log, uint64_t *holes, size_t *out_n)
{
	uint32_t i = 0, k = 0, n = 0;
	const struct positions *f = &log->flight, *l = &log->left;

	while (i < f->count || k < l->count) {
		uint64_t next = k == l->count || (i < f->count && f->at[i] < l->at[k]) ? f->at[i++] : l->at[k++];

		if (next > log->tail)
			break;
		if (n == HOLES_MAX) {
			*out_n = 0;
			return holes[0] - 1;
		}
		holes[n++] = next;
	}
	*out_n = n;
	return log->tail;
}

static void write_now(struct account *a);

static void on_written(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct account *a = ctx;

	(void)reply;
	a->sm->slot_work[a->slot]--;
	if (!a->dead && !a->sm->stopping) {
		a->log->writing = false;
		a->log->stored_plain = ipc_ok(result) && a->log->sent_plain;
		if (result->code == CODE(FENCED))
			ownership_fenced(a->sm, a->slot);
		else if (a->log->written_again)
			write_now(a);
		else if (!ipc_ok(result) && result->code != CODE(NOT_FOUND))
			msglog_save(a, false);
	}
	account_unpin(a);
}

/* Who logs in and out and got nothing costs the store no write. */
static void write_now(struct account *a)
{
	struct msglog *log = a->log;
	Starling__LogDeliveredRequest request = STARLING__LOG_DELIVERED_REQUEST__INIT;
	Starling__Fence fence = STARLING__FENCE__INIT;
	uint64_t holes[HOLES_MAX];

	if (!list_unlinked(&log->dirty))
		list_remove(&log->dirty);
	log->written_again = log->writing;
	if (log->writing || a->sm->stopping || !ownership_epoch(a->sm, a->slot))
		return;
	request.delivered = fill(log, holes, &request.n_holes);
	if (log->stored_plain && request.n_holes == 0 && request.delivered == log->stored)
		return;
	log->stored = request.delivered;
	log->sent_plain = request.n_holes == 0;
	log->stored_plain = false;
	fence.slot = a->slot;
	fence.epoch = ownership_epoch(a->sm, a->slot);
	request.account = a->bare_text;
	request.holes = holes;
	request.fence = &fence;
	log->writing = true;
	a->sm->slot_work[a->slot]++;
	account_pin(a);
	call_storage_log_delivered(a->sm->bus, ipc_any("storage"), NULL, &request, on_written, a);
}

static void save_dirty(void *ctx)
{
	struct sm *sm = ctx;

	sm->saving_logs = false;
	msglog_save_all(sm);
}

void msglog_save_all(struct sm *sm)
{
	struct list_node all;

	list_take(&sm->dirty_logs, &all);
	while (!list_empty(&all)) {
		struct msglog *log = list_entry(all.next, struct msglog, dirty);

		list_remove(&log->dirty);
		write_now(log->account);
	}
}

void msglog_save(struct account *a, bool now)
{
	struct sm *sm = a->sm;

	if (now) {
		write_now(a);
		return;
	}
	if (list_unlinked(&a->log->dirty))
		list_push_back(&sm->dirty_logs, &a->log->dirty);
	if (sm->saving_logs || sm->stopping)
		return;
	sm->saving_logs = true;
	later_run(sm, SAVE_MS, save_dirty, sm);
}

void msglog_init(struct sm *sm)
{
	list_init(&sm->dirty_logs);
}
