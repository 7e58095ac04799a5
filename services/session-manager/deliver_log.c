/* SPDX-License-Identifier: Apache-2.0
 *
 * A message that is worth keeping: first into the log, then to whoever is there. */
#include "services/session-manager/deliver_log.h"

#include "common/base/buf.h"
#include "common/xmpp/jid.h"
#include "services/session-manager/account.h"
#include "services/session-manager/append.h"
#include "services/session-manager/archive_retract.h"
#include "services/session-manager/archive_rules.h"
#include "services/session-manager/bounce.h"
#include "services/session-manager/carbons.h"
#include "services/session-manager/catchup.h"
#include "services/session-manager/counters.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/deliver_rules.h"
#include "services/session-manager/edge.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/outbox.h"
#include "services/session-manager/route.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

bool deliver_is_logged(const Starling__StanzaMeta *m)
{
	return m->kind == KIND_MESSAGE && (m->type == TYPE_NONE || m->type == TYPE_NORMAL || m->type == TYPE_CHAT) &&
	       deliver_storable(m->flags);
}

/* --- after the commit --- */

/* Whom a committed message goes to now, and who finds it by reading the log. */
struct hand_out {
	struct session *to[OUTBOX_TARGETS], *copies[OUTBOX_TARGETS];
	uint32_t count, copy_count;
	bool left_to_catchup;
};

/* Who wrote it to another one of its own account's clients needs no copy. */
static bool wrote(const struct session *s, const Starling__StanzaMeta *m)
{
	return str_is(s->full, m->from);
}

static void choose(struct hand_out *h, struct account *a, const Starling__StanzaMeta *m)
{
	struct str resource = jid_view_resource(str_from(m->to));
	struct session *match = resource.n ? session_by_resource(a, resource) : NULL;
	bool copy = carbon_eligible(m, false);

	if (match && !deliver_reachable(match))
		match = NULL;
	list_for_each (n, &a->sessions) {
		struct session *s = list_entry(n, struct session, of_account);
		bool own = match ? s == match : session_takes_messages(s);

		if (!deliver_reachable(s) || h->count == OUTBOX_TARGETS || h->copy_count == OUTBOX_TARGETS)
			continue;
		if (own && s->catchup.mode != CATCHUP_NONE)
			h->left_to_catchup = true;
		else if (own)
			h->to[h->count++] = s;
		else if (copy && s->carbons && s->catchup.mode == CATCHUP_NONE && !wrote(s, m))
			h->copies[h->copy_count++] = s;
	}
}

static void send_copies(struct account *a, struct session *const *to, uint32_t count, const struct packet *p, uint64_t log_id,
                        uint32_t form)
{
	struct buf wrapped = { 0 };
	Starling__StanzaMeta meta = *p->meta;
	struct packet copy = *p;

	if (count == 0)
		return;
	carbon_wrap(&wrapped, (Starling__DeliverForm)form, p->meta, p->bytes, p->extra);
	meta.from = a->bare_text;
	meta.to = a->bare_text;
	copy.meta = &meta;
	copy.bytes = buf_str(&wrapped);
	copy.extra = (struct str){ 0 };
	for (uint32_t i = 0; i < count; i++) {
		meta.to = to[i]->full_text;
		outbox_give(&to[i], 1, &copy, log_id, form);
	}
	buf_fini(&wrapped);
}

static void hand_out(struct account *a, const struct packet *p, uint64_t id, bool archived)
{
	struct hand_out h = { .count = 0 };
	struct packet out = *p;
	struct buf extra = { 0 };

	choose(&h, a, p->meta);
	buf_append_str(&extra, p->extra);
	outbox_extra(&extra, a, id, archived, false);
	out.extra = buf_str(&extra);
	if (outbox_give(h.to, h.count, &out, id, FORM(PLAIN)) > 0) {
		msglog_in_flight(a, id);
		if (!a->log->behind && !a->log->flusher)
			msglog_move_tail(a, id);
	} else {
		if (id > a->log->tail) /* else it was listed before we heard that it is committed (msglog_hold.c) */
			msglog_keep_behind(a);
		metric_inc(&counters.offline_stored);
	}
	send_copies(a, h.copies, h.copy_count, &out, id, FORM(CARBON_RECEIVED));
	buf_fini(&extra);
}

/* Why a message was not kept, and what its sender is told (RFC 6121 section 8.5, XEP-0160 section 3). */
static const char *refusal(int code)
{
	return code == CODE(INVALID) ? "not-acceptable" : "service-unavailable";
}

static void committed(struct account *a, const struct packet *p, const struct append_result *r)
{
	if (r->code) {
		bounce(a->sm, p, refusal(r->code), NULL);
		return;
	}
	receipt_logged(p->receipt, r->id, r->duplicate);
	/* Another owner's by now: it finds the message in the log. */
	if (a->dead || !a->log)
		return;
	if (!msglog_committed(a, r->id))
		return;
	if (p->meta->flags & STARLING__STANZA_FLAG__FLAG_RETRACT)
		archive_retract(a->sm, p);
	hand_out(a, p, r->id, r->archived);
	catchup_committed(a);
}

/* --- before it --- */

static bool wants(const struct account *a, const Starling__StanzaMeta *m, const char *peer)
{
	static const struct archive_prefs none;
	const struct archive_prefs *prefs = msglog_prefs(a);

	return archive_storable(m->flags, m->type) &&
	       archive_wanted(prefs ? prefs : &none, archive_host_default(a->sm->options), a->roster, a->bare, str_from(peer));
}

bool deliver_archive_known(const struct account *a)
{
	const struct archive_prefs *p = msglog_ready(a) ? msglog_prefs(a) : NULL;
	Starling__ArchivePrefs__Default rule = p && p->fallback ? p->fallback : archive_host_default(a->sm->options);

	return p && (rule != STARLING__ARCHIVE_PREFS__DEFAULT__ROSTER || a->roster_load == ACCOUNT_LOADED);
}

bool deliver_archived_as_sent(const struct account *a, const Starling__StanzaMeta *m)
{
	return wants(a, m, m->to);
}

static void log_later(struct account *a, void *ctx)
{
	struct parcel *c = ctx;

	if (!a) {
		route_again(c);
		return;
	}
	append(a, &c->packet, false, wants(a, c->packet.meta, c->packet.meta->from), committed);
	parcel_free(&c);
}

static void roster_then_log(struct account *a, void *ctx)
{
	if (a && !deliver_archive_known(a))
		account_with_roster(a, log_later, ctx);
	else
		log_later(a, ctx);
}

void deliver_to_log(struct account *a, const struct packet *p)
{
	if (deliver_archive_known(a))
		append(a, p, false, wants(a, p->meta, p->meta->from), committed);
	else
		msglog_with(a, roster_then_log, parcel_new(a->sm, p));
}

void deliver_received_copies(struct account *a, const struct packet *p, const struct session *found)
{
	struct session *to[OUTBOX_TARGETS];
	uint32_t count = 0;

	list_for_each (n, &a->sessions) {
		struct session *s = list_entry(n, struct session, of_account);
		bool given = found ? s == found : session_takes_messages(s);

		if (!given && s->carbons && !wrote(s, p->meta) && deliver_reachable(s) && count < OUTBOX_TARGETS)
			to[count++] = s;
	}
	send_copies(a, to, count, p, 0, FORM(CARBON_RECEIVED));
}

/* --- what the sender's other clients get --- */

static void copy_sent(struct account *a, const struct packet *p, const struct append_result *result)
{
	struct session *to[OUTBOX_TARGETS];
	uint32_t count = 0;
	struct packet out = *p;
	struct buf extra = { 0 };

	list_for_each (n, &a->sessions) {
		struct session *s = list_entry(n, struct session, of_account);

		if (!wrote(s, p->meta) && s->carbons && deliver_reachable(s) && !catchup_reads(s, result->id) && count < OUTBOX_TARGETS)
			to[count++] = s;
	}
	outbox_extra(&extra, a, result->id, result->id && p->archive_sender, false);
	out.extra = buf_str(&extra);
	send_copies(a, to, count, &out, result->id, FORM(CARBON_SENT));
	buf_fini(&extra);
	if (a->log && result->id > a->log->last)
		a->log->last = result->id;
	catchup_committed(a);
}

/* In line with what the account receives: whoever has been given a position has been given all received messages before it. On that rest the cursors
 * from which the next owner reads on. */
void deliver_sent_copies(struct account *a, const struct packet *p, uint64_t log_id)
{
	append_behind_sent(a, p, log_id, copy_sent);
}
