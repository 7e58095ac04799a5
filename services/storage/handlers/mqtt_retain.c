/* SPDX-License-Identifier: Apache-2.0
 *
 * MqttRetain, MqttRetainedList: retained messages. A write holds the lock of its topic's stripe, alone, and draws the version under it. */
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/mqtt.h"

/* --- retain -------------------------------------------------------------------------------------------------------- */

static int64_t as_limit(uint64_t limit)
{
	return limit > INT64_MAX ? INT64_MAX : (int64_t)limit;
}

static int bind_retain(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__MqttRetainRequest *r = (const Starling__MqttRetainRequest *)request;
	uint32_t stripe;
	int code;

	if (!r->message || r->message->payload.len) {
		*why = "no message, or the payload is not the record's";
		return STARLING__CODE__CODE_INVALID;
	}
	code = mqtt_bind_name(op, r->message->topic, MQTT_NAME_MAX, "no topic, or overlong, or not UTF-8", why);
	if (code)
		return code;
	stripe = mqtt_stripe(str_from(r->message->topic));
	op->lock = mqtt_stripe_lock(stripe);
	pg_args_int4(&op->args, (int32_t)stripe);
	if (payload.n)
		code = mqtt_bind_message(op, r->message, payload, SIZE_MAX, why);
	else
		pg_args_null(&op->args);
	pg_args_int8(&op->args, r->message->expires_us > 0 ? r->message->expires_us : 0);
	pg_args_int8(&op->args, as_limit(op->limits->retained_count));
	pg_args_int8(&op->args, as_limit(op->limits->retained_bytes));
	return code;
}

static void answer_retain(struct op *op, const PGresult *res, int row)
{
	Starling__MqttRetainReply reply = STARLING__MQTT_RETAIN_REPLY__INIT;

	if (!mqtt_row_ok(op, res, row))
		return;
	reply.version = (uint64_t)pg_get_int8(res, row, 1);
	op_reply(op, &reply.base);
}

const struct method mqtt_retain = {
	.name = "MqttRetain",
	.kind = METHOD_WRITE,
	.sql = "SELECT * FROM mqtt_retain($1::text, $2::int4, $3::bytea, $4::int8, $5::int8, $6::int8)",
	.bind = bind_retain,
	.answer = answer_retain,
};

/* --- list ---------------------------------------------------------------------------------------------------------- */

static int bind_list(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__MqttRetainedRequest *r = (const Starling__MqttRetainedRequest *)request;

	(void)payload;
	if (r->limit == 0 || r->limit > MQTT_PAGE_MAX) {
		*why = "limit must be 1 to 500";
		return STARLING__CODE__CODE_INVALID;
	}
	op_bind_text(op, r->after);
	pg_args_int4(&op->args, (int32_t)r->limit);
	pg_args_int8(&op->args, op->limits->fetch_bytes);
	return 0;
}

static void answer_list(struct op *op, const PGresult *res, int row)
{
	Starling__MqttRetainedReply reply = STARLING__MQTT_RETAINED_REPLY__INIT;
	size_t n = (size_t)PQntuples(res);
	Starling__MqttRetained *list = arena_alloc(op->scratch, (n + 1) * sizeof *list);

	reply.retained = arena_alloc(op->scratch, (n + 1) * sizeof(Starling__MqttRetained *));
	reply.complete = true;
	for (row = 0; row < (int)n; row++) {
		starling__mqtt_retained__init(&list[row]);
		list[row].version = (uint64_t)pg_get_int8(res, row, 0);
		list[row].message = mqtt_read_message(op, res, row, 1);
		if (list[row].version == 0) {
			reply.complete = false;
			break;
		}
		reply.retained[reply.n_retained++] = &list[row];
	}
	op_reply(op, &reply.base);
}

const struct method mqtt_retained_list = {
	.name = "MqttRetainedList",
	.kind = METHOD_READ,
	.sql = "SELECT * FROM mqtt_retained_page($1::text, $2::int4, $3::int8)",
	.bind = bind_list,
	.answer = answer_list,
};
