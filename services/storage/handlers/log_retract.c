/* SPDX-License-Identifier: Apache-2.0
 *
 * LogRetract (XEP-0424): finds the message, which may take a while in a large archive, on a connection for reads; then puts the tombstone in its place.
 * One row is the entry of both archives. */
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/log.h"

#define TARGETS_MAX 40
#define KEPT        3u

/* Null for a JID that cannot be an account here. */
static int bind_party(struct op *op, const char *jid, uint32_t *out_lock, const char **why)
{
	if (*jid && !strchr(jid, '/'))
		return op_bind_jid(op, strchr(jid, '@') ? jid : "", out_lock, why);
	*why = "sender or recipient is not a bare JID";
	return STARLING__CODE__CODE_INVALID;
}

static int bind_retract(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__LogRetractRequest *r = (const Starling__LogRetractRequest *)request;
	int code = bind_party(op, r->sender, &op->lock, why);

	(void)payload;
	if (code == 0)
		code = bind_party(op, r->recipient, &op->lock_other, why);
	if (code)
		return code;
	if (!*r->target || r->tombstone.len == 0) {
		*why = "no target, or no tombstone";
		return STARLING__CODE__CODE_INVALID;
	}
	pg_args_int8(&op->args, log_hash(str_from(r->sender)));
	pg_args_int8(&op->args, log_hash(str_from(r->recipient)));
	log_bind_mark(op, MARK_ID, str_from(r->target));
	log_bind_mark(op, MARK_ORIGIN, str_from(r->target));
	op_bind_data(op, &r->tombstone); /* for the second half */
	return 0;
}

/* Parameters of the second half: both accounts, the tombstone, and positions of rows found by their sender and by their recipient. */
static void bind_tombstone(struct op *op, const PGresult *res)
{
	static const uint32_t which[KEPT] = { 0, 1, 6 };
	struct str data = buf_str(&op->args.data), kept[KEPT];
	uint64_t ids[2][TARGETS_MAX];
	size_t n[2] = { 0, 0 };

	for (uint32_t i = 0; i < KEPT; i++)
		kept[i] = op->args.arg[which[i]].n < 0
		                  ? STR("")
		                  : arena_str(op->scratch, str_make(data.p + op->args.arg[which[i]].at, (size_t)op->args.arg[which[i]].n));
	for (int row = 0; row < PQntuples(res) && row < TARGETS_MAX; row++) {
		size_t side = pg_get_bool(res, row, 1) ? 0 : 1;

		ids[side][n[side]++] = (uint64_t)pg_get_int8(res, row, 0);
	}
	op_become(op, METHOD_LOG_TOMBSTONE);
	for (uint32_t i = 0; i < KEPT; i++)
		if (kept[i].n)
			pg_args_bytes(&op->args, kept[i]);
		else
			pg_args_null(&op->args);
	log_bind_ids(op, ids[0], n[0]);
	log_bind_ids(op, ids[1], n[1]);
}

static void answer_retract(struct op *op, const PGresult *res, int row)
{
	Starling__Empty reply = STARLING__EMPTY__INIT;

	(void)row;
	if (PQntuples(res) == 0) {
		op_reply(op, &reply.base);
		return;
	}
	bind_tombstone(op, res);
	op_again(op);
}

/* clang-format off */
#define TARGET(by_sender, where) \
	"(SELECT m.id, " by_sender " AS by_sender FROM message_log m WHERE " where " AND m.from_bare = $3::int8 AND m.to_bare = $4::int8 " \
	"AND (position($5::bytea IN m.marks) > 0 OR position($6::bytea IN m.marks) > 0) ORDER BY m.id DESC LIMIT 20)"
#define SENT     "m.sender = (SELECT id FROM s)"
#define NOT_SENT "(m.sender IS NULL OR m.sender <> coalesce((SELECT id FROM s), 0))"
#define RECEIVED "m.recipient = (SELECT id FROM r) AND m.archived AND " NOT_SENT
#define PASSING  "m.recipient = (SELECT id FROM r) AND NOT m.archived AND m.stanza <> '' AND " NOT_SENT

/* The address in the message decides who wrote it, not whose archive it is in. Twice the same id: all of them, the newest twenty of each branch. */
const struct method log_retract = {
	.name = "LogRetract",
	.kind = METHOD_READ,
	.sql = "WITH s AS MATERIALIZED (SELECT id FROM accounts WHERE jid = $1), r AS MATERIALIZED (SELECT id FROM accounts WHERE jid = $2), "
	       "t AS (SELECT $7::bytea) SELECT id, by_sender FROM (" TARGET("true", SENT) " UNION ALL " TARGET("false", RECEIVED)
	       " UNION ALL " TARGET("false", PASSING) ") q LIMIT 40",
	.bind = bind_retract,
	.answer = answer_retract,
};
/* clang-format on */

const struct method log_tombstone = {
	.name = "LogTombstone",
	.kind = METHOD_WRITE,
	.sql = "WITH s AS (UPDATE message_log m SET stanza = $3::bytea WHERE m.sender = (SELECT id FROM accounts WHERE jid = $1) "
	       "AND m.id = ANY ($4::int8[])), "
	       "r AS (UPDATE message_log m SET stanza = $3::bytea WHERE m.recipient = (SELECT id FROM accounts WHERE jid = $2) "
	       "AND m.archived AND m.id = ANY ($5::int8[])), "
	       "p AS (UPDATE message_log m SET stanza = $3::bytea WHERE m.recipient = (SELECT id FROM accounts WHERE jid = $2) "
	       "AND NOT m.archived AND m.stanza <> '' AND m.id = ANY ($5::int8[])) SELECT 0",
	.answer = op_answer_empty,
};
