/* SPDX-License-Identifier: Apache-2.0
 *
 * A page is asked for when the client has nearly all of the one before: so a slow client holds one page, not its whole past. */
#include "services/session-manager/catchup.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/carbons.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/later.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/outbox.h"
#include "services/session-manager/outbox_read.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"

#define PAGE      100u
#define LOW_WATER 20u /* so few unacknowledged, and the next page comes */

#define SKIP UINT32_MAX

struct page {
	struct account *account;
	uint64_t stream;
	uint32_t turn;
};

static void fetch(struct session *s);

static bool someone_at(const struct account *a, struct str resource)
{
	list_for_each (n, &a->sessions) {
		if (str_eq(list_entry(n, struct session, of_account)->resource, resource))
			return true;
	}
	return false;
}

/* In which form this session would have been given it when it was new. */
static uint32_t form_of_received(const struct session *s, const Starling__LogEntry *e)
{
	struct str resource = jid_view_resource(str_from(e->meta->to));

	if (str_eq(resource, s->resource))
		return FORM(PLAIN);
	if (session_takes_messages(s) && (resource.n == 0 || !someone_at(s->account, resource)))
		return FORM(PLAIN);
	if (str_is(s->full, e->meta->from))
		return SKIP;
	return s->carbons && carbon_eligible(e->meta, false) ? FORM(CARBON_RECEIVED) : SKIP;
}

static uint32_t form_of_sent(const struct session *s, const Starling__LogEntry *e)
{
	if (str_eq(jid_view_resource(str_from(e->meta->from)), s->resource))
		return SKIP;
	return s->carbons && carbon_eligible(e->meta, true) ? FORM(CARBON_SENT) : SKIP;
}

/* What waits behind the account's tail, as the store was told, may have been handed out since: to others, or to this very session when it was new. */
static uint32_t form_of_waiting(const struct session *s, const Starling__LogEntry *e)
{
	bool given = s->from && e->id >= s->from && e->id <= s->given && form_of_received(s, e) != SKIP;

	return given || (e->archived && e->id <= s->archive_read) ? SKIP : FORM(DELAYED);
}

static uint32_t form_of(const struct session *s, const Starling__LogEntry *e)
{
	if (e->id <= s->catchup.began)
		return e->received ? form_of_waiting(s, e) : SKIP;
	return e->received ? form_of_received(s, e) : form_of_sent(s, e);
}

static void give(struct session *s, const Starling__LogEntry *e, struct buf *bytes, struct buf *extra)
{
	uint32_t form = form_of(s, e);
	Starling__StanzaMeta meta;
	struct packet p;

	s->catchup.after = e->id;
	if (s->catchup.mode == CATCHUP_OFFLINE)
		msglog_move_tail(s->account, e->id);
	if (form == SKIP || unacked_has(&s->list, e->id))
		return;
	outbox_build(s, e, form, &meta, bytes, extra, &p);
	outbox_give(&s, 1, &p, e->id, form);
	if (form == FORM(PLAIN) || form == FORM(DELAYED))
		msglog_in_flight(s->account, e->id);
	metric_inc(&counters.offline_delivered);
}

static void finish(struct session *s)
{
	struct account *a = s->account;

	if (a->log->flusher == s->stream)
		a->log->flusher = 0;
	/* All that there is behind the tail, is handed out: to this reader at least. */
	if (session_takes_messages(s) && s->catchup.start <= a->log->tail && a->log->flusher == 0) {
		msglog_none_behind(a);
	}
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

static void fetch_again(void *ctx)
{
	struct page *g = ctx;
	struct account *a = g->account;
	struct session *s = a->dead || a->sm->stopping ? NULL : session_find(a->sm, g->stream);

	if (s && s->catchup.turn == g->turn) {
		s->catchup.fetching = false;
		catchup_go_on(s);
	}
	mem_free(g);
	account_unpin(a);
}

static void on_page(const struct ipc_result *result, const Starling__LogFetchReply *reply, void *ctx)
{
	struct page *g = ctx;
	struct account *a = g->account;
	struct session *s = a->dead || a->sm->stopping ? NULL : session_find(a->sm, g->stream);
	struct buf bytes = { 0 }, extra = { 0 };

	if (s && s->catchup.turn != g->turn)
		s = NULL;
	if (s && !ipc_ok(result)) {
		later_run(a->sm, later_backoff_ms(s->catchup.attempts++), fetch_again, g);
		return;
	}
	if (s) {
		s->catchup.fetching = false;
		s->catchup.attempts = 0;
		for (size_t i = 0; i < reply->n_entries; i++) {
			if (reply->entries[i]->meta)
				give(s, reply->entries[i], &bytes, &extra);
		}
		if (!reply->complete)
			s->catchup.again = true;
		catchup_go_on(s);
	}
	buf_fini(&bytes);
	buf_fini(&extra);
	mem_free(g);
	account_unpin(a);
}

static void fetch(struct session *s)
{
	struct account *a = s->account;
	struct page *g = mem_new(struct page);
	Starling__LogFetchRequest request = STARLING__LOG_FETCH_REQUEST__INIT;

	*g = (struct page){ .account = a, .stream = s->stream, .turn = s->catchup.turn };
	request.account = a->bare_text;
	request.after = s->catchup.after;
	request.limit = PAGE;
	s->catchup.fetching = true;
	s->catchup.again = false;
	account_pin(a);
	call_storage_log_fetch(a->sm->bus, ipc_any("storage"), NULL, &request, on_page, g);
}

void catchup_go_on(struct session *s)
{
	struct catchup *c = &s->catchup;

	if (c->mode == CATCHUP_NONE || c->fetching || !session_live(s) || s->list.count > LOW_WATER)
		return;
	if (c->again)
		fetch(s);
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
	return true;
}

void catchup_expect(struct session *s)
{
	if (session_takes_messages(s) && s->catchup.mode == CATCHUP_NONE && msglog_ready(s->account))
		set_from(s);
}

static void offline(struct account *a, void *ctx)
{
	struct page *g = ctx;
	struct session *s = a ? session_find(a->sm, g->stream) : NULL;
	struct session *busy;

	mem_free(g);
	if (!s || !session_takes_messages(s) || s->catchup.mode != CATCHUP_NONE)
		return;
	if (set_from(s))
		session_save_later(s);
	if (!msglog_held(a))
		give_left(a, s);
	if (!may_read(a))
		return;
	busy = a->log->flusher ? session_find(a->sm, a->log->flusher) : NULL;
	if (busy)
		cancel(busy);
	begin_offline(s);
}

void catchup_offline(struct session *s)
{
	struct page *g = mem_new(struct page);

	g->stream = s->stream;
	msglog_with(s->account, offline, g);
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
	if (s->catchup.mode == CATCHUP_OFFLINE && reader_of(s->account))
		catchup_stop(s);
}

void catchup_stop(struct session *s)
{
	struct account *a = s->account;
	struct session *other;

	/* What it has not read, nobody may have been given. */
	if (a->log && s->catchup.mode == CATCHUP_REBUILD) {
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
