/* SPDX-License-Identifier: Apache-2.0
 *
 * LogFetch: an account's messages in the order of the log, as delivery needs them; and the bounds of its archive. */
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/log.h"

/* --- fetch --------------------------------------------------------------------------------------------------------- */

static int bind_fetch(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__LogFetchRequest *r = (const Starling__LogFetchRequest *)request;
	int code = op_bind_account(op, r->account, why);

	(void)payload;
	if (code)
		return code;
	if (r->limit > LOG_PAGE_MAX || r->n_ids > LOG_PAGE_MAX || (r->limit == 0 && r->n_ids == 0) || r->after > INT64_MAX) {
		*why = "limit must be 1 to 500, and no more ids";
		return STARLING__CODE__CODE_INVALID;
	}
	pg_args_int8(&op->args, (int64_t)r->after);
	pg_args_int4(&op->args, r->limit ? (int32_t)r->limit : (int32_t)LOG_PAGE_MAX);
	pg_args_int8(&op->args, op->limits->fetch_bytes);
	pg_args_bool(&op->args, r->received_only);
	if (r->n_ids) {
		op->statement = STATEMENT_LOG_FETCH_IDS;
		log_bind_ids(op, r->ids, r->n_ids);
	}
	return 0;
}

static void answer_fetch(struct op *op, const PGresult *res, int row)
{
	Starling__LogFetchReply reply = STARLING__LOG_FETCH_REPLY__INIT;
	int n = PQntuples(res);

	(void)row;
	reply.n_entries = log_read_entries(op, res, &reply.entries);
	/* Each row knows how many there were in all, up to one more than asked for. */
	reply.complete = n == 0 || pg_get_int8(res, 0, 6) == n;
	op_reply(op, &reply.base);
}

/* clang-format off */
/* Each branch walks one index in order, so the limit ends it early. Of what is not archived only that which still waits is there: cursor and holes
 * say so, not the row. At least one message, then as many as fit the byte limit. */
#define BRANCH(sent, received, archived, where, which) \
	"(SELECT m.id, " sent " AS sent, " received " AS received, " archived " AS archived, m.meta, m.stanza FROM message_log m WHERE " where \
	" AND m.id > $3::int8" which " ORDER BY m.id LIMIT $4::int4 + 1)"
#define SENT     "m.sender = (SELECT id FROM a)"
#define RECEIVED "m.recipient = (SELECT id FROM a) AND m.archived"
#define PASSING  "m.recipient = (SELECT id FROM a) AND NOT m.archived"
#define WAITING  " AND m.stanza <> '' AND (m.id > (SELECT delivered FROM a) OR m.id = ANY (coalesce((SELECT holes FROM a), '{}'::bigint[])))"
#define FETCH(which) \
	"WITH a AS MATERIALIZED (SELECT a.id, coalesce(c.delivered, 0) AS delivered, coalesce(c.holes, '{}') AS holes FROM accounts a " \
	"LEFT JOIN message_cursors c ON c.account_id = a.id WHERE a.host = $1 AND a.local = $2) " \
	"SELECT id, sent, received, archived, meta, stanza, total FROM (SELECT n.*, count(*) OVER () AS total, row_number() OVER o AS rank, " \
	"sum(octet_length(stanza)) OVER o - octet_length(stanza) AS before FROM (SELECT * FROM (" \
	BRANCH("true", "false", "true", SENT " AND NOT $6::bool", which) " UNION ALL " \
	BRANCH("m.own", "true", "true", RECEIVED, which) " UNION ALL " \
	BRANCH("false", "true", "false", PASSING WAITING, which) ") u ORDER BY id LIMIT $4::int4 + 1) n " \
	"WINDOW o AS (ORDER BY id)) w WHERE rank <= $4::int4 AND before < $5::int8 ORDER BY id"

const char *const log_fetch_ids_sql = FETCH(" AND m.id = ANY ($7::int8[])");

const struct method log_fetch = {
	.name = "LogFetch",
	.kind = METHOD_READ,
	.sql = FETCH(""),
	.bind = bind_fetch,
	.answer = answer_fetch,
};
/* clang-format on */

/* --- metadata ------------------------------------------------------------------------------------------------------ */

static int bind_metadata(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	(void)payload;
	return op_bind_account(op, ((const Starling__AccountKey *)request)->account, why);
}

static void answer_metadata(struct op *op, const PGresult *res, int row)
{
	Starling__LogMetadataReply reply = STARLING__LOG_METADATA_REPLY__INIT;

	reply.first = (uint64_t)pg_get_int8(res, row, 0);
	reply.last = (uint64_t)pg_get_int8(res, row, 1);
	op_reply(op, &reply.base);
}

/* clang-format off */
#define END_OF(where, direction) "(SELECT m.id FROM message_log m WHERE " where " ORDER BY m.id " direction " LIMIT 1)"

const struct method log_metadata = {
	.name = "LogMetadata",
	.kind = METHOD_READ,
	.sql = "WITH a AS MATERIALIZED (SELECT id FROM accounts WHERE host = $1 AND local = $2) SELECT "
	       "coalesce(least(" END_OF(SENT, "ASC") ", " END_OF(RECEIVED, "ASC") "), 0), "
	       "coalesce(greatest(" END_OF(SENT, "DESC") ", " END_OF(RECEIVED, "DESC") "), 0)",
	.bind = bind_metadata,
	.answer = answer_metadata,
};
/* clang-format on */
