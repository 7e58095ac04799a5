/* SPDX-License-Identifier: Apache-2.0
 *
 * SpoolDone takes spooled stanzas out: one statement for all calls of a batch.
 * Numbers in the SQL are codes of ipc/proto/envelope.proto: 6 FENCED. */
#include <inttypes.h>

#include "common/base/hash.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/spool.h"

#define IDS_MAX 1000u

static const enum pg_oid columns[] = { PG_TEXT, PG_TEXT, PG_INT8, PG_INT4 };

/* As text, since an array cannot have rows of different lengths. Above INT64_MAX no id was ever drawn. */
static void bind_ids(struct op *op, const uint64_t *ids, size_t n)
{
	struct buf text = { 0 };

	buf_append_char(&text, '{');
	for (size_t i = 0; i < n; i++)
		if (ids[i] <= INT64_MAX)
			buf_printf(&text, "%s%" PRIu64, buf_str(&text).n > 1 ? "," : "", ids[i]);
	buf_append_char(&text, '}');
	pg_args_bytes(&op->args, buf_str(&text));
	buf_fini(&text);
}

static int bind_done(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__SpoolDoneRequest *r = (const Starling__SpoolDoneRequest *)request;
	int code = spool_bind_domain(op, r->domain, why);

	(void)payload;
	if (code == 0)
		code = spool_lock_domain(op, r->domain, r->fence, why);
	if (code)
		return code;
	if (r->n_ids > IDS_MAX) {
		*why = "more than 1000 ids";
		return STARLING__CODE__CODE_INVALID;
	}
	bind_ids(op, r->ids, r->n_ids);
	pg_args_int8(&op->args, spool_epoch(r->fence));
	pg_args_int4(&op->args, (int32_t)op->slot);
	return 0;
}

/* Rows are looked up by index first and then taken by their place, which no plan can get wrong (docs/decisions/0034-storage-spool.md). The slots' locks keep
 * the places what they are.
 * x: each call and whether it may write. d: what goes. h: what that leaves of each domain; one that has nothing left goes, too. */
const struct method spool_done = {
	.name = "SpoolDone",
	.kind = METHOD_MERGED,
	.columns = columns,
	.column_count = sizeof columns / sizeof columns[0],
	.sql = "WITH x AS MATERIALIZED (SELECT u.ord, u.domain, u.ids, CASE WHEN o.slot IS NULL THEN 6 ELSE 0 END AS code "
	       "FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (domain, ids, ord) "
	       "LEFT JOIN LATERAL (SELECT slot FROM spool_owner WHERE slot = ($4::int4[])[u.ord] AND ($3::int8[])[u.ord] IN (epoch, -1) "
	       "OFFSET 0) o ON true), "
	       "d AS (DELETE FROM spool WHERE ctid = ANY (ARRAY(SELECT k.ctid FROM x, LATERAL (SELECT unnest(x.ids::int8[]) AS id OFFSET "
	       "0) n, "
	       "LATERAL (SELECT s.ctid FROM spool s WHERE s.domain = x.domain AND s.id = n.id OFFSET 0) k WHERE x.code = 0)) "
	       "RETURNING slot, domain, size), "
	       "h AS MATERIALIZED (SELECT g.slot, g.domain, k.count - g.count AS count, k.bytes - g.bytes AS bytes, k.ctid AS place FROM "
	       "(SELECT slot, domain, count(*) AS count, sum(size) AS bytes FROM d GROUP BY slot, domain) g, LATERAL (SELECT s.ctid, "
	       "s.count, "
	       "s.bytes FROM spool_domain s WHERE s.slot = g.slot AND s.domain = g.domain OFFSET 0) k), "
	       "e AS (DELETE FROM spool_domain WHERE ctid = ANY (ARRAY(SELECT place FROM h WHERE count <= 0))), "
	       "k AS (INSERT INTO spool_domain AS s (slot, domain, count, bytes) SELECT slot, domain, count, bytes FROM h WHERE "
	       "count > 0 "
	       "ON CONFLICT (slot, domain) DO UPDATE SET count = excluded.count, bytes = excluded.bytes) "
	       "SELECT code FROM x ORDER BY ord",
	.bind = bind_done,
	.answer = op_answer_empty,
};
