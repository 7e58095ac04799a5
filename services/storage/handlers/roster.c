/* SPDX-License-Identifier: Apache-2.0
 *
 * Rosters with versions (RFC 6121 section 2.6). Every change raises the roster's version by one and marks what changed with it; removals are
 * remembered for the last 1000 versions. Numbers in the SQL are codes of ipc/proto/envelope.proto: 6 FENCED, 8 NOT_FOUND, 11 LIMIT. */
#include "ipc/proto/envelope.pb-c.h"
#include "ipc/proto/storage.pb-c.h"
#include "services/storage/handlers/handlers.h"

#define GROUPS_MAX 1024u

/* --- load ---------------------------------------------------------------------------------------------------------- */

static int bind_load(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__RosterLoadRequest *r = (const Starling__RosterLoadRequest *)request;
	int code = op_bind_account(op, r->account, why);

	(void)payload;
	if (code == 0)
		pg_args_int8(&op->args, r->since > INT64_MAX ? INT64_MAX : (int64_t)r->since);
	return code;
}

/* What a row of the answer is: column 0. */
enum load_row { LOAD_HEAD, LOAD_ITEM, LOAD_REMOVED };

static void read_groups(struct op *op, const PGresult *res, int row, Starling__RosterItem *out)
{
	uint32_t n = pg_get_text_count(res, row, 4);
	struct str *groups = arena_alloc(op->scratch, (n + 1) * sizeof *groups);

	out->n_groups = pg_get_texts(res, row, 4, groups, n);
	out->groups = arena_alloc(op->scratch, (n + 1) * sizeof *out->groups);
	for (uint32_t i = 0; i < out->n_groups; i++)
		out->groups[i] = arena_strndup(op->scratch, groups[i].p, groups[i].n);
}

static Starling__RosterItem *read_item(struct op *op, const PGresult *res, int row)
{
	Starling__RosterItem *item = arena_alloc(op->scratch, sizeof *item);
	struct str pending = pg_get_bytes(res, row, 8);

	starling__roster_item__init(item);
	item->version = (uint64_t)pg_get_int8(res, row, 1);
	item->jid = PQgetvalue(res, row, 2);
	item->name = PQgetvalue(res, row, 3);
	read_groups(op, res, row, item);
	item->subscription = (Starling__Subscription)pg_get_int4(res, row, 5);
	item->ask = pg_get_bool(res, row, 6);
	item->pending_in = pg_get_bool(res, row, 7);
	item->pending_stanza = (ProtobufCBinaryData){ pending.n, (uint8_t *)pending.p };
	item->approved = pg_get_bool(res, row, 9);
	item->hidden = pg_get_bool(res, row, 10);
	return item;
}

static void answer_load(struct op *op, const PGresult *res, int row)
{
	Starling__RosterReply reply = STARLING__ROSTER_REPLY__INIT;
	int n = PQntuples(res);

	reply.complete = true;
	reply.items = arena_alloc(op->scratch, ((size_t)n + 1) * sizeof(Starling__RosterItem *));
	reply.removed = arena_alloc(op->scratch, ((size_t)n + 1) * sizeof(char *));
	for (row = 0; row < n; row++) {
		switch (pg_get_int4(res, row, 0)) {
		case LOAD_HEAD:
			reply.version = (uint64_t)pg_get_int8(res, row, 1);
			reply.complete = pg_get_bool(res, row, 6);
			break;
		case LOAD_ITEM:
			reply.items[reply.n_items++] = read_item(op, res, row);
			break;
		case LOAD_REMOVED:
			reply.removed[reply.n_removed++] = PQgetvalue(res, row, 2);
			break;
		}
	}
	op_reply(op, &reply.base);
}

/* One snapshot for head, items and removals. Whole, unless `since` is a version from which all removals are still known. */
const struct method roster_load = {
	.name = "RosterLoad",
	.kind = METHOD_READ,
	.sql = "WITH r AS MATERIALIZED (SELECT r.account_id, r.version, "
	       "$3::int8 < r.floor OR $3::int8 < r.version - 1000 OR $3::int8 > r.version AS whole "
	       "FROM accounts a JOIN rosters r ON r.account_id = a.id WHERE a.host = $1 AND a.local = $2) "
	       "SELECT 0, version, '' COLLATE \"C\", '', '{}'::text[], 0, whole, false, ''::bytea, false, false FROM r "
	       "UNION ALL SELECT 1, i.version, i.jid, i.name, i.groups, i.subscription, i.ask, i.pending_in, i.pending_stanza, i.approved, "
	       "i.hidden "
	       "FROM r JOIN roster_items i ON i.account_id = r.account_id WHERE r.whole OR i.version > $3::int8 "
	       "UNION ALL SELECT 2, d.version, d.jid, '', '{}'::text[], 0, false, false, ''::bytea, false, false "
	       "FROM r JOIN roster_removed d ON d.account_id = r.account_id WHERE NOT r.whole AND d.version > $3::int8",
	.bind = bind_load,
	.answer = answer_load,
};

/* --- put ----------------------------------------------------------------------------------------------------------- */

static int bind_item(struct op *op, const Starling__RosterItem *item, const char **why)
{
	struct pg_args *a = &op->args;
	struct pg_array groups;

	if (!item || !*item->jid || item->n_groups > GROUPS_MAX || item->subscription > STARLING__SUBSCRIPTION__SUBSCRIPTION_BOTH) {
		*why = "item without jid, or out of range";
		return STARLING__CODE__CODE_INVALID;
	}
	op_bind_text(op, item->jid);
	op_bind_text(op, item->name);
	groups = pg_array_begin(a, PG_TEXT, (uint32_t)item->n_groups);
	for (size_t i = 0; i < item->n_groups; i++)
		pg_array_bytes(&groups, str_from(item->groups[i]));
	pg_array_end(&groups);
	pg_args_int4(a, (int32_t)item->subscription);
	pg_args_bool(a, item->ask);
	pg_args_bool(a, item->pending_in);
	op_bind_data(op, &item->pending_stanza);
	pg_args_bool(a, item->approved);
	pg_args_bool(a, item->hidden);
	pg_args_int4(a, (int32_t)op->limits->roster_items);
	return 0;
}

static int bind_put(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__RosterPutRequest *r = (const Starling__RosterPutRequest *)request;
	int code = op_bind_account(op, r->account, why);

	(void)payload;
	if (code == 0)
		code = op_bind_fence(op, r->fence, why);
	return code ? code : bind_item(op, r->item, why);
}

static void answer_version(struct op *op, const PGresult *res, int row)
{
	Starling__RosterVersionReply reply = STARLING__ROSTER_VERSION_REPLY__INIT;

	if (!op_row_ok(op, res, row))
		return;
	reply.version = (uint64_t)pg_get_int8(res, row, 1);
	op_reply(op, &reply.base);
}

/* g: may it write? Only a new item can pass the limit. */
const struct method roster_put = {
	.name = "RosterPut",
	.kind = METHOD_WRITE,
	.sql = "WITH g AS MATERIALIZED (SELECT a.id, CASE "
	       "WHEN (SELECT f.epoch FROM slot_fence f WHERE f.slot = $3::int4) > $4::int8 THEN 6 WHEN a.id IS NULL THEN 8 "
	       "WHEN NOT EXISTS (SELECT FROM roster_items i WHERE i.account_id = a.id AND i.jid = $5) "
	       "AND (SELECT count(*) FROM roster_items i WHERE i.account_id = a.id) >= $14::int4 THEN 11 ELSE 0 END AS code "
	       "FROM (SELECT) one LEFT JOIN accounts a ON a.host = $1 AND a.local = $2), "
	       "v AS (INSERT INTO rosters AS r (account_id, version, floor) SELECT id, ms + 1, ms "
	       "FROM g, (SELECT (extract(epoch FROM now()) * 1000)::int8 AS ms) t WHERE code = 0 "
	       "ON CONFLICT (account_id) DO UPDATE SET version = r.version + 1 RETURNING account_id, version), "
	       "i AS (INSERT INTO roster_items (account_id, jid, name, groups, subscription, ask, pending_in, pending_stanza, approved, "
	       "hidden, version) "
	       "SELECT account_id, $5, $6, $7::text[], $8::int4, $9::bool, $10::bool, $11::bytea, $12::bool, $13::bool, version FROM v "
	       "ON CONFLICT (account_id, jid) DO UPDATE SET name = excluded.name, groups = excluded.groups, subscription = "
	       "excluded.subscription, "
	       "ask = excluded.ask, pending_in = excluded.pending_in, pending_stanza = excluded.pending_stanza, approved = "
	       "excluded.approved, "
	       "hidden = excluded.hidden, version = excluded.version), "
	       "d AS (DELETE FROM roster_removed d USING v WHERE d.account_id = v.account_id AND d.jid = $5) "
	       "SELECT g.code, v.version FROM g LEFT JOIN v ON true",
	.bind = bind_put,
	.answer = answer_version,
};

/* --- remove -------------------------------------------------------------------------------------------------------- */

static int bind_remove(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__RosterRemoveRequest *r = (const Starling__RosterRemoveRequest *)request;
	int code = op_bind_account(op, r->account, why);

	(void)payload;
	if (code == 0)
		code = op_bind_fence(op, r->fence, why);
	if (code == 0)
		op_bind_text(op, r->jid);
	return code;
}

/* An item that is not there changes nothing and answers the version as it is. */
const struct method roster_remove = {
	.name = "RosterRemove",
	.kind = METHOD_WRITE,
	.sql = "WITH g AS MATERIALIZED (SELECT a.id, CASE "
	       "WHEN (SELECT f.epoch FROM slot_fence f WHERE f.slot = $3::int4) > $4::int8 THEN 6 WHEN a.id IS NULL THEN 8 ELSE 0 END AS "
	       "code "
	       "FROM (SELECT) one LEFT JOIN accounts a ON a.host = $1 AND a.local = $2), "
	       "i AS (DELETE FROM roster_items i USING g WHERE g.code = 0 AND i.account_id = g.id AND i.jid = $5 RETURNING i.account_id), "
	       "v AS (UPDATE rosters r SET version = r.version + 1 FROM i WHERE r.account_id = i.account_id RETURNING r.account_id, "
	       "r.version), "
	       "m AS (INSERT INTO roster_removed (account_id, jid, version) SELECT account_id, $5, version FROM v "
	       "ON CONFLICT (account_id, jid) DO UPDATE SET version = excluded.version), "
	       "p AS (DELETE FROM roster_removed d USING v WHERE d.account_id = v.account_id AND d.version < v.version - 1000 AND d.jid <> "
	       "$5) "
	       "SELECT g.code, coalesce((SELECT version FROM v), (SELECT r.version FROM rosters r WHERE r.account_id = g.id), 0) FROM g",
	.bind = bind_remove,
	.answer = answer_version,
};
