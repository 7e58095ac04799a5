/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/catchup_page.h"

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
#include "services/session-manager/sm.h"

#define PAGE 100u
#define SKIP UINT32_MAX

struct page {
	struct account *account;
	uint64_t stream;
	uint32_t turn;
};

/* --- in which form --- */

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

	return given || session_has_read(s, e->id, e->archived) ? SKIP : FORM(DELAYED);
}

static uint32_t form_of(const struct session *s, const Starling__LogEntry *e)
{
	if (e->id <= s->catchup.began)
		return e->received ? form_of_waiting(s, e) : SKIP;
	return e->received ? form_of_received(s, e) : form_of_sent(s, e);
}

/* --- reading --- */

/* It has become a reader in the middle: from here on it is given all, and what waits is read once more as far as it was passed over. */
static void note_reader(struct session *s, uint64_t id)
{
	if (s->catchup.mode == CATCHUP_REBUILD && !s->catchup.reader && session_takes_messages(s) && !s->from)
		s->from = id;
}

static void give(struct session *s, const Starling__LogEntry *e, struct buf *bytes, struct buf *extra)
{
	uint32_t form = form_of(s, e);
	Starling__StanzaMeta meta;
	struct packet p;

	note_reader(s, e->id);
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

static void fetch_again(void *ctx)
{
	struct page *g = ctx;
	struct account *a = g->account;
	struct session *s = a->dead || a->sm->stopping ? NULL : session_find(a->sm, g->stream);

	if (s && s->catchup.turn == g->turn) {
		s->catchup.fetching = false;
		s->catchup.again = true; /* nothing of the page has been read */
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
		later_again(a->sm, s->catchup.attempts++, fetch_again, g);
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

void catchup_page_fetch(struct session *s)
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
