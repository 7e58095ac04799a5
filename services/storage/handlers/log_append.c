/* SPDX-License-Identifier: Apache-2.0
 *
 * LogAppend, the store's busiest write: one statement for all appends of a batch, one row a message.
 * Numbers in the SQL are codes of ipc/proto/envelope.proto: 6 FENCED, 8 NOT_FOUND, 11 LIMIT. */
#include "common/base/hash.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/log.h"

/* What is small travels in one number: the fence's slot, flags, how many marks stand before the origin id's, max_waiting, and how far back to look. A column costs more than its content. */
enum { BITS_ARCHIVED = 1 << 10, BITS_CHECK_KEY = 1 << 11, BITS_CHECK_ORIGIN = 1 << 12, BITS_ORIGIN_AT = 13, BITS_MOST = 16, BITS_AGE = 47 };
#define AGE_UNIT_MS 4000u
#define AGE_MAX     32767u

static const enum pg_oid columns[] = { PG_TEXT, PG_TEXT, PG_INT8, PG_INT8, PG_BYTEA, PG_BYTEA, PG_BYTEA, PG_INT8, PG_INT8, PG_INT4 };
#define RANK_ARG 9u
/* Of an append: the mark that its origin id is. */
#define ORIGIN "substr(x.marks, 1 + (8 * (x.bits >> 13 & 3))::int4, 8)"

static int check(const Starling__LogAppendRequest *r, struct str payload, const char **why)
{
	if (!*r->recipient && !*r->sender)
		*why = "neither sender nor recipient";
	else if (!r->meta)
		*why = "no meta";
	else if (payload.n == 0)
		*why = "no stanza";
	else if (r->max_waiting > INT32_MAX)
		*why = "max_waiting out of range";
	else if (r->fence && (r->fence->slot >= SLOT_COUNT || r->fence->epoch > INT64_MAX))
		*why = "fence out of range";
	else
		return 0;
	return STARLING__CODE__CODE_INVALID;
}

/* What the append is called within its batch; see op.h. */
static void set_names(struct op *op, const Starling__LogAppendRequest *r)
{
	const Starling__StanzaMeta *m = r->meta;
	uint64_t pair = (uint64_t)log_hash(log_bare(str_from(m->from))) * 3 + (uint64_t)log_hash(log_bare(str_from(m->to)));

	op->names[0] = r->key_stream ? r->key_stream ^ r->key_number * 0x9e3779b97f4a7c15u : 0;
	op->asks[0] = r->check && op->names[0];
	op->names[1] = *m->origin_id ? (uint64_t)log_hash(str_from(m->origin_id)) ^ pair : 0;
	op->asks[1] = r->check_origin && op->names[1];
}

static void bind_bits(struct op *op, const Starling__LogAppendRequest *r)
{
	int64_t bits = (int64_t)r->max_waiting << BITS_MOST;

	bits |= r->archived ? BITS_ARCHIVED : 0;
	bits |= (op->asks[0] ? BITS_CHECK_KEY : 0) | (op->asks[1] ? BITS_CHECK_ORIGIN : 0);
	bits |= (int64_t)((r->key_stream != 0) + (*r->meta->id != '\0')) << BITS_ORIGIN_AT;
	if (r->fence) {
		op->fenced = true;
		op->slot = r->fence->slot;
		op->epoch = r->fence->epoch;
		bits |= r->fence->slot;
	}
	if (op->asks[0] && r->check_age_ms) {
		uint64_t age = r->check_age_ms / AGE_UNIT_MS + 1;

		bits |= (int64_t)(age < AGE_MAX ? age : AGE_MAX) << BITS_AGE;
	}
	pg_args_int8(&op->args, bits);
	/* Without a fence: higher than any. */
	pg_args_int8(&op->args, r->fence ? (int64_t)r->fence->epoch : INT64_MAX);
}

static int bind_append(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__LogAppendRequest *r = (const Starling__LogAppendRequest *)request;
	int code = check(r, payload, why);

	if (code == 0)
		code = op_bind_jid(op, r->recipient, &op->lock, why);
	if (code == 0)
		code = op_bind_jid(op, r->sender, &op->lock_other, why);
	if (code)
		return code;
	/* The lane is chosen by the first lock. */
	if (op->lock == LOCK_NONE) {
		op->lock = op->lock_other;
		op->lock_other = LOCK_NONE;
	}
	set_names(op, r);
	log_bind_names(op, r->meta, r->key_stream, r->key_number, payload);
	log_bind_meta(op, r->meta);
	pg_args_bytes(&op->args, payload);
	bind_bits(op, r);
	pg_args_int4(&op->args, 0);
	op->rank_arg = r->max_waiting ? RANK_ARG : 0;
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

/* OFFSET 0 keeps look-ups what they are, by index, also when the plan is made while the table is small.
 * u: what has no fixed size; numbers are picked from their arrays, which is cheaper than a column.
 * x: each append with its accounts, and whether it may write at all; a message to oneself has no sender but is `own`.
 * o: for those whose client may send again in a new session what was not acknowledged to it: what its account has sent to the same recipient within a day. Not
 *    the last of all that it has sent: other clients of a busy account send thousands of messages while that one is away. One pass for a batch, by the
 *    index alone but for that recipient's. A sender without an archive has no such list, and is looked up like a key.
 * h: which of those are repetitions.
 * y: positions in the order of arrival, and for those that ask: an earlier append of the same name, or that too many wait. Within a batch nobody asks
 * for the name of another (op.h), so what the statement's snapshot has is enough: the accounts' locks were taken before it. */
const struct method log_append = {
	.name = "LogAppend",
	.kind = METHOD_MERGED,
	.columns = columns,
	.column_count = sizeof columns / sizeof columns[0],
	.sql = "WITH x AS (SELECT u.ord, ($3::int8[])[u.ord] AS from_bare, ($4::int8[])[u.ord] AS to_bare, u.marks, u.meta, u.stanza, "
	       "($8::int8[])[u.ord] AS bits, r.id AS recipient, nullif(s.id, r.id) AS sender, coalesce(s.id = r.id, false) AS own, "
	       "CASE WHEN f.slot IS NOT NULL THEN 6 WHEN r.id IS NULL AND u.recipient IS NOT NULL THEN 8 ELSE 0 END AS code "
	       "FROM unnest($1::text[], $2::text[], $5::bytea[], $6::bytea[], $7::bytea[]) WITH ORDINALITY "
	       "AS u (recipient, sender, marks, meta, stanza, ord) "
	       "LEFT JOIN LATERAL (SELECT id FROM accounts WHERE jid = u.recipient OFFSET 0) r ON true "
	       "LEFT JOIN LATERAL (SELECT id FROM accounts WHERE jid = u.sender OFFSET 0) s ON true "
	       "LEFT JOIN LATERAL (SELECT slot FROM slot_fence WHERE slot = (($8::int8[])[u.ord] & 1023)::int4 "
	       "AND epoch > ($9::int8[])[u.ord] OFFSET 0) f ON true), "
	       "o AS (SELECT m.* FROM (SELECT DISTINCT sender, from_bare, to_bare FROM x WHERE bits & 4096 > 0 AND code = 0 "
	       "AND sender IS NOT NULL) s, "
	       "LATERAL (SELECT l.id, l.sender, l.from_bare, l.to_bare, l.marks FROM message_log l WHERE l.sender = s.sender "
	       "AND l.to_bare = s.to_bare AND l.from_bare = s.from_bare "
	       "AND l.id > (date_part('epoch', now()) * 1000000)::int8 - 86400000000 ORDER BY l.id DESC LIMIT 20000) m), "
	       "h AS (SELECT x.ord, min(o.id) AS id FROM x JOIN o ON o.sender = x.sender AND o.to_bare = x.to_bare "
	       "AND o.from_bare = x.from_bare WHERE x.bits & 4096 > 0 AND position(" ORIGIN " IN o.marks) > 0 GROUP BY x.ord), "
	       "y AS MATERIALIZED (SELECT x.*, (SELECT message_log_positions(cardinality($8::int8[]))) + x.ord - 1 AS id, "
	       "CASE WHEN h.id IS NOT NULL THEN h.id "
	       "WHEN code = 0 AND (bits & 6144 > 0 OR bits >= 65536) THEN message_log_ask(sender, recipient, from_bare, to_bare, "
	       "CASE WHEN bits & 2048 > 0 THEN substr(marks, 1, 8) END, "
	       "CASE WHEN bits & 4096 > 0 AND sender IS NULL THEN " ORIGIN " END, (bits >> 16 & 2147483647)::int4, "
	       "($10::int4[])[x.ord], (bits >> 47)::int4) ELSE 0 END AS had FROM x LEFT JOIN h ON h.ord = x.ord), "
	       "i AS (INSERT INTO message_log (id, sender, recipient, from_bare, to_bare, archived, own, marks, meta, stanza) "
	       "SELECT id, sender, recipient, from_bare, to_bare, recipient IS NOT NULL AND (bits & 1024 > 0 OR own), own, marks, meta, "
	       "stanza "
	       "FROM y WHERE code = 0 AND had = 0 AND (sender IS NOT NULL OR recipient IS NOT NULL)) "
	       "SELECT CASE WHEN had < 0 THEN 11 ELSE code END, CASE WHEN had > 0 THEN had ELSE id END, had > 0 FROM y ORDER BY ord",
	.bind = bind_append,
	.answer = answer_append,
};
