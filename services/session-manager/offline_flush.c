/* SPDX-License-Identifier: Apache-2.0
 *
 * A page is fetched when the one before was written by the edge; so at most one page of a user's messages is in memory. */
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/stanza.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/later.h"
#include "services/session-manager/offline_impl.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

#define PAGE             100
#define WRITE_TIMEOUT_MS 30000

static void fetch(struct account *a);

bool offline_flushing(const struct account *a)
{
	return a->offline && a->offline->stream != 0;
}

bool offline_flushing_to(const struct account *a, const struct session *s)
{
	return a->offline && s && a->offline->stream == s->stream;
}

/* What is in line for the store belongs behind the page that was fetched last. */
static bool more_expected(const struct offline *o)
{
	return o->again || o->appending || !list_empty(&o->appends);
}

static void stop(struct offline *o)
{
	o->stream = 0;
	o->turn++;
}

void offline_stored(struct account *a)
{
	a->offline->empty = false;
	a->offline->again = true;
	if (a->offline->stream && !a->offline->fetching && a->offline->unwritten == 0)
		fetch(a);
}

void offline_settle(struct account *a)
{
	struct offline *o = a->offline;

	if (!o->stream || o->fetching || o->unwritten > 0 || more_expected(o))
		return;
	o->empty = true;
	stop(o);
}

static bool send_one(struct session *s, const Starling__StoredMessage *m)
{
	struct account *a = s->account;
	struct packet p = { .meta = m->meta, .bytes = str_make(m->stanza.data, m->stanza.len) };
	struct buf delay = { 0 };
	bool ok;

	stanza_delay(&delay, m->time_us, jid_view_domain(a->bare), STR(""));
	p.extra = buf_str(&delay);
	ok = deliver_to_session(s, &p, m->id);
	buf_fini(&delay);
	return ok;
}

struct timeout {
	struct account *account;
	uint64_t turn;
};

/* The edge has not confirmed in time: newer messages are not held up any longer. What was not confirmed comes again at the next login. */
static void on_timeout(void *ctx)
{
	struct timeout *t = ctx;
	struct account *a = t->account;

	if (a->offline && a->offline->turn == t->turn && a->offline->unwritten > 0)
		stop(a->offline);
	mem_free(t);
	account_unpin(a);
}

static void watch(struct account *a)
{
	struct timeout *t = mem_new(struct timeout);

	t->account = a;
	t->turn = ++a->offline->turn;
	account_pin(a);
	later_run(a->sm, WRITE_TIMEOUT_MS, on_timeout, t);
}

static void page_sent(struct account *a, const Starling__OfflineFetchReply *reply)
{
	struct offline *o = a->offline;

	if (o->unwritten > 0) {
		o->again = o->again || !reply->complete;
		watch(a);
	} else if (o->again || !reply->complete) {
		fetch(a);
	} else {
		offline_settle(a);
	}
}

static void fetch_again(void *ctx)
{
	struct account *a = ctx;

	a->offline->fetching = false;
	if (!a->dead && !a->sm->stopping && a->offline->stream)
		fetch(a);
	account_unpin(a);
}

static void on_page(const struct ipc_result *result, const Starling__OfflineFetchReply *reply, void *ctx)
{
	struct account *a = ctx;
	struct offline *o = a->offline;
	struct session *s = a->dead || a->sm->stopping ? NULL : session_find(a->sm, o->stream);

	if (s && !ipc_ok(result) && !o->restart) {
		later_run(a->sm, later_backoff_ms(o->fetch_attempts++), fetch_again, a);
		return;
	}
	o->fetching = false;
	o->fetch_attempts = 0;
	if (s && o->restart) {
		o->restart = false;
		fetch(a);
	} else if (s) {
		for (size_t i = 0; i < reply->n_messages; i++) {
			if (!reply->messages[i]->meta || !send_one(s, reply->messages[i]))
				continue;
			o->after = reply->messages[i]->id;
			o->unwritten++;
		}
		page_sent(a, reply);
	} else if (o->stream && !a->dead) {
		stop(o);
	}
	account_unpin(a);
}

static void fetch(struct account *a)
{
	struct offline *o = a->offline;
	Starling__OfflineFetchRequest request = STARLING__OFFLINE_FETCH_REQUEST__INIT;

	if (o->fetching)
		return;
	request.account = a->bare_text;
	request.after = o->after;
	request.limit = PAGE;
	o->fetching = true;
	o->again = false;
	account_pin(a);
	call_storage_offline_fetch(a->sm->bus, ipc_any("storage"), NULL, &request, on_page, a);
}

void offline_flush(struct account *a, struct session *s)
{
	struct offline *o = offline_of(a);

	if (o->stream || (o->empty && !more_expected(o)))
		return;
	o->stream = s->stream;
	o->after = 0;
	o->unwritten = 0;
	o->restart = o->fetching;
	fetch(a);
}

static void remove_rows(struct account *a, const uint64_t *ids, size_t count)
{
	Starling__OfflineRemoveRequest request = STARLING__OFFLINE_REMOVE_REQUEST__INIT;

	request.account = a->bare_text;
	request.ids = (uint64_t *)ids;
	request.n_ids = count;
	/* Should it fail, they are delivered once more at the next login: better than never. */
	call_storage_offline_remove(a->sm->bus, ipc_any("storage"), NULL, &request, NULL, NULL);
}

void offline_written(struct account *a, uint64_t stream, const uint64_t *ids, size_t count)
{
	struct offline *o = a->offline;

	if (count == 0)
		return;
	remove_rows(a, ids, count);
	metric_add(&counters.offline_delivered, (double)count);
	if (!o || o->stream != stream)
		return;
	o->unwritten -= count < o->unwritten ? (uint32_t)count : o->unwritten;
	if (o->unwritten > 0 || o->fetching)
		return;
	if (o->again)
		fetch(a);
	else
		offline_settle(a);
}

static struct session *other_reader(struct account *a, const struct session *gone)
{
	list_for_each (n, &a->sessions) {
		struct session *s = list_entry(n, struct session, of_account);

		if (s != gone && session_takes_messages(s) && !s->edge->lost)
			return s;
	}
	return NULL;
}

void offline_session_gone(struct account *a, struct session *s)
{
	struct session *other;

	if (!offline_flushing_to(a, s))
		return;
	stop(a->offline);
	other = other_reader(a, s);
	if (other)
		offline_flush(a, other);
}
