/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages for later (XEP-0160). Append is the store's busiest write: one statement for all appends of a batch.
 * Numbers in the SQL are codes of ipc/proto/envelope.proto: 6 FENCED, 8 NOT_FOUND, 11 LIMIT. */
#include "ipc/proto/envelope.pb-c.h"
#include "ipc/proto/storage.pb-c.h"
#include "services/storage/handlers/handlers.h"

#define FETCH_MAX 500u
#define KEY_MAX   1024u

/* --- append -------------------------------------------------------------------------------------------------------- */

static const enum pg_oid append_columns[] = {
	PG_TEXT, PG_TEXT, PG_INT4, PG_INT8, PG_BYTEA, PG_INT4, PG_INT8, PG_BYTEA, PG_BYTEA,
};

static void bind_meta(struct op *op, const Starling__StanzaMeta *meta)
{
	size_t n = starling__stanza_meta__get_packed_size(meta);
	uint8_t *packed = arena_alloc(op->scratch, n);

	starling__stanza_meta__pack(meta, packed);
	pg_args_bytes(&op->args, str_make(packed, n));
	arena_reset(op->scratch);
}

static int bind_append(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__OfflineAppendRequest *r = (const Starling__OfflineAppendRequest *)request;
	int code = op_bind_account(op, r->account, why);

	if (code == 0)
		code = op_bind_fence(op, r->fence, why);
	if (code)
		return code;
	if (!r->meta || r->key.len > KEY_MAX || r->max > INT32_MAX) {
		*why = "no meta, or key or max out of range";
		return STARLING__CODE__CODE_INVALID;
	}
	if (r->key.len)
		op_bind_data(op, &r->key);
	else
		pg_args_null(&op->args);
	pg_args_int4(&op->args, (int32_t)r->max);
	pg_args_int8(&op->args, r->time_us);
	bind_meta(op, r->meta);
	pg_args_bytes(&op->args, payload);
	return 0;
}

static void answer_append(struct op *op, const PGresult *res, int row)
{
	Starling__OfflineAppendReply reply = STARLING__OFFLINE_APPEND_REPLY__INIT;

	if (!op_row_ok(op, res, row))
		return;
	reply.id = (uint64_t)pg_get_int8(res, row, 1);
	op_reply(op, &reply.base);
}

/* s: each append with its account, an earlier append of the same key, and whether it may write at all.
 * t: fresh, unless its key was stored before, also earlier in this batch.
 * v: how many fresh ones of the account stand up to here in the batch, and the highest limit asked.
 * w: how many the account has stored, counted once an account and no further than needed.
 * x: limits applied, ids drawn in the order of arrival.
 * The account's advisory lock is held, so nobody else changes what is read here before the commit. */
const struct method offline_append = {
	.name = "OfflineAppend",
	.kind = METHOD_MERGED,
	.columns = append_columns,
	.column_count = sizeof append_columns / sizeof append_columns[0],
	.sql = "WITH s AS (SELECT u.ord, u.key, u.max, u.time_us, u.meta, u.stanza, a.id AS account, m.id AS had, "
	       "CASE WHEN f.epoch > u.epoch THEN 6 WHEN a.id IS NULL THEN 8 ELSE 0 END AS code "
	       "FROM unnest($1::text[], $2::text[], $3::int4[], $4::int8[], $5::bytea[], $6::int4[], $7::int8[], $8::bytea[], $9::bytea[]) "
	       "WITH ORDINALITY AS u (host, local, slot, epoch, key, max, time_us, meta, stanza, ord) "
	       "LEFT JOIN accounts a ON a.host = u.host AND a.local = u.local LEFT JOIN slot_fence f ON f.slot = u.slot "
	       "LEFT JOIN offline_messages m ON m.account_id = a.id AND m.key = u.key), "
	       "t AS (SELECT s.*, code = 0 AND had IS NULL AND (key IS NULL OR "
	       "row_number() OVER (PARTITION BY account, key ORDER BY ord) = 1) AS fresh FROM s), "
	       "v AS (SELECT t.*, count(*) FILTER (WHERE fresh) OVER p AS rank, max(max) OVER (PARTITION BY account) AS top FROM t "
	       "WINDOW p AS (PARTITION BY account ORDER BY ord)), "
	       "w AS (SELECT v.*, CASE WHEN fresh AND rank = 1 AND top > 0 THEN "
	       "(SELECT count(*) FROM (SELECT FROM offline_messages o WHERE o.account_id = v.account LIMIT v.top) c) END AS stored FROM "
	       "v), "
	       "x AS MATERIALIZED (SELECT ord, account, key, time_us, meta, stanza, had, fresh, "
	       "CASE WHEN fresh AND max > 0 AND max(stored) OVER p + rank > max THEN 11 ELSE code END AS code, "
	       "CASE WHEN fresh THEN nextval('offline_message_ids') END AS id FROM w "
	       "WINDOW p AS (PARTITION BY account ORDER BY ord ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)), "
	       "i AS (INSERT INTO offline_messages (account_id, id, time_us, key, meta, stanza) "
	       "SELECT account, id, time_us, key, meta, stanza FROM x WHERE fresh AND code = 0) "
	       "SELECT CASE WHEN fresh OR code <> 0 OR had IS NOT NULL THEN code ELSE first_value(code) OVER k END, "
	       "coalesce(had, id, first_value(id) OVER k) FROM x WINDOW k AS (PARTITION BY account, key ORDER BY ord) ORDER BY ord",
	.bind = bind_append,
	.answer = answer_append,
};

/* --- fetch --------------------------------------------------------------------------------------------------------- */

static int bind_fetch(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__OfflineFetchRequest *r = (const Starling__OfflineFetchRequest *)request;
	int code = op_bind_account(op, r->account, why);

	(void)payload;
	if (code)
		return code;
	if (r->limit == 0 || r->limit > FETCH_MAX || r->after > INT64_MAX) {
		*why = "limit must be 1 to 500";
		return STARLING__CODE__CODE_INVALID;
	}
	pg_args_int8(&op->args, (int64_t)r->after);
	pg_args_int4(&op->args, (int32_t)r->limit);
	pg_args_int8(&op->args, op->limits->fetch_bytes);
	return 0;
}

static void read_message(struct op *op, const PGresult *res, int row, Starling__StoredMessage *out)
{
	ProtobufCAllocator allocator = op_allocator(op);
	struct str meta = pg_get_bytes(res, row, 2), stanza = pg_get_bytes(res, row, 3);

	starling__stored_message__init(out);
	out->id = (uint64_t)pg_get_int8(res, row, 0);
	out->time_us = pg_get_int8(res, row, 1);
	out->meta = starling__stanza_meta__unpack(&allocator, meta.n, (const uint8_t *)meta.p);
	out->stanza = (ProtobufCBinaryData){ stanza.n, (uint8_t *)stanza.p };
}

static void answer_fetch(struct op *op, const PGresult *res, int row)
{
	Starling__OfflineFetchReply reply = STARLING__OFFLINE_FETCH_REPLY__INIT;
	size_t n = (size_t)PQntuples(res);
	Starling__StoredMessage *messages = arena_alloc(op->scratch, (n + 1) * sizeof *messages);

	reply.messages = arena_alloc(op->scratch, (n + 1) * sizeof(Starling__StoredMessage *));
	for (row = 0; row < (int)n; row++) {
		read_message(op, res, row, &messages[row]);
		reply.messages[reply.n_messages++] = &messages[row];
	}
	/* The last row knows how many there were in all, up to one more than asked for. */
	reply.complete = n == 0 || pg_get_int8(res, (int)n - 1, 4) == (int64_t)n;
	op_reply(op, &reply.base);
}

/* At least one message, then as many as fit the byte limit. */
const struct method offline_fetch = {
	.name = "OfflineFetch",
	.kind = METHOD_READ,
	.sql = "SELECT id, time_us, meta, stanza, total FROM (SELECT n.*, count(*) OVER () AS total, row_number() OVER o AS rank, "
	       "sum(octet_length(stanza)) OVER o - octet_length(stanza) AS before FROM ("
	       "SELECT m.id, m.time_us, m.meta, m.stanza FROM accounts a JOIN offline_messages m ON m.account_id = a.id "
	       "WHERE a.host = $1 AND a.local = $2 AND m.id > $3::int8 ORDER BY m.id LIMIT $4::int4 + 1) n "
	       "WINDOW o AS (ORDER BY id)) w WHERE rank <= $4::int4 AND before < $5::int8 ORDER BY id",
	.bind = bind_fetch,
	.answer = answer_fetch,
};

/* --- remove, count ------------------------------------------------------------------------------------------------- */

static int bind_remove(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__OfflineRemoveRequest *r = (const Starling__OfflineRemoveRequest *)request;
	int code = op_bind_account(op, r->account, why);
	struct pg_array ids;

	(void)payload;
	if (code)
		return code;
	ids = pg_array_begin(&op->args, PG_INT8, (uint32_t)r->n_ids);
	for (size_t i = 0; i < r->n_ids; i++)
		pg_array_int8(&ids, (int64_t)r->ids[i]);
	pg_array_end(&ids);
	return 0;
}

const struct method offline_remove = {
	.name = "OfflineRemove",
	.kind = METHOD_WRITE,
	.sql = "WITH d AS (DELETE FROM offline_messages m USING accounts a WHERE a.host = $1 AND a.local = $2 "
	       "AND m.account_id = a.id AND m.id = ANY ($3::int8[])) SELECT 0",
	.bind = bind_remove,
	.answer = op_answer_empty,
};

static int bind_key(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	(void)payload;
	return op_bind_account(op, ((const Starling__AccountKey *)request)->account, why);
}

static void answer_count(struct op *op, const PGresult *res, int row)
{
	Starling__OfflineCountReply reply = STARLING__OFFLINE_COUNT_REPLY__INIT;

	reply.count = (uint64_t)pg_get_int8(res, row, 0);
	op_reply(op, &reply.base);
}

const struct method offline_count = {
	.name = "OfflineCount",
	.kind = METHOD_READ,
	.sql = "SELECT count(*) FROM accounts a JOIN offline_messages m ON m.account_id = a.id WHERE a.host = $1 AND a.local = $2",
	.bind = bind_key,
	.answer = answer_count,
};
