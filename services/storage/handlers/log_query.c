/* SPDX-License-Identifier: Apache-2.0
 *
 * LogQuery: a page of an archive (XEP-0313, XEP-0059). The page is one statement; a second one in the same transaction counts, and looks whether what
 * the caller refers to is in the archive, where that is asked. A message to oneself is one row of one index, so nothing comes twice.
 * Numbers in the SQL are codes of ipc/proto/envelope.proto: 8 NOT_FOUND. */
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/log.h"

#define COUNT_MAX "100000"

enum { NOTE_BACKWARD = 1, NOTE_COUNT = 2 };

/* The page's bounds, inclusive. */
struct bounds {
	int64_t low, high;
};

static struct bounds bounds_of(const Starling__LogQueryRequest *r)
{
	struct bounds b = { (int64_t)r->from_id, r->to_id ? (int64_t)r->to_id : INT64_MAX };

	if (r->after && (int64_t)r->after >= b.low)
		b.low = (int64_t)r->after + 1;
	if (r->before && (int64_t)r->before <= b.high)
		b.high = (int64_t)r->before - 1;
	return b;
}

static int check(const Starling__LogQueryRequest *r, const char **why)
{
	if (r->limit > LOG_PAGE_MAX || r->n_ids > LOG_PAGE_MAX) {
		*why = "limit must be at most 500, and no more ids";
		return STARLING__CODE__CODE_INVALID;
	}
	if (r->from_id > INT64_MAX || r->to_id > INT64_MAX || r->after >= INT64_MAX || r->before > INT64_MAX) {
		*why = "position out of range";
		return STARLING__CODE__CODE_INVALID;
	}
	return 0;
}

/* Two parameters: the range of the other's hash, which is everything without a filter. So the index answers both. */
static void bind_with(struct op *op, struct str with)
{
	int64_t hash = log_hash(log_bare(with));

	pg_args_int8(&op->args, with.n ? hash : INT64_MIN);
	pg_args_int8(&op->args, with.n ? hash : INT64_MAX);
}

static void bind_head(struct op *op, const Starling__LogQueryRequest *r, struct bounds page, const char **why)
{
	struct pg_args page_args = op->args;
	struct str with = str_from(r->with);

	op->args = (struct pg_args){ 0 };
	(void)op_bind_account(op, r->account, why);
	pg_args_int8(&op->args, (int64_t)r->from_id);
	pg_args_int8(&op->args, r->to_id ? (int64_t)r->to_id : INT64_MAX);
	bind_with(op, with);
	pg_args_bool(&op->args, r->count || r->limit == 0);
	/* Matches below this position are ahead of the page (forward), or ahead of its end (backward). */
	pg_args_int8(&op->args, !r->backward ? page.low : page.high == INT64_MAX ? INT64_MAX : page.high + 1);
	pg_args_int8(&op->args, r->require_after ? (int64_t)r->after : 0);
	pg_args_int8(&op->args, r->require_after ? (int64_t)r->before : 0);
	log_bind_ids(op, r->ids, r->n_ids);
	op->head_statement = STATEMENT_LOG_QUERY_HEAD;
	if (log_bare(with).n < with.n) {
		op->head_statement = STATEMENT_LOG_QUERY_HEAD_FULL;
		log_bind_full(op, with);
	}
	op->head_args = op->args;
	op->args = page_args;
	op->has_head = true;
}

static int bind_query(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__LogQueryRequest *r = (const Starling__LogQueryRequest *)request;
	struct bounds page = bounds_of(r);
	int code = check(r, why);

	(void)payload;
	if (code == 0)
		code = op_bind_account(op, r->account, why);
	if (code)
		return code;
	pg_args_int8(&op->args, page.low);
	pg_args_int8(&op->args, page.high);
	pg_args_int4(&op->args, (int32_t)r->limit);
	pg_args_int8(&op->args, op->limits->fetch_bytes);
	bind_with(op, str_from(r->with));
	log_bind_full(op, str_from(r->with));
	if (r->n_ids) {
		op->statement = r->backward ? STATEMENT_LOG_QUERY_IDS_BACKWARD : STATEMENT_LOG_QUERY_IDS;
		log_bind_ids(op, r->ids, r->n_ids);
	} else if (r->backward) {
		op->statement = STATEMENT_LOG_QUERY_BACKWARD;
	}
	op->note = (r->backward ? NOTE_BACKWARD : 0) | (r->count || r->limit == 0 ? NOTE_COUNT : 0);
	if (op->note & NOTE_COUNT || r->require_after || r->n_ids)
		bind_head(op, r, page, why);
	return 0;
}

static void answer_query(struct op *op, const PGresult *res, int row)
{
	Starling__LogQueryReply reply = STARLING__LOG_QUERY_REPLY__INIT;
	int n = PQntuples(res);
	uint64_t below = 0;

	(void)row;
	if (op->head && pg_get_int4(op->head, 0, 0)) {
		op_fail(op, pg_get_int4(op->head, 0, 0), "not in the archive");
		return;
	}
	reply.n_entries = log_read_entries(op, res, &reply.entries);
	/* Each row knows how many there were in all, up to one more than asked for. */
	reply.complete = n == 0 || pg_get_int8(res, 0, 6) == n;
	if (op->note & NOTE_COUNT) {
		reply.count = (uint64_t)pg_get_int8(op->head, 0, 1);
		below = (uint64_t)pg_get_int8(op->head, 0, 2);
		reply.index = !(op->note & NOTE_BACKWARD) ? below : below > (uint64_t)n ? below - (uint64_t)n : 0;
	}
	if (op->note & NOTE_COUNT && n == 0)
		reply.complete = op->note & NOTE_BACKWARD ? below == 0 : below >= reply.count;
	op_reply(op, &reply.base);
}

/* --- statements ---------------------------------------------------------------------------------------------------- */

/* clang-format off */
#define ACCOUNT  "WITH a AS MATERIALIZED (SELECT id FROM accounts WHERE host = $1 AND local = $2) "
#define SENT     "m.sender = (SELECT id FROM a)"
#define RECEIVED "m.recipient = (SELECT id FROM a) AND m.archived"

/* A page, from each index in its order, so that the limit ends the walk early. The byte limit lets at least one through. */
#define WITH_SENT     " AND m.to_bare BETWEEN $7::int8 AND $8::int8 AND ($10::bytea IS NULL OR position($10::bytea IN m.marks) > 0)"
#define WITH_RECEIVED " AND m.from_bare BETWEEN $7::int8 AND $8::int8 AND ($9::bytea IS NULL OR position($9::bytea IN m.marks) > 0 " \
	"OR m.own AND position($10::bytea IN m.marks) > 0)"
#define BRANCH(sent, received, where, which, direction) \
	"(SELECT m.id, " sent " AS sent, " received " AS received, true AS archived, m.meta, m.stanza FROM message_log m WHERE " where \
	" AND m.id BETWEEN $3::int8 AND $4::int8" which " ORDER BY m.id " direction " LIMIT $5::int4 + 1)"
#define PAGE(which, direction) \
	ACCOUNT "SELECT id, sent, received, archived, meta, stanza, total FROM (SELECT n.*, count(*) OVER () AS total, " \
	"row_number() OVER o AS rank, sum(octet_length(stanza)) OVER o - octet_length(stanza) AS before FROM (SELECT * FROM (" \
	BRANCH("true", "false", SENT WITH_SENT, which, direction) " UNION ALL " \
	BRANCH("m.own", "true", RECEIVED WITH_RECEIVED, which, direction) ") u ORDER BY id " direction " LIMIT $5::int4 + 1) n " \
	"WINDOW o AS (ORDER BY id " direction ")) w WHERE rank <= $5::int4 AND before < $6::int8 ORDER BY id"
#define AMONG " AND m.id = ANY ($11::int8[])"

const char *const log_query_backward_sql = PAGE("", "DESC");
const char *const log_query_ids_sql = PAGE(AMONG, "ASC");
const char *const log_query_ids_backward_sql = PAGE(AMONG, "DESC");

/* What the head says: OK or NOT_FOUND, how many match, how many of them are below a position. Counting reads indexes alone, unless a resource is
 * asked for. */
#define HAS(id) \
	"(" id " = 0 OR EXISTS (SELECT FROM message_log m WHERE " SENT " AND m.id = " id ") OR " \
	"EXISTS (SELECT FROM message_log m WHERE " RECEIVED " AND m.id = " id "))"
#define NUMBER(where)  "(SELECT count(*) FROM (SELECT FROM message_log m WHERE " where " LIMIT " COUNT_MAX ") q)"
#define RANGE          " AND m.id BETWEEN $3::int8 AND $4::int8"
#define IDS(condition) "(SELECT count(DISTINCT i) FROM unnest($11::int8[]) i WHERE " condition ")"
#define BY_IDS         "cardinality($11::int8[]) > 0"
#define ALL_THERE \
	"(NOT " BY_IDS " OR " NUMBER(SENT " AND m.id = ANY ($11::int8[])") " + " NUMBER(RECEIVED " AND m.id = ANY ($11::int8[])") " = " \
	IDS("true") ")"
#define MATCHES(sent, received, more) \
	"least(" COUNT_MAX ", " NUMBER(SENT RANGE " AND m.to_bare BETWEEN $5::int8 AND $6::int8" sent more) " + " \
	NUMBER(RECEIVED RANGE " AND m.from_bare BETWEEN $5::int8 AND $6::int8" received more) ")"
#define HEAD(sent, received) \
	ACCOUNT "SELECT CASE WHEN " HAS("$9::int8") " AND " HAS("$10::int8") " AND " ALL_THERE " THEN 0 ELSE 8 END, " \
	"CASE WHEN NOT $7::bool THEN 0 WHEN " BY_IDS " THEN " IDS("true") " ELSE " MATCHES(sent, received, "") " END, " \
	"CASE WHEN NOT $7::bool THEN 0 WHEN " BY_IDS " THEN " IDS("i < $8::int8") " ELSE " \
	MATCHES(sent, received, " AND m.id < $8::int8") " END"
#define FULL_SENT     " AND position($13::bytea IN m.marks) > 0"
#define FULL_RECEIVED " AND (position($12::bytea IN m.marks) > 0 OR m.own AND position($13::bytea IN m.marks) > 0)"

const char *const log_query_head_sql = HEAD("", "");
const char *const log_query_head_full_sql = HEAD(FULL_SENT, FULL_RECEIVED);

const struct method log_query = {
	.name = "LogQuery",
	.kind = METHOD_READ,
	.sql = PAGE("", "ASC"),
	.bind = bind_query,
	.answer = answer_query,
};
/* clang-format on */
