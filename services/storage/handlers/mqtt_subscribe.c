/* SPDX-License-Identifier: Apache-2.0
 *
 * MqttSubscribe: a session's subscriptions. */
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/log.h"
#include "services/storage/handlers/mqtt.h"

#include "common/text/utf8.h"

#define CALL_MAX       1000u
#define FILTER_MAX     65535u     /* MQTT 5 section 1.5.4 */
#define IDENTIFIER_MAX 268435455u /* section 3.8.2.1.2 */
#define SESSION_MAX    10000
#define BYTES_MAX      (1 << 20)

static bool is_filter(const char *filter)
{
	struct str text = str_from(filter);

	return text.n > 0 && text.n <= FILTER_MAX && utf8_valid(text);
}

static const char *check(const Starling__MqttSubscribeRequest *r)
{
	if (r->n_add > CALL_MAX || r->n_remove > CALL_MAX)
		return "more than 1000 filters";
	for (size_t i = 0; i < r->n_add; i++)
		if (!is_filter(r->add[i]->filter) || r->add[i]->options > 255 || r->add[i]->identifier > IDENTIFIER_MAX)
			return "no filter, or overlong, or not UTF-8; or options or identifier out of range";
	for (size_t i = 0; i < r->n_remove; i++)
		if (!is_filter(r->remove[i]))
			return "no filter, or overlong, or not UTF-8";
	return NULL;
}

static void bind_added(struct op *op, const Starling__MqttSubscribeRequest *r)
{
	struct pg_array array = pg_array_begin(&op->args, PG_INT8, (uint32_t)r->n_add);

	for (size_t i = 0; i < r->n_add; i++)
		pg_array_int8(&array, log_hash(str_from(r->add[i]->filter)));
	pg_array_end(&array);
	array = pg_array_begin(&op->args, PG_TEXT, (uint32_t)r->n_add);
	for (size_t i = 0; i < r->n_add; i++)
		pg_array_bytes(&array, str_from(r->add[i]->filter));
	pg_array_end(&array);
	array = pg_array_begin(&op->args, PG_INT8, (uint32_t)r->n_add);
	for (size_t i = 0; i < r->n_add; i++)
		pg_array_int8(&array, (int64_t)r->add[i]->identifier << 8 | r->add[i]->options);
	pg_array_end(&array);
}

static int bind_subscribe(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__MqttSubscribeRequest *r = (const Starling__MqttSubscribeRequest *)request;
	struct pg_array array;
	int code = mqtt_bind_fence(op, r->fence, false, why);

	(void)payload;
	if (code)
		return code;
	*why = check(r);
	if (*why)
		return STARLING__CODE__CODE_INVALID;
	bind_added(op, r);
	array = pg_array_begin(&op->args, PG_INT8, (uint32_t)r->n_remove);
	for (size_t i = 0; i < r->n_remove; i++)
		pg_array_int8(&array, log_hash(str_from(r->remove[i])));
	pg_array_end(&array);
	pg_args_int8(&op->args, SESSION_MAX);
	pg_args_int8(&op->args, BYTES_MAX);
	return 0;
}

const struct method mqtt_subscribe = {
	.name = "MqttSubscribe",
	.kind = METHOD_WRITE,
	.sql = "SELECT coalesce((SELECT mqtt_subscribe(s.session, $3::int8[], $4::text[], $5::int8[], $6::int8[], $7::int8, $8::int8) "
	       "FROM mqtt_session s WHERE s.session = $1::int8 AND s.epoch = $2::int8), 6)",
	.bind = bind_subscribe,
	.answer = mqtt_answer_empty,
};
