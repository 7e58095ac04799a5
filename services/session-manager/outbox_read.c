/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/outbox_read.h"

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/stanza.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/archive_rules.h"
#include "services/session-manager/carbons.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/later.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/outbox.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

#define BATCH   100u
#define LATE_US 5000000 /* older than that, it is said how old */

void outbox_extra(struct buf *out, const struct account *a, uint64_t log_id, bool archived, bool delayed)
{
	if (archived)
		archive_stanza_id(out, log_id, a->bare);
	if (delayed)
		stanza_delay(out, (int64_t)log_id, jid_view_domain(a->bare), STR(""));
}

void outbox_build(const struct session *s, const Starling__LogEntry *entry, uint32_t form, Starling__StanzaMeta *meta, struct buf *bytes,
                  struct buf *extra, struct packet *out)
{
	struct account *a = s->account;
	struct str stanza = str_make(entry->stanza.data, entry->stanza.len);
	bool own = form == FORM(PLAIN) || form == FORM(DELAYED);
	bool late = form == FORM(DELAYED) || (int64_t)entry->id + LATE_US < clock_wall_us();

	buf_clear(bytes);
	buf_clear(extra);
	*meta = *entry->meta;
	*out = (struct packet){ .meta = meta, .bytes = stanza };
	outbox_extra(extra, a, entry->id, entry->archived, late && own);
	if (own) {
		out->extra = buf_str(extra);
		return;
	}
	carbon_wrap(bytes, (Starling__DeliverForm)form, meta, stanza, buf_str(extra));
	out->bytes = buf_str(bytes);
	meta->from = a->bare_text;
	meta->to = s->full_text;
}

struct reading {
	struct account *account;
	uint64_t stream;
	uint32_t turn; /* of the list when it was asked */
};

static const Starling__LogEntry *find(const Starling__LogFetchReply *reply, uint64_t id)
{
	for (size_t i = 0; i < reply->n_entries; i++) {
		if (reply->entries[i]->id == id && reply->entries[i]->meta)
			return reply->entries[i];
	}
	return NULL;
}

/* What the list says is next, as long as it is in the reply. What was asked for and is not there was erased meanwhile; and what was left over by another session
 * its client may have from the archive. */
static void send_read(struct session *s, const Starling__LogFetchReply *reply, uint64_t last_asked)
{
	struct buf bytes = { 0 }, extra = { 0 };
	uint64_t last = reply->complete ? last_asked : reply->n_entries ? reply->entries[reply->n_entries - 1]->id : 0;
	uint64_t before = 0;

	while (unacked_waiting(&s->list) && session_live(s) && !s->edge->lost) {
		const struct unacked_entry *e = unacked_at(&s->list, s->list.sent);
		const Starling__LogEntry *entry = e->log_id ? find(reply, e->log_id) : NULL;
		Starling__StanzaMeta meta;
		struct packet p;

		if (!e->log_id || e->log_id > last || e->log_id < before)
			break;
		before = e->log_id;
		if (!entry || (e->form == FORM(DELAYED) && session_has_read(s, entry->id, entry->archived))) {
			unacked_skip(&s->list);
			if (entry)
				msglog_acked(s->account, before);
			continue;
		}
		outbox_build(s, entry, (uint32_t)e->form, &meta, &bytes, &extra, &p);
		if (!outbox_send(s, &p, e->log_id, (uint32_t)e->form))
			break;
	}
	buf_fini(&bytes);
	buf_fini(&extra);
}

static void read_again(void *ctx)
{
	struct reading *r = ctx;
	struct session *s = r->account->dead || r->account->sm->stopping ? NULL : session_find(r->account->sm, r->stream);

	if (s) {
		s->reading = false;
		outbox_pump(s);
	}
	account_unpin(r->account);
	mem_free(r);
}

static void on_read(const struct ipc_result *result, const Starling__LogFetchReply *reply, void *ctx)
{
	struct reading *r = ctx;
	struct account *a = r->account;
	struct session *s = a->dead || a->sm->stopping ? NULL : session_find(a->sm, r->stream);

	if (s && !ipc_ok(result)) {
		later_again(a->sm, s->read_attempts++, read_again, r);
		return;
	}
	if (s) {
		s->reading = false;
		s->read_attempts = 0;
		/* Of a list that was set back meanwhile this is not the beginning: what stands before it was not asked for, and is not gone. */
		if (r->turn == s->list.turn)
			send_read(s, reply, s->read_to);
		outbox_pump(s);
	}
	account_unpin(a);
	mem_free(r);
}

void outbox_read(struct session *s)
{
	struct account *a = s->account;
	Starling__LogFetchRequest request = STARLING__LOG_FETCH_REQUEST__INIT;
	uint64_t ids[BATCH];
	struct reading *r;

	/* A rising run: what a reply that ended early lacks is then known. */
	for (uint32_t i = s->list.sent; i < s->list.count && request.n_ids < BATCH; i++) {
		const struct unacked_entry *e = unacked_at(&s->list, i);

		if (!e->log_id || (request.n_ids && e->log_id <= ids[request.n_ids - 1]))
			break;
		ids[request.n_ids++] = e->log_id;
	}
	if (request.n_ids == 0)
		return; /* the next one is not in the log */
	request.account = a->bare_text;
	request.ids = ids;
	request.limit = BATCH;
	r = mem_new(struct reading);
	r->account = a;
	r->stream = s->stream;
	r->turn = s->list.turn;
	s->reading = true;
	s->read_to = ids[request.n_ids - 1];
	account_pin(a);
	call_storage_log_fetch(a->sm->bus, ipc_any("storage"), NULL, &request, on_read, r);
}
