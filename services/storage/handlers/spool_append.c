/* SPDX-License-Identifier: Apache-2.0
 *
 * SpoolAppend: one statement for all appends of a batch.
 * Numbers in the SQL are codes of ipc/proto/envelope.proto: 6 FENCED, 11 LIMIT. */
#include "common/base/hash.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/log.h"
#include "services/storage/handlers/spool.h"

/* What is small travels in one number, as in LogAppend: the slot, flags, and max_count. */
enum { BITS_AGAIN = 1 << 10, BITS_MOST = 11 };

static const enum pg_oid columns[] = { PG_TEXT, PG_BYTEA, PG_BYTEA, PG_BYTEA, PG_INT8, PG_INT8, PG_INT8, PG_INT8, PG_INT8, PG_INT8 };

static int check(const Starling__SpoolAppendRequest *r, struct str payload, const char **why)
{
	if (!r->meta)
		*why = "no meta";
	else if (payload.n == 0)
		*why = "no stanza";
	else if (r->max_bytes > INT64_MAX)
		*why = "max_bytes out of range";
	else
		return 0;
	return STARLING__CODE__CODE_INVALID;
}

/* Two with one key, of which the later asks for it, never share a batch (op.h). */
static void set_names(struct op *op, const Starling__SpoolAppendRequest *r)
{
	op->names[0] = r->key_stream ? r->key_stream ^ r->key_number * 0x9e3779b97f4a7c15u : 0;
	op->asks[0] = r->again && op->names[0];
}

static int bind_append(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__SpoolAppendRequest *r = (const Starling__SpoolAppendRequest *)request;
	int code = check(r, payload, why);

	if (code == 0)
		code = spool_bind_domain(op, r->domain, why);
	if (code == 0)
		code = spool_lock_domain(op, r->domain, r->fence, why);
	if (code)
		return code;
	set_names(op, r);
	log_bind_meta(op, r->meta);
	pg_args_bytes(&op->args, payload);
	if (r->extra.len)
		op_bind_data(op, &r->extra);
	else
		pg_args_null(&op->args);
	pg_args_int8(&op->args, r->time_us);
	pg_args_int8(&op->args, (int64_t)r->key_stream);
	pg_args_int8(&op->args, (int64_t)r->key_number);
	pg_args_int8(&op->args, spool_epoch(r->fence));
	pg_args_int8(&op->args, (int64_t)r->max_count << BITS_MOST | (op->asks[0] ? BITS_AGAIN : 0) | op->slot);
	pg_args_int8(&op->args, (int64_t)r->max_bytes);
	arena_reset(op->scratch);
	return 0;
}

static void answer_append(struct op *op, const PGresult *res, int row)
{
	Starling__SpoolAppendReply reply = STARLING__SPOOL_APPEND_REPLY__INIT;

	if (row < PQntuples(res) && pg_get_int4(res, row, 0) == STARLING__CODE__CODE_LIMIT) {
		op_fail(op, STARLING__CODE__CODE_LIMIT, "the spool has as much for the domain as it may");
		return;
	}
	if (!op_row_ok(op, res, row))
		return;
	reply.id = (uint64_t)pg_get_int8(res, row, 1);
	op_reply(op, &reply.base);
}

/* OFFSET 0, as in LogAppend: look-ups stay what they are. The slots' locks were taken before the statement's snapshot.
 * x: each append, whether it may write at all, and a row of the same key where it asks for one.
 * y: what the domain has and what the batch brings up to here; one that turns out refused counts for those behind it in the batch, so that at the limit
 *    nothing overtakes by being smaller.
 * z: limits applied, ids drawn in the order of arrival. */
const struct method spool_append = {
	.name = "SpoolAppend",
	.kind = METHOD_MERGED,
	.columns = columns,
	.column_count = sizeof columns / sizeof columns[0],
	.sql = "WITH x AS MATERIALIZED (SELECT u.ord, u.domain, u.meta, u.stanza, u.extra, ($9::int8[])[u.ord] AS bits, k.id AS had, "
	       "(octet_length(u.stanza) + coalesce(octet_length(u.extra), 0))::int8 AS size, "
	       "CASE WHEN o.slot IS NULL THEN 6 ELSE 0 END AS code "
	       "FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[]) WITH ORDINALITY AS u (domain, meta, stanza, extra, ord) "
	       "LEFT JOIN LATERAL (SELECT slot FROM spool_owner WHERE slot = (($9::int8[])[u.ord] & 1023)::int4 "
	       "AND ($8::int8[])[u.ord] IN (epoch, -1) OFFSET 0) o ON true "
	       "LEFT JOIN LATERAL (SELECT s.id FROM spool s WHERE ($9::int8[])[u.ord] & 1024 > 0 AND s.key_stream <> 0 "
	       "AND s.key_stream = ($6::int8[])[u.ord] AND s.key_number = ($7::int8[])[u.ord] AND s.domain = u.domain LIMIT 1) k ON true), "
	       "y AS (SELECT x.*, code = 0 AND had IS NULL AS fresh, coalesce(d.count, 0) + count(*) FILTER (WHERE code = 0 AND had IS "
	       "NULL) "
	       "OVER w AS count, coalesce(d.bytes, 0) + sum(size) FILTER (WHERE code = 0 AND had IS NULL) OVER w AS bytes FROM x "
	       "LEFT JOIN LATERAL (SELECT s.count, s.bytes FROM spool_domain s WHERE s.slot = (x.bits & 1023)::int4 AND s.domain = "
	       "x.domain "
	       "OFFSET 0) d ON true WINDOW w AS (PARTITION BY x.domain ORDER BY x.ord)), "
	       "z AS MATERIALIZED (SELECT ord, domain, meta, stanza, extra, bits, had, size, v.code, "
	       "CASE WHEN fresh AND v.code = 0 THEN nextval('spool_ids') END AS id FROM y, "
	       "LATERAL (SELECT CASE WHEN fresh AND (bits >= 2048 AND count > bits >> 11 OR ($10::int8[])[ord] > 0 AND bytes > "
	       "($10::int8[])[ord]) THEN 11 ELSE code END AS code OFFSET 0) v), "
	       "i AS (INSERT INTO spool (domain, id, slot, size, time_us, key_stream, key_number, meta, stanza, extra) "
	       "SELECT domain, id, (bits & 1023)::int4, size, ($5::int8[])[ord], ($6::int8[])[ord], ($7::int8[])[ord], "
	       "meta, stanza, extra FROM z WHERE id IS NOT NULL), "
	       "c AS (INSERT INTO spool_domain AS d (slot, domain, count, bytes) SELECT (bits & 1023)::int4, domain, count(*), "
	       "sum(size) FROM z WHERE id IS NOT NULL GROUP BY 1, 2 ON CONFLICT (slot, domain) DO UPDATE SET count = d.count + "
	       "excluded.count, "
	       "bytes = d.bytes + excluded.bytes) "
	       "SELECT code, coalesce(had, id) FROM z ORDER BY ord",
	.bind = bind_append,
	.answer = answer_append,
};
