/* SPDX-License-Identifier: Apache-2.0
 *
 * MqttOpen, MqttSessionSet, MqttClose: a session's row is the lock on who writes for it.
 *
 * Opening and closing hold the session's lock alone: they wait for every write under the former epoch that has begun, and a write that begins later finds
 * the new one. */
#include "common/text/utf8.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/mqtt.h"

#define USER_MAX 2047u
#define WILL_MAX (1u << 20)

enum { NAME_ARG = 0, USER_ARG = 2 }; /* parameters of MqttOpen */

/* One parameter: the will, or null. */
static int bind_will(struct op *op, const Starling__MqttMessage *will, const char **why)
{
	if (!will) {
		pg_args_null(&op->args);
		return 0;
	}
	return mqtt_bind_message(op, will, str_make(will->payload.data, will->payload.len), WILL_MAX, why);
}

/* --- open ---------------------------------------------------------------------------------------------------------- */

static const char *check_open(const Starling__MqttOpenRequest *r)
{
	if (!r->session)
		return "no session";
	if (r->instance == 0)
		return "nobody opens";
	if (r->n_alive > MQTT_ALIVE_MAX)
		return "more than 1024 are alive";
	if (strlen(r->session->user) > USER_MAX || !utf8_valid(str_from(r->session->user)))
		return "user overlong, or not UTF-8";
	if (r->session->version > 255)
		return "version out of range";
	return NULL;
}

static int bind_open(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__MqttOpenRequest *r = (const Starling__MqttOpenRequest *)request;
	uint32_t slot;
	int code;

	(void)payload;
	*why = check_open(r);
	if (*why)
		return STARLING__CODE__CODE_INVALID;
	code = mqtt_bind_name(op, r->session->name, MQTT_NAME_MAX, "no name, or overlong, or not UTF-8", why);
	if (code)
		return code;
	slot = mqtt_slot(str_from(r->session->name));
	op->lock = mqtt_lock(slot, false);
	pg_args_int4(&op->args, (int32_t)slot);
	op_bind_text(op, r->session->user);
	pg_args_int4(&op->args, (int32_t)r->session->version);
	pg_args_int8(&op->args, r->session->expiry_s);
	code = bind_will(op, r->session->will, why);
	if (code)
		return code;
	pg_args_int8(&op->args, r->session->will_delay_s);
	pg_args_bool(&op->args, r->clean);
	pg_args_int8(&op->args, (int64_t)r->instance);
	mqtt_bind_array(&op->args, r->alive, r->n_alive);
	return 0;
}

/* A text among the parameters, for the reply. */
static char *parameter(struct op *op, uint32_t i)
{
	return arena_strndup(op->scratch, buf_str(&op->args.data).p + op->args.arg[i].at, (size_t)op->args.arg[i].n);
}

static void answer_open(struct op *op, const PGresult *res, int row)
{
	Starling__MqttOpenReply reply = STARLING__MQTT_OPEN_REPLY__INIT;
	Starling__MqttSession session = STARLING__MQTT_SESSION__INIT;
	Starling__MqttFence fence = STARLING__MQTT_FENCE__INIT;

	if (!mqtt_row_ok(op, res, row))
		return;
	reply.present = pg_get_bool(res, row, 1);
	fence.session = (uint64_t)pg_get_int8(res, row, 2);
	fence.epoch = (uint64_t)pg_get_int8(res, row, 3);
	session.fence = &fence;
	session.disconnected_us = pg_get_int8(res, row, 4);
	session.will = mqtt_read_message(op, res, row, 5);
	session.will_delay_s = (uint32_t)pg_get_int8(res, row, 6);
	session.will_due_us = pg_get_int8(res, row, 7);
	mqtt_read_rest(op, res, row, 8, &session);
	session.expiry_s = (uint32_t)pg_get_int8(res, row, 13);
	session.version = (uint32_t)pg_get_int4(res, row, 14);
	session.name = parameter(op, NAME_ARG);
	session.user = parameter(op, USER_ARG);
	reply.session = &session;
	op_reply(op, &reply.base);
}

const struct method mqtt_open = {
	.name = "MqttOpen",
	.kind = METHOD_WRITE,
	.sql = "SELECT * FROM mqtt_open($1::text, $2::int4, $3::text, $4::int4, $5::int8, $6::bytea, $7::int8, $8::bool, $9::int8, "
	       "$10::int8[])",
	.bind = bind_open,
	.answer = answer_open,
};

/* --- set ----------------------------------------------------------------------------------------------------------- */

static int bind_set(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__MqttSessionSetRequest *r = (const Starling__MqttSessionSetRequest *)request;
	int code = mqtt_bind_fence(op, r->fence, true, why);

	(void)payload;
	if (code)
		return code;
	if (r->disconnected_us < 0 || r->will_due_us < 0) {
		*why = "a time before 1970";
		return STARLING__CODE__CODE_INVALID;
	}
	pg_args_int8(&op->args, r->expiry_s);
	pg_args_int8(&op->args, r->disconnected_us);
	code = bind_will(op, r->will, why);
	pg_args_int8(&op->args, r->will_delay_s);
	pg_args_int8(&op->args, r->will_due_us);
	return code;
}

const struct method mqtt_session_set = {
	.name = "MqttSessionSet",
	.kind = METHOD_WRITE,
	.sql = "WITH s AS (UPDATE mqtt_session SET expiry_s = $3::int8, disconnected_us = $4::int8, will = $5::bytea, will_delay_s = "
	       "$6::int8, "
	       "will_due_us = $7::int8 WHERE session = $1::int8 AND epoch = $2::int8 RETURNING session) "
	       "SELECT CASE WHEN EXISTS (SELECT FROM s) THEN 0 ELSE 6 END",
	.bind = bind_set,
	.answer = mqtt_answer_empty,
};

/* --- close --------------------------------------------------------------------------------------------------------- */

static int bind_close(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__MqttCloseRequest *r = (const Starling__MqttCloseRequest *)request;
	int code = mqtt_bind_fence(op, r->fence, false, why);

	(void)payload;
	if (code == 0)
		pg_args_bool(&op->args, r->remove);
	return code;
}

/* The epoch stays when the session is let go: nobody else writes under it, and opening raises it. What hangs on a session that ends goes later
 * (mqtt_bury in migrations/0004_mqtt.sql). */
const struct method mqtt_close = {
	.name = "MqttClose",
	.kind = METHOD_WRITE,
	.sql = "WITH u AS (UPDATE mqtt_session SET instance = 0 WHERE session = $1::int8 AND epoch = $2::int8 AND NOT $3::bool RETURNING "
	       "session), "
	       "d AS (DELETE FROM mqtt_session WHERE session = $1::int8 AND epoch = $2::int8 AND $3::bool RETURNING session) "
	       "SELECT CASE WHEN EXISTS (SELECT FROM u) OR EXISTS (SELECT FROM d) THEN 0 ELSE 6 END",
	.bind = bind_close,
	.answer = mqtt_answer_empty,
};
