/* SPDX-License-Identifier: Apache-2.0
 *
 * LogAppend, the store's busiest write: one statement for all appends of a batch, one row a message.
 * Numbers in the SQL are codes of ipc/proto/envelope.proto: 6 FENCED, 8 NOT_FOUND, 11 LIMIT. */
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/log.h"

enum { CHECK_KEY = 1, CHECK_ORIGIN = 2 };

static const enum pg_oid columns[] = {
	PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT4, PG_INT8, PG_INT8, PG_INT8, PG_INT8,  PG_INT8,
	PG_INT8, PG_INT8, PG_INT8, PG_INT8, PG_BOOL, PG_INT4, PG_INT4, PG_INT4, PG_BYTEA, PG_BYTEA,
};
#define RANK_ARG 17u

static int bind_accounts(struct op *op, const Starling__LogAppendRequest *r, const char **why)
{
	int code;

	if (!*r->recipient && !*r->sender) {
		*why = "neither sender nor recipient";
		return STARLING__CODE__CODE_INVALID;
	}
	if (*r->recipient) {
		code = op_bind_account(op, r->recipient, why);
	} else {
		pg_args_null(&op->args);
		pg_args_null(&op->args);
		code = 0;
	}
	if (code == 0)
		code = op_bind_other_account(op, r->sender, why);
	/* The lane is chosen by the first lock. */
	if (op->lock == LOCK_NONE) {
		op->lock = op->lock_other;
		op->lock_other = LOCK_NONE;
	}
	return code;
}

/* What an append is called within a batch; see op.h. */
static void name_append(struct op *op, const Starling__LogAppendRequest *r)
{
	const Starling__StanzaMeta *m = r->meta;
	uint64_t pair = (uint64_t)log_hash(log_bare(str_from(m->from))) * 3 + (uint64_t)log_hash(log_bare(str_from(m->to)));

	op->names[0] = r->key_stream ? r->key_stream ^ r->key_number * 0x9e3779b97f4a7c15u : 0;
	op->asks[0] = r->check && op->names[0];
	op->names[1] = *m->origin_id ? (uint64_t)log_hash(str_from(m->origin_id)) ^ pair : 0;
	op->asks[1] = r->check_origin && op->names[1];
}

static int bind_append(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__LogAppendRequest *r = (const Starling__LogAppendRequest *)request;
	int code = bind_accounts(op, r, why);

	if (code == 0)
		code = op_bind_fence(op, r->fence, why);
	if (code)
		return code;
	if (!r->meta || payload.n == 0 || r->max_waiting > INT32_MAX) {
		*why = !r->meta ? "no meta" : payload.n == 0 ? "no stanza" : "max_waiting out of range";
		return STARLING__CODE__CODE_INVALID;
	}
	if (r->key_stream) {
		pg_args_int8(&op->args, (int64_t)r->key_stream);
		pg_args_int8(&op->args, (int64_t)r->key_number);
	} else {
		pg_args_null(&op->args);
		pg_args_null(&op->args);
	}
	log_bind_names(op, r->meta);
	name_append(op, r);
	pg_args_bool(&op->args, r->archived);
	pg_args_int4(&op->args, (op->asks[0] ? CHECK_KEY : 0) | (op->asks[1] ? CHECK_ORIGIN : 0));
	pg_args_int4(&op->args, (int32_t)r->max_waiting);
	op->rank_arg = r->max_waiting ? RANK_ARG : 0;
	pg_args_int4(&op->args, 0);
	log_bind_meta(op, r->meta);
	pg_args_bytes(&op->args, payload);
	arena_reset(op->scratch);
	return 0;
}

static void answer_append(struct op *op, const PGresult *res, int row)
{
	Starling__LogAppendReply reply = STARLING__LOG_APPEND_REPLY__INIT;

	if (!op_row_ok(op, res, row))
		return;
	reply.id = (uint64_t)pg_get_int8(res, row, 1);
	reply.duplicate = pg_get_bool(res, row, 2);
	op_reply(op, &reply.base);
}

/* x: each append with its accounts, and whether it may write at all; a message to oneself has no sender but is `own`.
 * y: positions in the order of arrival, and for those that ask: an earlier append of the same name, or that too many wait. Within a batch nobody asks
 * for the name of another (op.h), so what the statement's snapshot has is enough: the accounts' locks were taken before it. */
const struct method log_append = {
	.name = "LogAppend",
	.kind = METHOD_MERGED,
	.columns = columns,
	.column_count = sizeof columns / sizeof columns[0],
	.sql = "WITH x AS (SELECT u.*, r.id AS recipient, nullif(s.id, r.id) AS sender, coalesce(s.id = r.id, false) AS own, "
	       "CASE WHEN f.epoch > u.epoch THEN 6 WHEN r.id IS NULL AND u.r_local IS NOT NULL THEN 8 ELSE 0 END AS code "
	       "FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int4[], $6::int8[], $7::int8[], $8::int8[], $9::int8[], "
	       "$10::int8[], $11::int8[], $12::int8[], $13::int8[], $14::int8[], $15::bool[], $16::int4[], $17::int4[], $18::int4[], "
	       "$19::bytea[], $20::bytea[]) WITH ORDINALITY AS u (r_host, r_local, s_host, s_local, slot, epoch, stream, number, name, "
	       "origin, "
	       "from_bare, to_bare, from_full, to_full, archived, checks, most, earlier, meta, stanza, ord) "
	       "LEFT JOIN accounts r ON r.host = u.r_host AND r.local = u.r_local "
	       "LEFT JOIN accounts s ON s.host = u.s_host AND s.local = u.s_local LEFT JOIN slot_fence f ON f.slot = u.slot), "
	       "y AS MATERIALIZED (SELECT x.*, (SELECT message_log_positions(cardinality($1::text[]))) + ord - 1 AS id, "
	       "CASE WHEN code = 0 AND (checks > 0 OR most > 0) THEN message_log_ask(sender, recipient, from_bare, to_bare, "
	       "CASE WHEN checks & 1 > 0 THEN stream END, number, CASE WHEN checks & 2 > 0 THEN origin END, most, earlier) ELSE 0 END AS "
	       "had FROM x), "
	       "i AS (INSERT INTO message_log (id, sender, recipient, from_bare, to_bare, from_full, to_full, key_stream, key_number, "
	       "name, "
	       "origin, archived, own, meta, stanza) SELECT id, sender, recipient, from_bare, to_bare, from_full, to_full, stream, number, "
	       "name, "
	       "origin, recipient IS NOT NULL AND (archived OR own), own, meta, stanza FROM y "
	       "WHERE code = 0 AND had = 0 AND (sender IS NOT NULL OR recipient IS NOT NULL)) "
	       "SELECT CASE WHEN had < 0 THEN 11 ELSE code END, CASE WHEN had > 0 THEN had ELSE id END, had > 0 FROM y ORDER BY ord",
	.bind = bind_append,
	.answer = answer_append,
};
