/* SPDX-License-Identifier: Apache-2.0
 *
 * XEP-0313 section 4.2: results go to the asking resource as messages from the account, and the answer to the query behind them. */
#include "common/xmpp/rsm.h"
#include "common/xmpp/stanza.h"
#include "services/session-manager/archive_rules.h"
#include "services/session-manager/deliver.h"
#include "services/session-manager/features/mam.h"
#include "services/session-manager/session.h"

static void write_result(struct buf *out, const struct mam_query *q, const Starling__LogEntry *e)
{
	struct str none = { 0 };

	buf_append_str(out, STR("<message><result xmlns='" NS_MAM "' id='"));
	archive_id_write(out, e->id);
	buf_append_char(out, '\'');
	if (q->queryid.p)
		xml_attr(out, "queryid", q->queryid);
	buf_append_char(out, '>');
	stanza_forward(out, (int64_t)e->id, str_make(e->stanza.data, e->stanza.len), str_from(e->meta->from), str_from(e->meta->to), none);
	buf_append_str(out, STR("</result></message>"));
}

static bool send_result(struct session *s, const struct mam_query *q, const Starling__LogEntry *e, struct buf *scratch)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct packet p = { .meta = &meta, .trace = q->turn.iq->trace };

	buf_clear(scratch);
	write_result(scratch, q, e);
	p.bytes = buf_str(scratch);
	meta.kind = KIND_MESSAGE;
	/* In the envelope only: should the session be gone, nobody else gets it (deliver_rules.c). */
	meta.type = TYPE_HEADLINE;
	meta.from = q->request.account;
	meta.to = s->full_text;
	return deliver_to_session(s, &p);
}

void mam_send_page(struct session *s, const struct mam_query *q, const Starling__LogQueryReply *reply)
{
	struct buf scratch = { 0 };
	size_t n = reply->n_entries;

	for (size_t i = 0; i < n; i++) {
		const Starling__LogEntry *e = reply->entries[q->flip ? n - 1 - i : i];

		if (e->meta && !send_result(s, q, e, &scratch))
			break;
	}
	buf_fini(&scratch);
}

void mam_write_fin(struct buf *out, const struct mam_query *q, const Starling__LogQueryReply *reply)
{
	struct buf first = { 0 }, last = { 0 };
	struct rsm_page page = { .index = reply->index, .count = reply->count };
	/* Who only counts has got everything where there is nothing. */
	bool complete = q->request.limit ? reply->complete : reply->count == 0;

	buf_append_str(out, STR("<fin xmlns='" NS_MAM "'"));
	if (complete)
		buf_append_str(out, STR(" complete='true'"));
	buf_append_char(out, '>');
	if (reply->n_entries) {
		archive_id_write(&first, reply->entries[0]->id);
		archive_id_write(&last, reply->entries[reply->n_entries - 1]->id);
		page.first = buf_str(&first);
		page.last = buf_str(&last);
	}
	rsm_write(out, &page);
	buf_append_str(out, STR("</fin>"));
	buf_fini(&first);
	buf_fini(&last);
}
