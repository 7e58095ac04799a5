/* SPDX-License-Identifier: Apache-2.0
 *
 * MqttAdopt: takes over, page by page, the sessions of a broker that has died. A transaction of its own, on a connection for reads; which locks it needs, its
 * function finds out (migrations/0004_mqtt.sql). */
#include "common/base/hash.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/mqtt.h"
#include "services/storage/handlers/spool.h"

static const char *check(const Starling__MqttAdoptRequest *r)
{
	if (r->instance == 0)
		return "nobody adopts";
	if (r->n_alive > MQTT_ALIVE_MAX)
		return "more than 1024 are alive";
	if (r->limit == 0 || r->limit > MQTT_PAGE_MAX)
		return "limit must be 1 to 500";
	return NULL;
}

static int bind_adopt(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__MqttAdoptRequest *r = (const Starling__MqttAdoptRequest *)request;
	int32_t *slots;
	uint32_t n;
	int code = spool_slots(op, r->slots, r->n_slots, &slots, &n, why);

	(void)payload;
	if (code)
		return code;
	*why = check(r);
	if (*why)
		return STARLING__CODE__CODE_INVALID;
	spool_bind_int4s(&op->args, slots, n);
	pg_args_int8(&op->args, (int64_t)r->instance);
	mqtt_bind_array(&op->args, r->alive, r->n_alive);
	pg_args_bytes(&op->args, str_from(r->after));
	pg_args_int4(&op->args, (int32_t)r->limit);
	pg_args_int8(&op->args, op->limits->fetch_bytes);
	arena_reset(op->scratch);
	return 0;
}

static void read_session(struct op *op, const PGresult *res, int row, Starling__MqttSession *out)
{
	Starling__MqttFence *fence = arena_alloc(op->scratch, sizeof *fence);

	starling__mqtt_session__init(out);
	starling__mqtt_fence__init(fence);
	fence->session = (uint64_t)pg_get_int8(res, row, 0);
	fence->epoch = (uint64_t)pg_get_int8(res, row, 1);
	out->fence = fence;
	out->expiry_s = (uint32_t)pg_get_int8(res, row, 2);
	out->disconnected_us = pg_get_int8(res, row, 3);
	out->will_delay_s = (uint32_t)pg_get_int8(res, row, 4);
	out->will_due_us = pg_get_int8(res, row, 5);
	out->version = (uint32_t)pg_get_int4(res, row, 6);
	out->name = (char *)pg_get_bytes(res, row, 7).p;
	out->user = (char *)pg_get_bytes(res, row, 8).p;
	out->will = mqtt_read_message(op, res, row, 9);
	mqtt_read_rest(op, res, row, 10, out);
}

static void answer_adopt(struct op *op, const PGresult *res, int row)
{
	Starling__MqttAdoptReply reply = STARLING__MQTT_ADOPT_REPLY__INIT;
	size_t n = (size_t)PQntuples(res);
	Starling__MqttSession *sessions = arena_alloc(op->scratch, (n + 1) * sizeof *sessions);

	reply.sessions = arena_alloc(op->scratch, (n + 1) * sizeof(Starling__MqttSession *));
	reply.complete = true;
	for (row = 0; row < (int)n; row++) {
		if (pg_get_int8(res, row, 0) == 0) {
			reply.complete = false;
			break;
		}
		read_session(op, res, row, &sessions[row]);
		reply.sessions[reply.n_sessions++] = &sessions[row];
	}
	op_reply(op, &reply.base);
}

const struct method mqtt_adopt = {
	.name = "MqttAdopt",
	.kind = METHOD_READ,
	.sql = "SELECT * FROM mqtt_adopt($1::int4[], $2::int8, $3::int8[], $4::text, $5::int4, $6::int8)",
	.bind = bind_adopt,
	.answer = answer_adopt,
};
