/* SPDX-License-Identifier: Apache-2.0
 *
 * Accounts and their SCRAM keys. Numbers in the SQL are codes of ipc/proto/envelope.proto: 8 NOT_FOUND, 9 EXISTS. */
#include "ipc/proto/envelope.pb-c.h"
#include "ipc/proto/storage.pb-c.h"
#include "services/storage/handlers/handlers.h"

#define LIST_MAX 1000u

/* Five array parameters, one element a hash. */
static int bind_scram(struct op *op, const Starling__Credentials *r, const char **why)
{
	struct pg_args *a = &op->args;
	uint32_t n = (uint32_t)r->n_scram;
	struct pg_array array;

	for (uint32_t i = 0; i < n; i++) {
		if (!*r->scram[i]->hash || r->scram[i]->iterations == 0 || r->scram[i]->iterations > INT32_MAX) {
			*why = "keys without hash or iterations";
			return STARLING__CODE__CODE_INVALID;
		}
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(r->scram[i]->hash, r->scram[j]->hash) == 0) {
				*why = "two sets of keys for one hash";
				return STARLING__CODE__CODE_INVALID;
			}
	}
	array = pg_array_begin(a, PG_TEXT, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_bytes(&array, str_from(r->scram[i]->hash));
	pg_array_end(&array);
	array = pg_array_begin(a, PG_BYTEA, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_bytes(&array, str_make(r->scram[i]->salt.data, r->scram[i]->salt.len));
	pg_array_end(&array);
	array = pg_array_begin(a, PG_INT4, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_int4(&array, (int32_t)r->scram[i]->iterations);
	pg_array_end(&array);
	array = pg_array_begin(a, PG_BYTEA, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_bytes(&array, str_make(r->scram[i]->stored_key.data, r->scram[i]->stored_key.len));
	pg_array_end(&array);
	array = pg_array_begin(a, PG_BYTEA, n);
	for (uint32_t i = 0; i < n; i++)
		pg_array_bytes(&array, str_make(r->scram[i]->server_key.data, r->scram[i]->server_key.len));
	pg_array_end(&array);
	return 0;
}

static int bind_credentials(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__Credentials *r = (const Starling__Credentials *)request;
	int code = op_bind_account(op, r->account, why);

	(void)payload;
	return code ? code : bind_scram(op, r, why);
}

static int bind_key(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	(void)payload;
	return op_bind_account(op, ((const Starling__AccountKey *)request)->account, why);
}

static char *join_jid(struct op *op, struct str local, struct str host)
{
	return arena_printf(op->scratch, "%.*s@%.*s", STR_ARG(local), STR_ARG(host));
}

/* --- create, delete ------------------------------------------------------------------------------------------------ */

const struct method account_create = {
	.name = "AccountCreate",
	.kind = METHOD_WRITE,
	.sql = "WITH a AS (INSERT INTO accounts (host, local) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id), "
	       "c AS (INSERT INTO credentials (account_id, hash, salt, iterations, stored_key, server_key) "
	       "SELECT a.id, u.* FROM a, unnest($3::text[], $4::bytea[], $5::int4[], $6::bytea[], $7::bytea[]) u) "
	       "SELECT CASE WHEN EXISTS (SELECT FROM a) THEN 0 ELSE 9 END",
	.bind = bind_credentials,
	.answer = op_answer_empty,
};

const struct method account_delete = {
	.name = "AccountDelete",
	.kind = METHOD_WRITE,
	.sql = "WITH d AS (DELETE FROM accounts WHERE host = $1 AND local = $2 RETURNING id) "
	       "SELECT CASE WHEN EXISTS (SELECT FROM d) THEN 0 ELSE 8 END",
	.bind = bind_key,
	.answer = op_answer_empty,
};

/* --- credentials --------------------------------------------------------------------------------------------------- */

static void read_keys(const PGresult *res, int row, Starling__ScramKeys *out)
{
	struct str salt = pg_get_bytes(res, row, 1), stored = pg_get_bytes(res, row, 3), server = pg_get_bytes(res, row, 4);

	starling__scram_keys__init(out);
	out->hash = PQgetvalue(res, row, 0);
	out->salt = (ProtobufCBinaryData){ salt.n, (uint8_t *)salt.p };
	out->iterations = (uint32_t)pg_get_int4(res, row, 2);
	out->stored_key = (ProtobufCBinaryData){ stored.n, (uint8_t *)stored.p };
	out->server_key = (ProtobufCBinaryData){ server.n, (uint8_t *)server.p };
}

static void answer_credentials(struct op *op, const PGresult *res, int row)
{
	Starling__Credentials reply = STARLING__CREDENTIALS__INIT;
	uint32_t n = (uint32_t)PQntuples(res);
	Starling__ScramKeys *keys;

	if (n == 0) {
		op_fail(op, STARLING__CODE__CODE_NOT_FOUND, "no such account");
		return;
	}
	keys = arena_alloc(op->scratch, n * sizeof *keys);
	reply.scram = arena_alloc(op->scratch, n * sizeof(Starling__ScramKeys *));
	/* An account without keys is one row of nulls. */
	for (row = 0; row < (int)n && !PQgetisnull(res, row, 0); row++) {
		read_keys(res, row, &keys[row]);
		reply.scram[reply.n_scram++] = &keys[row];
	}
	reply.account = join_jid(op, pg_get_bytes(res, 0, 6), pg_get_bytes(res, 0, 5));
	op_reply(op, &reply.base);
}

const struct method credentials_get = {
	.name = "CredentialsGet",
	.kind = METHOD_READ,
	.sql = "SELECT c.hash, c.salt, c.iterations, c.stored_key, c.server_key, a.host, a.local "
	       "FROM accounts a LEFT JOIN credentials c ON c.account_id = a.id WHERE a.host = $1 AND a.local = $2",
	.bind = bind_key,
	.answer = answer_credentials,
};

/* Upsert and delete touch different rows: one statement must not change a row twice. */
const struct method credentials_set = {
	.name = "CredentialsSet",
	.kind = METHOD_WRITE,
	.sql = "WITH a AS (SELECT id FROM accounts WHERE host = $1 AND local = $2), "
	       "d AS (DELETE FROM credentials c USING a WHERE c.account_id = a.id AND c.hash <> ALL ($3::text[])), "
	       "c AS (INSERT INTO credentials (account_id, hash, salt, iterations, stored_key, server_key) "
	       "SELECT a.id, u.* FROM a, unnest($3::text[], $4::bytea[], $5::int4[], $6::bytea[], $7::bytea[]) u "
	       "ON CONFLICT (account_id, hash) DO UPDATE SET salt = excluded.salt, iterations = excluded.iterations, "
	       "stored_key = excluded.stored_key, server_key = excluded.server_key) "
	       "SELECT CASE WHEN EXISTS (SELECT FROM a) THEN 0 ELSE 8 END",
	.bind = bind_credentials,
	.answer = op_answer_empty,
};

/* --- list ---------------------------------------------------------------------------------------------------------- */

/* One row more than asked for tells whether the list is complete. */
static int bind_list(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__AccountListRequest *r = (const Starling__AccountListRequest *)request;
	struct str after = str_from(r->after);
	const char *at = after.n ? memchr(after.p, '@', after.n) : NULL;

	(void)payload;
	if (r->limit == 0 || r->limit > LIST_MAX) {
		*why = "limit must be 1 to 1000";
		return STARLING__CODE__CODE_INVALID;
	}
	op_bind_text(op, r->host);
	pg_args_bytes(&op->args, at ? str_make(after.p, (size_t)(at - after.p)) : after);
	pg_args_int4(&op->args, (int32_t)r->limit);
	return 0;
}

static void answer_list(struct op *op, const PGresult *res, int row)
{
	Starling__AccountListReply reply = STARLING__ACCOUNT_LIST_REPLY__INIT;
	int n = PQntuples(res);

	reply.accounts = arena_alloc(op->scratch, ((size_t)n + 1) * sizeof(char *));
	reply.complete = true;
	for (row = 0; row < n; row++) {
		if (!pg_get_bool(res, row, 2)) {
			reply.complete = false;
			break;
		}
		reply.accounts[reply.n_accounts++] = join_jid(op, pg_get_bytes(res, row, 1), pg_get_bytes(res, row, 0));
	}
	op_reply(op, &reply.base);
}

const struct method account_list = {
	.name = "AccountList",
	.kind = METHOD_READ,
	.sql = "SELECT host, local, row_number() OVER (ORDER BY local) <= $3::int4 FROM accounts "
	       "WHERE host = $1 AND local > $2 ORDER BY local LIMIT $3::int4 + 1",
	.bind = bind_list,
	.answer = answer_list,
};
