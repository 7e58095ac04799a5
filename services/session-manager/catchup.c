/* SPDX-License-Identifier: Apache-2.0
 *
 * A page is asked for when the client has nearly all of the one before: so a slow client holds one page, not its whole past. */
#include "services/session-manager/catchup.h"

#include "common/base/mem.h"
#include "services/session-manager/account.h"
#include "services/session-manager/catchup_page.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/outbox.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"

#define LOW_WATER 20u /* so few unacknowledged, and the next page comes */

static void finish(struct session *s)
{
	struct account *a = s->account;

	if (a->log->flusher == s->stream)
		a->log->flusher = 0;
	/* All that there is behind the tail, is handed out: to this reader at least. */
	if (s->catchup.reader && s->catchup.start <= a->log->tail && a->log->flusher == 0)
		msglog_none_behind(a);
	s->catchup.mode = CATCHUP_NONE;
	if (s->catchup.after > s->given)
		s->given = s->catchup.after;
	if (s->list.count == 0 && s->given > s->cursor)
		s->cursor = s->given;
	msglog_save(a, false);
	session_save(s);
	if (session_takes_messages(s) && (a->log->behind || a->log->left.count) && !msglog_held(a))
		catchup_offline(s);
}

void catchup_go_on(struct session *s)
{
	struct catchup *c = &s->catchup;

	if (c->mode == CATCHUP_NONE || c->fetching || !session_live(s) || s->list.count > LOW_WATER)
		return;
	if (c->again)
		catchup_page_fetch(s);
	else if (s->account->appending == 0) /* else what is being appended now tells (catchup_committed) */
		finish(s);
}

static void begin(struct session *s, enum catchup_mode mode, uint64_t after)
{
	s->catchup = (struct catchup){
		.mode = mode,
		.start = after,
		.after = after,
		.began = mode == CATCHUP_OFFLINE ? s->account->log->last : after,
		.turn = s->catchup.turn + 1,
		.again = true,
		.reader = session_takes_messages(s),
	};
	catchup_go_on(s);
}

void catchup_rebuild(struct session *s, uint64_t after)
{
	begin(s, CATCHUP_REBUILD, after);
}

/* A reader with nothing else to catch up with. */
static struct session *reader_of(struct account *a)
{
	list_for_each (n, &a->sessions) {
		struct session *s = list_entry(n, struct session, of_account);

		if (session_takes_messages(s) && session_live(s) && s->catchup.mode == CATCHUP_NONE)
			return s;
	}
	return NULL;
}

static void give_left(struct account *a, struct session *s)
{
	struct positions left = a->log->left;

	if (left.count == 0)
		return;
	a->log->left = (struct positions){ 0 };
	for (uint32_t i = 0; i < left.count; i++) {
		if (!unacked_has(&s->list, left.at[i]))
			unacked_push(&s->list, left.at[i], FORM(DELAYED), NULL, false);
		msglog_in_flight(a, left.at[i]);
	}
	positions_fini(&left);
	outbox_pump(s);
}

void catchup_left(struct account *a)
{
	struct session *s = a->log && a->log->left.count && !msglog_held(a) ? reader_of(a) : NULL;

	if (s)
		give_left(a, s);
}

static void cancel(struct session *s)
{
	s->from = 0; /* what comes next passes what it has not read */
	s->catchup.mode = CATCHUP_NONE;
	s->catchup.turn++;
}

/* What waited is read by another from now on. What came while it was reading was left to it alone: it reads that when its client is back. */
static void keep_own(struct session *s)
{
	struct catchup *c = &s->catchup;
	uint64_t from = c->after > c->began ? c->after : c->began;

	cancel(s);
	*c = (struct catchup){
		.mode = CATCHUP_REBUILD, .start = from, .after = from, .began = from, .turn = c->turn, .again = true, .reader = c->reader
	};
}

static void begin_offline(struct session *s)
{
	struct msglog *log = s->account->log;

	log->flusher = s->stream;
	if (log->tail < s->cursor)
		s->cursor = log->tail;
	begin(s, CATCHUP_OFFLINE, log->tail);
}

/* Whose client is away does not hold up others. */
static bool may_read(const struct account *a)
{
	const struct session *busy = a->log->flusher ? session_find(a->sm, a->log->flusher) : NULL;

	return a->log->behind && !msglog_held(a) && (!busy || !session_live(busy));
}

/* What comes from now on, it is given in the order of the log: from the tail on if it reads what waits, else what is new. */
static bool set_from(struct session *s)
{
	struct msglog *log = s->account->log;
	uint64_t from = may_read(s->account) ? log->tail : log->last;

	if (s->from)
		return false;
	s->from = (from > s->given ? from : s->given) + 1;
	/* Before a record says the one without the other: what is behind the cursor of a new session is not what it has been given. */
	if (s->cursor >= s->from)
		s->cursor = s->from - 1;
	return true;
}

void catchup_expect(struct session *s)
{
	if (session_takes_messages(s) && s->catchup.mode == CATCHUP_NONE && msglog_ready(s->account))
		set_from(s);
}

static void offline(struct account *a, void *ctx)
{
	uint64_t *stream = ctx;
	struct session *s = a ? session_find(a->sm, *stream) : NULL;
	struct session *busy;

	mem_free(stream);
	if (!s || !session_takes_messages(s) || s->catchup.mode != CATCHUP_NONE)
		return;
	if (set_from(s))
		session_save_later(s);
	if (!msglog_held(a))
		give_left(a, s);
	if (!may_read(a))
		return;
	busy = a->log->flusher ? session_find(a->sm, a->log->flusher) : NULL;
	if (busy && busy->catchup.mode == CATCHUP_OFFLINE)
		keep_own(busy);
	begin_offline(s);
}

void catchup_offline(struct session *s)
{
	uint64_t *stream = mem_new(uint64_t);

	*stream = s->stream;
	msglog_with(s->account, offline, stream);
}

bool catchup_reads(const struct session *s, uint64_t log_id)
{
	return log_id > s->catchup.began && (s->catchup.mode != CATCHUP_NONE || log_id <= s->catchup.after);
}

void catchup_committed(struct account *a)
{
	list_for_each (n, &a->sessions) {
		struct session *s = list_entry(n, struct session, of_account);

		if (s->catchup.mode == CATCHUP_NONE)
			continue;
		s->catchup.again = true;
		catchup_go_on(s);
	}
}

void catchup_park(struct session *s)
{
	struct account *a = s->account;
	struct session *other = s->catchup.mode == CATCHUP_OFFLINE ? reader_of(a) : NULL;

	if (!other)
		return;
	keep_own(s);
	if (a->log->flusher == s->stream)
		a->log->flusher = 0;
	a->log->behind = true;
	catchup_offline(other);
}

void catchup_stop(struct session *s, bool was_reader)
{
	struct account *a = s->account;
	struct session *other;

	/* What it has read is handed out, as at its end; what it has not, nobody may have been given. */
	if (a->log && s->catchup.mode == CATCHUP_REBUILD) {
		if (was_reader && s->catchup.start <= a->log->tail && a->log->flusher == 0)
			msglog_move_tail(a, s->catchup.after);
		a->log->behind = true;
		if (s->catchup.after < a->log->tail)
			a->log->tail = s->catchup.after;
	}
	cancel(s);
	if (!a->log || a->log->flusher != s->stream)
		return;
	a->log->flusher = 0;
	a->log->behind = true;
	other = reader_of(a);
	if (other && other != s)
		catchup_offline(other);
}
