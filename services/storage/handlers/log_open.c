/* SPDX-License-Identifier: Apache-2.0
 *
 * LogOpen: where an account stands. Messages that an older release stored with OfflineAppend move into the log first, page by page: LogOpen finds some,
 * goes on as LogMove, and begins again. */
#include <endian.h>

#include "common/base/clock.h"
#include "common/xmpp/stanza.h"
#include "ipc/gen/storage.client.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/log.h"

#define HOLES_MAX 1000u
/* A message stored longer ago than this gets its time written into it: its position is that of the move. */
#define STAMP_US 60000000

/* --- open ---------------------------------------------------------------------------------------------------------- */

static void bind_offline(struct op *op)
{
	struct pg_args open_args = op->args;

	op->args = (struct pg_args){ 0 };
	for (uint32_t i = 0; i < 2; i++)
		pg_args_bytes(&op->args, str_make(buf_str(&open_args.data).p + open_args.arg[i].at, (size_t)open_args.arg[i].n));
	pg_args_int8(&op->args, op->limits->fetch_bytes);
	op->head_args = op->args;
	op->args = open_args;
	op->has_head = true;
	op->head_statement = STATEMENT_LOG_OPEN_OFFLINE;
}

static int bind_open(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	int code = op_bind_account(op, ((const Starling__AccountKey *)request)->account, why);

	(void)payload;
	if (code == 0)
		bind_offline(op);
	return code;
}

static size_t read_texts(struct op *op, const PGresult *res, int column, char ***out)
{
	uint32_t n = pg_get_text_count(res, 0, column);
	struct str *texts = arena_alloc(op->scratch, (n + 1) * sizeof *texts);

	n = pg_get_texts(res, 0, column, texts, n);
	*out = arena_alloc(op->scratch, (n + 1) * sizeof(char *));
	for (uint32_t i = 0; i < n; i++)
		(*out)[i] = arena_strndup(op->scratch, texts[i].p, texts[i].n);
	return n;
}

static void move(struct op *op);

static void answer_open(struct op *op, const PGresult *res, int row)
{
	Starling__LogState reply = STARLING__LOG_STATE__INIT;
	Starling__ArchivePrefs prefs = STARLING__ARCHIVE_PREFS__INIT;

	(void)row;
	if (PQntuples(res) == 0) {
		op_fail(op, STARLING__CODE__CODE_NOT_FOUND, "no such account");
		return;
	}
	if (PQntuples(op->head) > 0) {
		move(op);
		return;
	}
	reply.last = (uint64_t)pg_get_int8(res, 0, 0);
	reply.delivered = (uint64_t)pg_get_int8(res, 0, 1);
	reply.holes = arena_alloc(op->scratch, HOLES_MAX * sizeof *reply.holes);
	reply.n_holes = pg_get_int8s(res, 0, 2, reply.holes, HOLES_MAX);
	reply.waiting = (uint32_t)pg_get_int8(res, 0, 3);
	prefs.default_ = (Starling__ArchivePrefs__Default)pg_get_int4(res, 0, 4);
	prefs.n_always = read_texts(op, res, 5, &prefs.always);
	prefs.n_never = read_texts(op, res, 6, &prefs.never);
	reply.prefs = &prefs;
	op_reply(op, &reply.base);
}

const struct method log_open = {
	.name = "LogOpen",
	.kind = METHOD_READ,
	.sql = "SELECT coalesce(message_log_last(a.id), 0), coalesce(c.delivered, 0), coalesce(c.holes, '{}'), "
	       "message_log_waiting(a.id, coalesce(c.delivered, 0), 10000), "
	       "coalesce(p.mode, 0), coalesce(p.always, '{}'), coalesce(p.never, '{}') "
	       "FROM (SELECT id FROM accounts WHERE host = $1 AND local = $2 OFFSET 0) a "
	       "LEFT JOIN LATERAL (SELECT delivered, holes FROM message_cursors WHERE account_id = a.id OFFSET 0) c ON true "
	       "LEFT JOIN LATERAL (SELECT mode, always, never FROM archive_prefs WHERE account_id = a.id OFFSET 0) p ON true",
	.bind = bind_open,
	.answer = answer_open,
};

const char *const log_open_offline_sql =
        "SELECT id, time_us, meta, stanza, key FROM (SELECT m.*, sum(octet_length(stanza)) OVER (ORDER BY id) - octet_length(stanza) AS "
        "before "
        "FROM ("
        "SELECT m.id, m.time_us, m.meta, m.stanza, m.key FROM offline_messages m WHERE m.account_id = "
        "(SELECT id FROM accounts WHERE host = $1 AND local = $2) ORDER BY m.id LIMIT 500) m) w WHERE before < $3::int8 ORDER BY id";

/* --- move ---------------------------------------------------------------------------------------------------------- */

struct moved {
	uint64_t id; /* the old one */
	uint64_t key_stream, key_number;
	Starling__StanzaMeta *meta;
	struct str packed, stanza, original; /* the original names it, whatever is written into it */
};

/* An append that may be the same is looked for by this name, in the log only (storage.proto, OfflineAppendRequest). */
static void read_key(struct moved *m, struct str key)
{
	uint64_t words[2];

	if (key.n != sizeof words)
		return;
	memcpy(words, key.p, sizeof words);
	m->key_stream = le64toh(words[0]);
	m->key_number = le64toh(words[1]);
}

/* The stanza with its time of arrival (XEP-0203), said by the account's host. */
static struct str stamp(struct op *op, struct str stanza, int64_t time_us, struct str host)
{
	struct buf delay = { 0 }, out = { 0 };
	struct str stamped;

	stanza_delay(&delay, time_us, host, STR(""));
	stanza_write(&out, stanza, STR(""), STR(""), buf_str(&delay));
	stamped = out.n ? arena_str(op->scratch, buf_str(&out)) : stanza;
	buf_fini(&delay);
	buf_fini(&out);
	return stamped;
}

static struct moved read_offline(struct op *op, int row, struct str host)
{
	ProtobufCAllocator allocator = op_allocator(op);
	struct str meta = pg_get_bytes(op->head, row, 2);
	int64_t time_us = pg_get_int8(op->head, row, 1);
	struct moved m = { .id = (uint64_t)pg_get_int8(op->head, row, 0), .stanza = pg_get_bytes(op->head, row, 3) };
	uint8_t *packed;

	m.original = m.stanza;
	read_key(&m, pg_get_bytes(op->head, row, 4));
	m.meta = starling__stanza_meta__unpack(&allocator, meta.n, (const uint8_t *)meta.p);
	if (!m.meta) {
		m.meta = arena_alloc(op->scratch, sizeof *m.meta);
		starling__stanza_meta__init(m.meta);
	}
	if (clock_wall_us() - time_us > STAMP_US) {
		m.stanza = stamp(op, m.stanza, time_us, host);
		m.meta->flags |= STARLING__STANZA_FLAG__FLAG_DELAY;
	}
	packed = arena_alloc(op->scratch, starling__stanza_meta__get_packed_size(m.meta) + 1);
	m.packed = str_make(packed, starling__stanza_meta__pack(m.meta, packed));
	return m;
}

static void bind_moved(struct op *op, const struct moved *moved, uint32_t n)
{
	static const enum pg_oid types[] = { PG_INT8, PG_INT8, PG_INT8, PG_BYTEA, PG_BYTEA, PG_BYTEA };
	const struct pg_args **rows = arena_alloc(op->scratch, n * sizeof *rows);
	struct pg_args *row = arena_zalloc(op->scratch, n * sizeof *row), target = op->args;

	for (uint32_t i = 0; i < n; i++) {
		op->args = (struct pg_args){ 0 };
		pg_args_int8(&op->args, (int64_t)moved[i].id);
		log_bind_names(op, moved[i].meta, moved[i].key_stream, moved[i].key_number, moved[i].original);
		pg_args_bytes(&op->args, moved[i].packed);
		pg_args_bytes(&op->args, moved[i].stanza);
		row[i] = op->args;
		rows[i] = &row[i];
	}
	pg_args_merge(&target, rows, n, types, sizeof types / sizeof types[0]);
	for (uint32_t i = 0; i < n; i++)
		pg_args_fini(&row[i]);
	op->args = target;
}

/* The account's two parameters stay, whatever the op becomes. */
static void become(struct op *op, uint32_t method_index)
{
	struct str data = buf_str(&op->args.data);
	struct str host = arena_str(op->scratch, str_make(data.p + op->args.arg[0].at, (size_t)op->args.arg[0].n));
	struct str local = arena_str(op->scratch, str_make(data.p + op->args.arg[1].at, (size_t)op->args.arg[1].n));

	op_become(op, method_index);
	pg_args_bytes(&op->args, host);
	pg_args_bytes(&op->args, local);
}

static void move(struct op *op)
{
	uint32_t n = (uint32_t)PQntuples(op->head);
	struct moved *moved = arena_alloc(op->scratch, n * sizeof *moved);
	struct str host = str_make(buf_str(&op->args.data).p + op->args.arg[0].at, (size_t)op->args.arg[0].n);

	for (uint32_t i = 0; i < n; i++)
		moved[i] = read_offline(op, (int)i, host);
	become(op, METHOD_LOG_MOVE);
	bind_moved(op, moved, n);
	op_again(op);
}

static void answer_move(struct op *op, const PGresult *res, int row)
{
	if (!op_row_ok(op, res, row))
		return;
	become(op, (METHOD_STORAGE_LOG_OPEN & 0xff) - 1);
	bind_offline(op);
	op_again(op);
}

/* Only what is still there when the account's lock is held: another call may have moved it. */
const struct method log_move = {
	.name = "LogMove",
	.kind = METHOD_WRITE,
	.sql = "WITH a AS MATERIALIZED (SELECT id FROM accounts WHERE host = $1 AND local = $2), "
	       "u AS MATERIALIZED (SELECT u.* FROM unnest($3::int8[], $4::int8[], $5::int8[], $6::bytea[], $7::bytea[], $8::bytea[]) "
	       "WITH ORDINALITY AS u (id, from_bare, to_bare, marks, meta, stanza, ord)), "
	       "d AS (DELETE FROM offline_messages o USING u WHERE o.account_id = (SELECT id FROM a) AND o.id = u.id "
	       "RETURNING u.*, o.account_id), "
	       "i AS (INSERT INTO message_log (id, recipient, from_bare, to_bare, archived, own, marks, meta, stanza) "
	       "SELECT (SELECT message_log_positions(cardinality($3::int8[]))) + d.ord - 1, d.account_id, d.from_bare, d.to_bare, false, "
	       "false, d.marks, d.meta, d.stanza FROM d) SELECT 0",
	.answer = answer_move,
};
