/* SPDX-License-Identifier: Apache-2.0
 *
 * flexible_offline: XEP-0013 1.3. A client counts, lists, views and removes its offline messages instead of getting them all at once. Who does any of it holds
 * them: presence brings none, and nothing goes that was not removed. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/xmpp/stanza.h"
#include "services/session-manager/account.h"
#include "services/session-manager/archive_rules.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/features/features.h"
#include "services/session-manager/features/waiting.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

#define NS_INFO   "http://jabber.org/protocol/disco#info"
#define NS_ITEMS  "http://jabber.org/protocol/disco#items"
#define ITEMS_MAX 10000 /* as far as the store counts */

static void hold(struct iq *iq)
{
	struct session *s = session_find(iq->sm, iq->stream);

	if (s)
		msglog_hold_offline(s);
}

static struct waiting *waiting_new(struct iq *iq, bool (*each)(struct waiting *, const Starling__LogEntry *),
                                   void (*done)(struct waiting *, int))
{
	struct waiting *w = mem_new(struct waiting);

	w->turn.iq = iq;
	w->each = each;
	w->done = done;
	return w;
}

static void done_plain(struct waiting *w, int code)
{
	if (code)
		iq_fail(w->turn.iq, code);
	else
		iq_result(w->turn.iq, (struct str){ 0 });
}

/* --- section 2.2: how many --- */

static void answer_info(struct account *a, void *ctx)
{
	struct iq *iq = ctx;
	struct buf out = { 0 };

	if (!a) {
		iq_fail(iq, CODE(WRONG_OWNER));
		return;
	}
	buf_append_str(&out, STR("<query xmlns='" NS_INFO "' node='" NS_OFFLINE "'><identity category='automation' type='message-list'/>"
	                         "<feature var='" NS_OFFLINE "'/><x xmlns='jabber:x:data' type='result'>"
	                         "<field var='FORM_TYPE' type='hidden'><value>" NS_OFFLINE "</value></field>"));
	buf_printf(&out, "<field var='number_of_messages'><value>%u</value></field></x></query>", msglog_waiting(a));
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

void flexible_offline_info(struct iq *iq)
{
	hold(iq);
	msglog_with(account_get(iq->sm, iq->account), answer_info, iq);
}

/* --- section 2.3: from whom --- */

static bool add_item(struct waiting *w, const Starling__LogEntry *e)
{
	buf_append_str(&w->out, STR("<item"));
	xml_attr(&w->out, "jid", w->turn.iq->account);
	buf_append_str(&w->out, STR(" node='"));
	archive_id_write(&w->out, e->id);
	buf_append_char(&w->out, '\'');
	xml_attr(&w->out, "name", str_from(e->meta->from));
	buf_append_str(&w->out, STR("/>"));
	return w->seen < ITEMS_MAX;
}

static void done_items(struct waiting *w, int code)
{
	if (code) {
		iq_fail(w->turn.iq, code);
		return;
	}
	buf_append_str(&w->out, STR("</query>"));
	iq_result(w->turn.iq, buf_str(&w->out));
}

void flexible_offline_items(struct iq *iq)
{
	struct waiting *w = waiting_new(iq, add_item, done_items);

	hold(iq);
	buf_append_str(&w->out, STR("<query xmlns='" NS_ITEMS "' node='" NS_OFFLINE "'>"));
	waiting_read(w);
}

/* --- sections 2.4, 2.6: view, fetch --- */

static void write_extra(struct buf *out, const struct iq *iq, const Starling__LogEntry *e)
{
	buf_append_str(out, STR("<offline xmlns='" NS_OFFLINE "'><item node='"));
	archive_id_write(out, e->id);
	buf_append_str(out, STR("'/></offline>"));
	stanza_delay(out, (int64_t)e->id, iq->host, (struct str){ 0 });
	if (e->archived)
		archive_stanza_id(out, e->id, iq->account);
}

static bool send_one(struct waiting *w, const Starling__LogEntry *e)
{
	struct iq *iq = w->turn.iq;
	struct session *s = session_find(iq->sm, iq->stream);
	Starling__StanzaMeta meta = *e->meta;
	struct packet p = { .meta = &meta, .bytes = str_make(e->stanza.data, e->stanza.len), .trace = iq->trace };

	buf_clear(&w->out);
	write_extra(&w->out, iq, e);
	p.extra = buf_str(&w->out);
	/* A copy, in the envelope only: should the session be gone, nobody else gets it (deliver_rules.c); the message itself waits. */
	meta.type = TYPE_HEADLINE;
	return s && deliver_to_session(s, &p);
}

/* --- sections 2.5, 2.7: remove, purge --- */

static bool note_id(struct waiting *w, const Starling__LogEntry *e)
{
	return buf_append(&w->out, &e->id, sizeof(e->id));
}

struct taking {
	struct iq *iq;
	size_t n;
	uint64_t ids[];
};

static void take(struct account *a, void *ctx)
{
	struct taking *t = ctx;

	if (a) {
		msglog_taken(a, t->ids, t->n);
		iq_result(t->iq, (struct str){ 0 });
	} else {
		iq_fail(t->iq, CODE(WRONG_OWNER));
	}
	mem_free(t);
}

/* They were read from the store; the list that they are to go from may not be there yet. */
static void done_taking(struct waiting *w, int code)
{
	struct taking *t;

	if (code || !w->account) {
		done_plain(w, code);
		return;
	}
	t = mem_zalloc(sizeof(*t) + w->out.n);
	t->iq = w->turn.iq;
	t->n = w->out.n / sizeof(uint64_t);
	memcpy(t->ids, w->out.p, w->out.n);
	msglog_listed(w->account, take, t);
}

/* --- requests --- */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* One <item action='...' node='...'/>. False: refused, and said so. */
static bool read_node(struct iq *iq, const struct xml_node *n, const char *action, uint64_t *out)
{
	if (!str_is(n->name, "item") || !str_is(n->ns, NS_OFFLINE) || !str_is(xml_get(n, "action"), action)) {
		iq_error(iq, "bad-request", "There is no such request.");
		return false;
	}
	if (!archive_id_read(xml_get(n, "node"), out)) {
		iq_error(iq, "item-not-found", NULL);
		return false;
	}
	return true;
}

/* The nodes of all items. False: refused, and said so. */
static bool read_nodes(struct iq *iq, const char *action, struct waiting *w)
{
	uint64_t *ids = arena_alloc(iq->arena, WAITING_ASKED_MAX * sizeof(*ids));
	size_t n = 0;

	for (const struct xml_node *i = xml_first_element(iq->child); i; i = xml_next_element(i)) {
		if (n == WAITING_ASKED_MAX) {
			iq_error(iq, "policy-violation", "Too many messages at a time.");
			return false;
		}
		if (!read_node(iq, i, action, &ids[n++]))
			return false;
	}
	if (n == 0) {
		iq_error(iq, "bad-request", "Nothing is asked for.");
		return false;
	}
	qsort(ids, n, sizeof(*ids), compare);
	for (size_t i = 0; i < n; i++) {
		if (w->asked_n == 0 || ids[i] != ids[w->asked_n - 1])
			ids[w->asked_n++] = ids[i];
	}
	w->asked = ids;
	return true;
}

/* All of them by the one element `whole`, or some by items. */
static void request(struct iq *iq, const char *whole, const char *action, struct waiting *w)
{
	const struct xml_node *first = xml_first_element(iq->child);
	bool all = first && str_is(first->name, whole) && str_is(first->ns, NS_OFFLINE) && !xml_next_element(first);

	hold(iq);
	if (all || read_nodes(iq, action, w))
		waiting_read(w);
	else
		mem_free(w);
}

static void get(struct iq *iq)
{
	struct waiting *w = waiting_new(iq, send_one, done_plain);

	w->sends = true;
	request(iq, "fetch", "view", w);
}

static void set(struct iq *iq)
{
	request(iq, "purge", "remove", waiting_new(iq, note_id, done_taking));
}

static void refuse(struct iq *iq)
{
	iq_error(iq, "forbidden", NULL);
}

static const struct iq_row rows[] = {
	{ NS_OFFLINE, "offline", IQ_SELF, IQ_GET, get, false },
	{ NS_OFFLINE, "offline", IQ_SELF, IQ_SET, set, false },
	{ NS_OFFLINE, "offline", IQ_ACCOUNT, IQ_GET | IQ_SET, refuse, false },
	{ 0 },
};

static const char *const host_vars[] = { NS_OFFLINE, NULL };

const struct iq_feature flexible_offline_feature = { "flexible_offline", rows, host_vars, NULL };
