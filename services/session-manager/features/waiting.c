/* SPDX-License-Identifier: Apache-2.0
 *
 * Some of what waits is known by its position, the rest is all that is behind the tail. */
#include "services/session-manager/features/waiting.h"

#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

#define PAGE 100

static void fetch(struct waiting *w);

static void finish(struct waiting *w, int code)
{
	archive_line_leave(&w->turn);
	w->done(w, code);
	if (w->account)
		account_unpin(w->account);
	buf_fini(&w->out);
	mem_free(w->ids);
	mem_free(w);
}

/* What is asked for goes in one piece: nothing is shown of it when a part of it is not there. */
static size_t piece(const struct waiting *w)
{
	size_t left = w->ids_n - w->ids_read, most = w->asked_n ? WAITING_ASKED_MAX : PAGE;

	return left < most ? left : most;
}

/* Behind what has been shown: the first n entries, or all that there is. */
static void advance(struct waiting *w, const Starling__LogFetchReply *reply, size_t n)
{
	bool all = n == reply->n_entries && (reply->complete || n == 0);
	uint64_t newest = n ? reply->entries[n - 1]->id : 0;
	size_t end = w->ids_read + piece(w);

	if (w->ids_read == w->ids_n)
		w->after = all ? w->last : n ? newest : w->after;
	else if (all)
		w->ids_read = end;
	else
		while (w->ids_read < end && w->ids[w->ids_read] <= newest)
			w->ids_read++;
}

/* How many entries it got through: not all where the client must first take some. *out_enough: the rest is not wanted. */
static size_t show(struct waiting *w, const Starling__LogFetchReply *reply, bool *out_enough)
{
	bool behind = w->ids_read == w->ids_n;
	size_t i;

	*out_enough = false;
	for (i = 0; i < reply->n_entries && !*out_enough; i++) {
		const Starling__LogEntry *e = reply->entries[i];

		if (!e->meta || !e->received || (behind && e->id > w->last))
			continue;
		if (w->sends && !archive_line_room(&w->turn))
			break;
		w->seen++;
		*out_enough = !w->each(w, e);
	}
	return i;
}

static void go_on(struct archive_turn *t)
{
	fetch((struct waiting *)t);
}

static void on_page(const struct ipc_result *result, const Starling__LogFetchReply *reply, void *ctx)
{
	struct waiting *w = ctx;
	bool enough;

	if (!ipc_ok(result)) {
		finish(w, result->code);
		return;
	}
	if (w->asked_n && reply->complete && w->seen + reply->n_entries < w->asked_n) {
		finish(w, CODE(NOT_FOUND));
		return;
	}
	advance(w, reply, show(w, reply, &enough));
	if (enough)
		finish(w, CODE(OK));
	else
		archive_line_wait(&w->turn, go_on);
}

static void fetch(struct waiting *w)
{
	Starling__LogFetchRequest request = STARLING__LOG_FETCH_REQUEST__INIT;

	request.account = w->account->bare_text;
	request.received_only = true;
	if (w->turn.iq->sm->stopping) {
		finish(w, CODE(UNAVAILABLE));
		return;
	}
	if (w->ids_read < w->ids_n) {
		request.ids = w->ids + w->ids_read;
		request.n_ids = piece(w);
		request.limit = WAITING_ASKED_MAX;
	} else if (w->after < w->last) {
		request.after = w->after;
		request.limit = PAGE;
	} else {
		finish(w, w->seen < w->asked_n ? CODE(NOT_FOUND) : CODE(OK));
		return;
	}
	call_storage_log_fetch(w->turn.iq->sm->bus, ipc_any("storage"), &(struct ipc_opts){ .trace = w->turn.iq->trace }, &request, on_page,
	                       w);
}

static bool is_left(const struct positions *left, uint64_t id)
{
	size_t from = 0, to = left->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (left->at[middle] < id)
			from = middle + 1;
		else
			to = middle;
	}
	return from < left->count && left->at[from] == id;
}

static bool all_wait(const struct waiting *w, const struct positions *left, uint64_t tail, uint64_t last)
{
	for (size_t i = 0; i < w->asked_n; i++) {
		bool behind = w->asked[i] > tail && w->asked[i] <= last;

		if (!behind && !is_left(left, w->asked[i]))
			return false;
	}
	return true;
}

static void loaded(struct account *a, void *ctx)
{
	struct waiting *w = ctx;
	const struct positions *left;
	uint64_t tail, last;

	if (!a) {
		finish(w, CODE(WRONG_OWNER));
		return;
	}
	w->account = a;
	account_pin(a);
	left = msglog_left(a, &tail, &last);
	if (w->asked_n && !all_wait(w, left, tail, last)) {
		finish(w, CODE(NOT_FOUND));
		return;
	}
	w->ids_n = w->asked_n ? w->asked_n : left->count;
	if (w->ids_n)
		w->ids = mem_memdup(w->asked_n ? w->asked : left->at, w->ids_n * sizeof(*w->ids));
	if (!w->asked_n) {
		w->after = tail;
		w->last = last;
	}
	fetch(w);
}

static void run(struct archive_turn *t)
{
	struct session *s = session_find(t->iq->sm, t->iq->stream);

	if (s && !t->iq->sm->stopping)
		msglog_with(s->account, loaded, t);
	else
		loaded(NULL, t);
}

void waiting_read(struct waiting *w)
{
	w->turn.run = run;
	if (archive_line_enter(&w->turn))
		return;
	iq_error(w->turn.iq, "resource-constraint", "Too many requests at a time.");
	buf_fini(&w->out);
	mem_free(w);
}
