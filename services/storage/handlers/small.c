/* SPDX-License-Identifier: Apache-2.0
 *
 * One value an account: private XML by element name (XEP-0049), vCard (XEP-0054), last activity (XEP-0012). */
#include "ipc/proto/envelope.pb-c.h"
#include "ipc/proto/storage.pb-c.h"
#include "services/storage/handlers/handlers.h"

static int bind_key(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	(void)payload;
	return op_bind_account(op, ((const Starling__AccountKey *)request)->account, why);
}

static void answer_xml(struct op *op, const PGresult *res, int row)
{
	Starling__XmlReply reply = STARLING__XML_REPLY__INIT;

	if (row < PQntuples(res)) {
		struct str xml = pg_get_bytes(res, row, 0);

		reply.xml = (ProtobufCBinaryData){ xml.n, (uint8_t *)xml.p };
	}
	op_reply(op, &reply.base);
}

/* --- private XML --------------------------------------------------------------------------------------------------- */

static int bind_private_key(struct op *op, const Starling__PrivateKey *key, const char **why)
{
	int code;

	if (!key || !*key->name) {
		*why = "element without a name";
		return STARLING__CODE__CODE_INVALID;
	}
	code = op_bind_account(op, key->account, why);
	if (code)
		return code;
	op_bind_text(op, key->ns);
	op_bind_text(op, key->name);
	return 0;
}

static int bind_private_get(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	(void)payload;
	return bind_private_key(op, (const Starling__PrivateKey *)request, why);
}

static int bind_private_put(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__PrivatePutRequest *r = (const Starling__PrivatePutRequest *)request;
	int code = bind_private_key(op, r->key, why);

	(void)payload;
	if (code == 0)
		op_bind_data(op, &r->xml);
	return code;
}

const struct method private_get = {
	.name = "PrivateGet",
	.kind = METHOD_READ,
	.sql = "SELECT p.xml FROM accounts a JOIN private_xml p ON p.account_id = a.id "
	       "WHERE a.host = $1 AND a.local = $2 AND p.ns = $3 AND p.name = $4",
	.bind = bind_private_get,
	.answer = answer_xml,
};

const struct method private_put = {
	.name = "PrivatePut",
	.kind = METHOD_WRITE,
	.sql = "WITH a AS (SELECT id FROM accounts WHERE host = $1 AND local = $2), "
	       "d AS (DELETE FROM private_xml p USING a WHERE p.account_id = a.id AND p.ns = $3 AND p.name = $4 AND $5::bytea = ''), "
	       "p AS (INSERT INTO private_xml (account_id, ns, name, xml) SELECT id, $3, $4, $5 FROM a WHERE $5::bytea <> '' "
	       "ON CONFLICT (account_id, ns, name) DO UPDATE SET xml = excluded.xml) "
	       "SELECT CASE WHEN EXISTS (SELECT FROM a) THEN 0 ELSE 8 END",
	.bind = bind_private_put,
	.answer = op_answer_empty,
};

/* --- vCard --------------------------------------------------------------------------------------------------------- */

static int bind_vcard_put(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__VcardPutRequest *r = (const Starling__VcardPutRequest *)request;
	int code = op_bind_account(op, r->account, why);

	(void)payload;
	if (code == 0)
		op_bind_data(op, &r->xml);
	return code;
}

const struct method vcard_get = {
	.name = "VcardGet",
	.kind = METHOD_READ,
	.sql = "SELECT v.xml FROM accounts a JOIN vcards v ON v.account_id = a.id WHERE a.host = $1 AND a.local = $2",
	.bind = bind_key,
	.answer = answer_xml,
};

const struct method vcard_put = {
	.name = "VcardPut",
	.kind = METHOD_WRITE,
	.sql = "WITH a AS (SELECT id FROM accounts WHERE host = $1 AND local = $2), "
	       "d AS (DELETE FROM vcards v USING a WHERE v.account_id = a.id AND $3::bytea = ''), "
	       "p AS (INSERT INTO vcards (account_id, xml) SELECT id, $3 FROM a WHERE $3::bytea <> '' "
	       "ON CONFLICT (account_id) DO UPDATE SET xml = excluded.xml) "
	       "SELECT CASE WHEN EXISTS (SELECT FROM a) THEN 0 ELSE 8 END",
	.bind = bind_vcard_put,
	.answer = op_answer_empty,
};

/* --- last activity ------------------------------------------------------------------------------------------------- */

static int bind_last_put(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__LastPutRequest *r = (const Starling__LastPutRequest *)request;
	int code = op_bind_account(op, r->account, why);

	(void)payload;
	if (code)
		return code;
	pg_args_int8(&op->args, r->time_us);
	op_bind_text(op, r->status);
	return 0;
}

static void answer_last(struct op *op, const PGresult *res, int row)
{
	Starling__LastReply reply = STARLING__LAST_REPLY__INIT;

	if (row < PQntuples(res)) {
		reply.time_us = pg_get_int8(res, row, 0);
		reply.status = PQgetvalue(res, row, 1);
	}
	op_reply(op, &reply.base);
}

const struct method last_get = {
	.name = "LastGet",
	.kind = METHOD_READ,
	.sql = "SELECT l.time_us, l.status FROM accounts a JOIN last_activity l ON l.account_id = a.id WHERE a.host = $1 AND a.local = $2",
	.bind = bind_key,
	.answer = answer_last,
};

const struct method last_put = {
	.name = "LastPut",
	.kind = METHOD_WRITE,
	.sql = "WITH a AS (SELECT id FROM accounts WHERE host = $1 AND local = $2), "
	       "p AS (INSERT INTO last_activity (account_id, time_us, status) SELECT id, $3, $4 FROM a "
	       "ON CONFLICT (account_id) DO UPDATE SET time_us = excluded.time_us, status = excluded.status) "
	       "SELECT CASE WHEN EXISTS (SELECT FROM a) THEN 0 ELSE 8 END",
	.bind = bind_last_put,
	.answer = op_answer_empty,
};
