/* SPDX-License-Identifier: Apache-2.0
 *
 * mam: XEP-0313 1.1.3, a user's own archive: queries, their form, metadata. */
#include "services/session-manager/features/mam.h"

#include "common/base/clock.h"
#include "common/xmpp/rsm.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/archive_rules.h"
#include "services/session-manager/features/features.h"
#include "services/session-manager/msglog.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

/* --- a query --- */

/* The page and those that its client has asked for before hold all that waits for a client: it need not come once more (section 6.1.1). Going
 * forwards, the client says that it has what is before the page. Of going backwards this is known of a first page only. */
static bool holds_what_waits(const struct account *a, const struct mam_query *q, const Starling__LogQueryReply *reply)
{
	const struct positions *left;
	uint64_t tail, last, first;

	if (!q->open || reply->n_entries == 0)
		return false;
	if (!q->request.backward)
		return reply->complete;
	if (q->request.before || !msglog_prefs(a))
		return false;
	left = msglog_left(a, &tail, &last);
	first = reply->entries[0]->id;
	return reply->complete || (first <= tail && (left->count == 0 || first <= left->at[0]));
}

static void page_read(struct session *s, const struct mam_query *q, const Starling__LogQueryReply *reply)
{
	if (!s->available && holds_what_waits(s->account, q, reply))
		msglog_archive_read(s->account, s, reply->entries[reply->n_entries - 1]->id);
}

/* Short of what was asked for where messages are large: a session holds so much at most until its client has it. A page that ends somewhere loses its
 * beginning instead of its end. */
static Starling__LogQueryReply fitting(const struct mam_query *q, const Starling__LogQueryReply *reply)
{
	Starling__LogQueryReply page = *reply;
	size_t bytes = 0, n = 0;

	for (; n < reply->n_entries; n++) {
		bytes += reply->entries[q->request.backward ? reply->n_entries - 1 - n : n]->stanza.len;
		if (n > 0 && bytes > MAM_PAGE_BYTES)
			break;
	}
	if (n == reply->n_entries)
		return page;
	if (q->request.backward) {
		page.entries += reply->n_entries - n;
		page.index += reply->n_entries - n;
	}
	page.n_entries = n;
	page.complete = false;
	return page;
}

static void on_page(const struct ipc_result *result, const Starling__LogQueryReply *reply, void *ctx)
{
	struct mam_query *q = ctx;
	struct iq *iq = q->turn.iq;
	struct session *s = session_find(iq->sm, iq->stream);
	Starling__LogQueryReply page;
	struct buf fin = { 0 };

	if (!ipc_ok(result)) {
		archive_line_leave(&q->turn);
		iq_fail(iq, result->code);
		return;
	}
	page = fitting(q, reply);
	if (s) {
		mam_send_page(s, q, &page);
		page_read(s, q, &page);
	}
	mam_write_fin(&fin, q, &page);
	archive_line_leave(&q->turn);
	iq_result(iq, buf_str(&fin));
	buf_fini(&fin);
}

static void ask(struct mam_query *q)
{
	call_storage_log_query(q->turn.iq->sm->bus, ipc_any("storage"), &(struct ipc_opts){ .trace = q->turn.iq->trace }, &q->request,
	                       on_page, q);
}

static void on_named(const struct ipc_result *result, const Starling__LogQueryReply *reply, void *ctx)
{
	struct mam_query *q = ctx;
	struct iq *iq = q->turn.iq;

	(void)reply;
	if (ipc_ok(result)) {
		ask(q);
		return;
	}
	archive_line_leave(&q->turn);
	iq_fail(iq, result->code);
}

/* Section 4.1.3: ids in the form must exist, although they are only bounds. Those of pages are looked up with the query itself. */
static void look_up_named(struct mam_query *q)
{
	Starling__LogQueryRequest request = STARLING__LOG_QUERY_REQUEST__INIT;

	request.account = q->request.account;
	request.ids = q->named;
	request.n_ids = q->named_n == 2 && q->named[0] == q->named[1] ? 1 : q->named_n;
	call_storage_log_query(q->turn.iq->sm->bus, ipc_any("storage"), &(struct ipc_opts){ .trace = q->turn.iq->trace }, &request,
	                       on_named, q);
}

static void start(struct account *a, void *ctx)
{
	struct mam_query *q = ctx;
	struct iq *iq = q->turn.iq;

	if (!a) {
		archive_line_leave(&q->turn);
		iq_fail(iq, CODE(WRONG_OWNER));
	} else if (q->named_n) {
		look_up_named(q);
	} else {
		ask(q);
	}
}

static void run(struct archive_turn *t)
{
	struct mam_query *q = (struct mam_query *)t;
	struct session *s = session_find(q->turn.iq->sm, q->turn.iq->stream);

	/* Before its first presence, what waits must be known when the page is there. */
	if (!s || q->turn.iq->sm->stopping)
		start(NULL, q);
	else if (q->open && !s->available)
		msglog_with(s->account, start, q);
	else
		start(s->account, q);
}

static void query(struct iq *iq)
{
	struct mam_query *q = arena_alloc(iq->arena, sizeof(*q));
	struct mam_fault fault;

	if (!mam_read(iq, (uint32_t)iq->sm->options->archive_page_max, q, &fault)) {
		iq_error(iq, fault.condition, fault.text);
		return;
	}
	q->turn.run = run;
	if (!archive_line_enter(&q->turn))
		iq_error(iq, "resource-constraint", "Too many queries at a time.");
}

static void form(struct iq *iq)
{
	iq_result(iq, mam_form());
}

/* --- metadata: section 5 --- */

static void write_end(struct buf *out, const char *name, uint64_t id)
{
	char stamp[32];

	clock_format_utc((int64_t)id, stamp);
	buf_printf(out, "<%s id='", name);
	archive_id_write(out, id);
	buf_printf(out, "' timestamp='%s'/>", stamp);
}

static void on_metadata(const struct ipc_result *result, const Starling__LogMetadataReply *reply, void *ctx)
{
	struct iq *iq = ctx;
	struct buf out = { 0 };

	if (!ipc_ok(result)) {
		iq_fail(iq, result->code);
		return;
	}
	if (reply->first) {
		buf_append_str(&out, STR("<metadata xmlns='" NS_MAM "'>"));
		write_end(&out, "start", reply->first);
		write_end(&out, "end", reply->last);
		buf_append_str(&out, STR("</metadata>"));
	} else {
		buf_append_str(&out, STR("<metadata xmlns='" NS_MAM "'/>"));
	}
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

static void metadata(struct iq *iq)
{
	Starling__AccountKey key = STARLING__ACCOUNT_KEY__INIT;

	key.account = arena_strndup(iq->arena, iq->account.p, iq->account.n);
	call_storage_log_metadata(iq->sm->bus, ipc_any("storage"), &(struct ipc_opts){ .trace = iq->trace }, &key, on_metadata, iq);
}

/* Section 8.1. */
static void refuse(struct iq *iq)
{
	iq_error(iq, "forbidden", NULL);
}

static const struct iq_row rows[] = {
	{ NS_MAM, "query", IQ_SELF, IQ_SET, query, false },        { NS_MAM, "query", IQ_SELF, IQ_GET, form, false },
	{ NS_MAM, "metadata", IQ_SELF, IQ_GET, metadata, false },  { NS_MAM, "query", IQ_ACCOUNT, IQ_GET | IQ_SET, refuse, false },
	{ NS_MAM, "metadata", IQ_ACCOUNT, IQ_GET, refuse, false }, { 0 },
};

/* urn:xmpp:sid:0: XEP-0359 section 5. Ids are the account's. */
static const char *const vars[] = { NS_MAM, NS_MAM "#extended", NS_MAM "#groupchat-field", NS_RSM, "urn:xmpp:sid:0", NULL };

const struct iq_feature mam_feature = { "mam", rows, NULL, vars };
