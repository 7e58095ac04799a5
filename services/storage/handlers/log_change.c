/* SPDX-License-Identifier: Apache-2.0
 *
 * What changes an account's view of the log: its cursor, its archive preferences, erasing.
 * Numbers in the SQL are codes of ipc/proto/envelope.proto: 6 FENCED, 8 NOT_FOUND. */
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/log.h"

#define HOLES_MAX 1000u
#define PREFS_MAX 1000u
#define JID_MAX   3071u
#define ERASE_MAX 1000

/* --- cursor -------------------------------------------------------------------------------------------------------- */

static int bind_delivered(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__LogDeliveredRequest *r = (const Starling__LogDeliveredRequest *)request;
	int code = op_bind_account(op, r->account, why);

	(void)payload;
	if (code == 0)
		code = op_bind_fence(op, r->fence, why);
	if (code)
		return code;
	if (r->delivered > INT64_MAX || r->n_holes > HOLES_MAX) {
		*why = "delivered out of range, or more than 1000 holes";
		return STARLING__CODE__CODE_INVALID;
	}
	pg_args_int8(&op->args, (int64_t)r->delivered);
	log_bind_ids(op, r->holes, r->n_holes);
	return 0;
}

const struct method log_delivered = {
	.name = "LogDelivered",
	.kind = METHOD_WRITE,
	.sql = "WITH a AS MATERIALIZED (SELECT id, CASE WHEN fenced THEN 6 WHEN id IS NULL THEN 8 ELSE 0 END AS code FROM (SELECT "
	       "(SELECT id FROM accounts WHERE host = $1 AND local = $2) AS id, "
	       "EXISTS (SELECT FROM slot_fence WHERE slot = $3::int4 AND epoch > $4::int8) AS fenced) one) "
	       "SELECT code, CASE WHEN code = 0 THEN message_log_delivered(id, $5::int8, $6::int8[]) IS NULL END FROM a",
	.bind = bind_delivered,
	.answer = op_answer_empty,
};

/* --- the fence alone ----------------------------------------------------------------------------------------------- */

static int bind_fence_only(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__LogFenceRequest *r = (const Starling__LogFenceRequest *)request;

	(void)payload;
	if (!r->fence) {
		*why = "no fence";
		return STARLING__CODE__CODE_INVALID;
	}
	return op_bind_fence(op, r->fence, why);
}

/* The batch that carries it has raised the fence before (fence.c). */
const struct method log_fence = {
	.name = "LogFence",
	.kind = METHOD_WRITE,
	.sql = "SELECT CASE WHEN EXISTS (SELECT FROM slot_fence WHERE slot = $1::int4 AND epoch > $2::int8) THEN 6 ELSE 0 END",
	.bind = bind_fence_only,
	.answer = op_answer_empty,
};

/* --- preferences --------------------------------------------------------------------------------------------------- */

static int bind_jids(struct op *op, char **jids, size_t n, const char **why)
{
	struct pg_array array;

	if (n > PREFS_MAX) {
		*why = "more than 1000 JIDs";
		return STARLING__CODE__CODE_LIMIT;
	}
	array = pg_array_begin(&op->args, PG_TEXT, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		if (!*jids[i] || strlen(jids[i]) > JID_MAX) {
			*why = "empty or overlong JID";
			return STARLING__CODE__CODE_INVALID;
		}
		pg_array_bytes(&array, str_from(jids[i]));
	}
	pg_array_end(&array);
	return 0;
}

static int bind_prefs(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__ArchivePrefsSetRequest *r = (const Starling__ArchivePrefsSetRequest *)request;
	int code = op_bind_account(op, r->account, why);

	(void)payload;
	if (code)
		return code;
	if (!r->prefs || r->prefs->default_ > STARLING__ARCHIVE_PREFS__DEFAULT__ROSTER) {
		*why = "no preferences, or an unknown default";
		return STARLING__CODE__CODE_INVALID;
	}
	pg_args_int4(&op->args, (int32_t)r->prefs->default_);
	code = bind_jids(op, r->prefs->always, r->prefs->n_always, why);
	return code ? code : bind_jids(op, r->prefs->never, r->prefs->n_never, why);
}

const struct method archive_prefs_set = {
	.name = "ArchivePrefsSet",
	.kind = METHOD_WRITE,
	.sql = "WITH a AS (SELECT id FROM accounts WHERE host = $1 AND local = $2), "
	       "p AS (INSERT INTO archive_prefs (account_id, mode, always, never) SELECT id, $3::int4, $4::text[], $5::text[] FROM a "
	       "ON CONFLICT (account_id) DO UPDATE SET mode = excluded.mode, always = excluded.always, never = excluded.never) "
	       "SELECT CASE WHEN EXISTS (SELECT FROM a) THEN 0 ELSE 8 END",
	.bind = bind_prefs,
	.answer = op_answer_empty,
};

/* --- erase --------------------------------------------------------------------------------------------------------- */

static int bind_erase(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__LogEraseRequest *r = (const Starling__LogEraseRequest *)request;
	int code = 0;

	(void)payload;
	if (*r->account) {
		code = op_bind_account(op, r->account, why);
	} else if (*r->host) {
		op_bind_text(op, r->host);
		pg_args_null(&op->args);
	} else {
		*why = "neither account nor host";
		code = STARLING__CODE__CODE_INVALID;
	}
	if (code)
		return code;
	if (r->until > INT64_MAX) {
		*why = "position out of range";
		return STARLING__CODE__CODE_INVALID;
	}
	pg_args_int8(&op->args, r->until ? (int64_t)r->until : INT64_MAX);
	pg_args_int4(&op->args, ERASE_MAX);
	return 0;
}

static void answer_erase(struct op *op, const PGresult *res, int row)
{
	Starling__LogEraseReply reply = STARLING__LOG_ERASE_REPLY__INIT;

	reply.erased = (uint64_t)pg_get_int8(res, row, 0);
	op_reply(op, &reply.base);
}

/* Needs no account's lock, since nothing is decided by what is not there; so it does not hold up a batch of appends. */
const struct method log_erase = {
	.name = "LogErase",
	.kind = METHOD_READ,
	.sql = "SELECT CASE WHEN $2::text IS NULL THEN message_log_erase_host($1::text, $3::int8, $4::int4) ELSE coalesce((SELECT "
	       "message_log_erase(a.id, $3::int8, $4::int4, false) FROM accounts a WHERE a.host = $1 AND a.local = $2), 0) END",
	.bind = bind_erase,
	.answer = answer_erase,
};
