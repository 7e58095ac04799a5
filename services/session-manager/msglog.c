/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/msglog.h"

#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/later.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"
#include "services/session-manager/waiters.h"

#define LOAD_DEADLINE_MS 10000

static void prefs_free(struct archive_prefs *p)
{
	for (uint32_t i = 0; i < p->always_count; i++)
		mem_free(p->always[i]);
	for (uint32_t i = 0; i < p->never_count; i++)
		mem_free(p->never[i]);
	mem_free(p->always);
	mem_free(p->never);
	*p = (struct archive_prefs){ 0 };
}

void msglog_free(struct msglog **out)
{
	struct msglog *log = *out;

	*out = NULL;
	if (!log)
		return;
	if (!list_unlinked(&log->dirty))
		list_remove(&log->dirty);
	positions_fini(&log->flight);
	positions_fini(&log->left);
	prefs_free(&log->prefs);
	mem_free(log);
}

/* --- loading --- */

static struct msglog *log_of(struct account *a)
{
	if (!a->log) {
		a->log = mem_new(struct msglog);
		a->log->account = a;
		list_init(&a->log->want);
		list_init(&a->log->want_list);
		list_init(&a->log->dirty);
	}
	return a->log;
}

static char **copy_texts(char **texts, size_t n)
{
	char **copy = n ? mem_alloc(n * sizeof(*copy)) : NULL;

	for (size_t i = 0; i < n; i++)
		copy[i] = mem_strdup(texts[i]);
	return copy;
}

static void take_state(struct msglog *log, const Starling__LogState *s)
{
	log->last = s->last;
	if (log->tail < s->delivered)
		log->tail = s->delivered;
	log->waiting = s->waiting;
	log->stored = s->delivered;
	log->stored_plain = s->n_holes == 0;
	log->behind = s->waiting > 0 && log->last > log->tail;
	for (size_t i = 0; i < s->n_holes; i++)
		positions_add(&log->left, s->holes[i]);
	prefs_free(&log->prefs);
	if (!s->prefs)
		return;
	log->prefs.fallback = s->prefs->default_;
	log->prefs.always = copy_texts(s->prefs->always, s->prefs->n_always);
	log->prefs.always_count = (uint32_t)s->prefs->n_always;
	log->prefs.never = copy_texts(s->prefs->never, s->prefs->n_never);
	log->prefs.never_count = (uint32_t)s->prefs->n_never;
}

static void try_open(void *ctx);

static void on_opened(const struct ipc_result *result, const Starling__LogState *state, void *ctx)
{
	struct account *a = ctx;
	struct msglog *log = a->log;

	if (a->dead || a->sm->stopping) {
		account_unpin(a);
		return;
	}
	if (!ipc_ok(result) && result->code != CODE(NOT_FOUND)) {
		later_again(a->sm, log->attempts++, try_open, a);
		return;
	}
	if (state)
		take_state(log, state);
	log->load = ACCOUNT_LOADED;
	log->attempts = 0;
	waiters_wake(&log->want, a);
	/* What does not exist may be made at any moment. */
	if (!state && !a->dead)
		log->load = ACCOUNT_UNKNOWN;
	account_unpin(a);
}

struct raising {
	struct account *account;
	uint64_t epoch;
};

static void on_fence(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct raising *r = ctx;
	struct account *a = r->account;

	(void)reply;
	/* UNSUPPORTED by a storage of before the log: there is none to read either, until a newer one is there. */
	if (ipc_ok(result))
		a->sm->fenced[a->slot] = r->epoch;
	else if (result->code == CODE(FENCED) && !a->dead && !a->sm->stopping)
		ownership_fenced(a->sm, a->slot);
	if (ipc_ok(result) && !a->dead && !a->sm->stopping)
		try_open(a);
	else
		later_again(a->sm, a->log->attempts++, try_open, a);
	mem_free(r);
}

/* What a former owner still has on its way into the log is there, or never will be, when this is answered. */
static void raise_fence(struct account *a)
{
	struct raising *r = mem_new(struct raising);
	Starling__LogFenceRequest request = STARLING__LOG_FENCE_REQUEST__INIT;
	Starling__Fence fence = STARLING__FENCE__INIT;

	r->account = a;
	r->epoch = ownership_epoch(a->sm, a->slot);
	fence.slot = a->slot;
	fence.epoch = r->epoch;
	request.fence = &fence;
	call_storage_log_fence(a->sm->bus, ipc_any("storage"), NULL, &request, on_fence, r);
}

static void try_open(void *ctx)
{
	struct account *a = ctx;
	struct ipc_opts opts = { .deadline_ms = LOAD_DEADLINE_MS };
	Starling__AccountKey request = STARLING__ACCOUNT_KEY__INIT;

	if (a->dead || a->sm->stopping) {
		account_unpin(a);
		return;
	}
	if (a->sm->fenced[a->slot] != ownership_epoch(a->sm, a->slot)) {
		raise_fence(a);
		return;
	}
	request.account = a->bare_text;
	call_storage_log_open(a->sm->bus, ipc_any("storage"), &opts, &request, on_opened, a);
}

bool msglog_ready(const struct account *a)
{
	return a->log && a->log->load == ACCOUNT_LOADED && list_empty(&a->log->want);
}

void msglog_with(struct account *a, account_fn fn, void *ctx)
{
	struct msglog *log = log_of(a);

	if (msglog_ready(a)) {
		fn(a, ctx);
		return;
	}
	waiters_add(&log->want, fn, ctx);
	if (log->load != ACCOUNT_UNKNOWN)
		return;
	log->load = ACCOUNT_LOADING;
	account_pin(a);
	try_open(a);
}

/* --- preferences --- */

const struct archive_prefs *msglog_prefs(const struct account *a)
{
	return a->log && a->log->load == ACCOUNT_LOADED ? &a->log->prefs : NULL;
}

void msglog_set_prefs(struct account *a, struct archive_prefs *fresh)
{
	struct msglog *log = log_of(a);

	prefs_free(&log->prefs);
	log->prefs = *fresh;
	*fresh = (struct archive_prefs){ 0 };
}

/* --- where messages are --- */

bool msglog_committed(struct account *a, uint64_t id)
{
	if (id <= a->log->last)
		return false;
	a->log->last = id;
	return true;
}

void msglog_in_flight(struct account *a, uint64_t id)
{
	positions_remove(&a->log->left, id);
	positions_add(&a->log->flight, id);
}

void msglog_move_tail(struct account *a, uint64_t tail)
{
	if (tail > a->log->tail)
		a->log->tail = tail;
}

void msglog_acked(struct account *a, uint64_t id)
{
	if (a->log && (positions_remove(&a->log->flight, id) || positions_remove(&a->log->left, id)))
		msglog_save(a, false);
}

void msglog_orphan(struct account *a, uint64_t id)
{
	if (!a->log || !positions_remove(&a->log->flight, id))
		return;
	positions_add(&a->log->left, id);
	msglog_save(a, false);
}

bool msglog_on_list(const struct account *a, uint64_t id)
{
	list_for_each (n, &a->sessions) {
		if (unacked_has(&list_entry(n, struct session, of_account)->list, id))
			return true;
	}
	return false;
}

void msglog_orphan_unlisted(struct account *a)
{
	struct positions *f = a->log ? &a->log->flight : NULL;

	for (uint32_t i = f ? f->count : 0; i-- > 0;) {
		if (i < f->count && !msglog_on_list(a, f->at[i]))
			msglog_orphan(a, f->at[i]);
	}
}

void msglog_keep_behind(struct account *a)
{
	a->log->behind = true;
	a->log->waiting++;
}

void msglog_none_behind(struct account *a)
{
	msglog_move_tail(a, a->log->last);
	a->log->behind = false;
	a->log->waiting = 0;
}

void msglog_archive_read(struct account *a, struct session *s, uint64_t up_to)
{
	(void)a;
	if (!s->available && up_to > s->archive_read)
		s->archive_read = up_to;
}
