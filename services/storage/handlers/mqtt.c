/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/handlers/mqtt.h"

#include <inttypes.h>

#include "common/base/hash.h"
#include "common/text/utf8.h"
#include "ipc/proto/envelope.pb-c.h"

#define SESSIONS_FIRST ((uint32_t)INT32_MAX + 1 + (1u << 20))
#define STRIPES_FIRST  ((uint32_t)INT32_MAX + 1 + (1u << 21))

uint32_t mqtt_slot(struct str name)
{
	uint64_t h = hash_fnv1a64(name);

	return (uint32_t)((h ^ h >> 32) % SLOT_COUNT);
}

uint32_t mqtt_lock(uint32_t slot, bool shared)
{
	return SESSIONS_FIRST + 2 * slot + shared;
}

uint32_t mqtt_stripe(struct str topic)
{
	return mqtt_slot(topic) % MQTT_STRIPES;
}

uint32_t mqtt_stripe_lock(uint32_t stripe)
{
	return STRIPES_FIRST + stripe;
}

/* --- binding ------------------------------------------------------------------------------------------------------- */

int mqtt_bind_fence(struct op *op, const Starling__MqttFence *fence, bool shared, const char **why)
{
	if (!fence || fence->session == 0 || fence->session > INT64_MAX || fence->epoch == 0 || fence->epoch > INT64_MAX) {
		*why = "no fence, or out of range";
		return STARLING__CODE__CODE_INVALID;
	}
	op->lock = mqtt_lock(mqtt_session_slot(fence->session), shared);
	pg_args_int8(&op->args, (int64_t)fence->session);
	pg_args_int8(&op->args, (int64_t)fence->epoch);
	return 0;
}

int mqtt_bind_name(struct op *op, const char *name, size_t max, const char *bad, const char **why)
{
	struct str text = str_from(name);

	if (text.n == 0 || text.n > max || !utf8_valid(text)) {
		*why = bad;
		return STARLING__CODE__CODE_INVALID;
	}
	pg_args_bytes(&op->args, text);
	return 0;
}

static const char *check_message(const Starling__MqttMessage *m)
{
	if (!m)
		return "no message";
	if (!*m->topic || strlen(m->topic) > MQTT_NAME_MAX || !utf8_valid(str_from(m->topic)))
		return "no topic, or overlong, or not UTF-8";
	return m->qos > 2 ? "qos out of range" : NULL;
}

int mqtt_bind_message(struct op *op, const Starling__MqttMessage *message, struct str payload, size_t max, const char **why)
{
	Starling__MqttMessage whole;
	uint8_t *packed;
	size_t n;

	*why = check_message(message);
	if (*why)
		return STARLING__CODE__CODE_INVALID;
	whole = *message;
	whole.payload = (ProtobufCBinaryData){ payload.n, (uint8_t *)payload.p };
	n = starling__mqtt_message__get_packed_size(&whole);
	if (n > max) {
		*why = "message too large";
		return STARLING__CODE__CODE_INVALID;
	}
	packed = arena_alloc(op->scratch, n + 1);
	starling__mqtt_message__pack(&whole, packed);
	pg_args_bytes(&op->args, str_make(packed, n));
	arena_reset(op->scratch);
	return 0;
}

void mqtt_bind_numbers(struct op *op, const uint64_t *numbers, size_t n)
{
	struct buf text = { 0 };

	buf_append_char(&text, '{');
	for (size_t i = 0; i < n; i++)
		if (numbers[i] <= INT64_MAX)
			buf_printf(&text, "%s%" PRIu64, buf_str(&text).n > 1 ? "," : "", numbers[i]);
	buf_append_char(&text, '}');
	pg_args_bytes(&op->args, buf_str(&text));
	buf_fini(&text);
}

void mqtt_bind_array(struct pg_args *args, const uint64_t *numbers, size_t n)
{
	struct pg_array array = pg_array_begin(args, PG_INT8, (uint32_t)n);

	for (size_t i = 0; i < n; i++)
		pg_array_int8(&array, (int64_t)numbers[i]);
	pg_array_end(&array);
}

/* --- results ------------------------------------------------------------------------------------------------------- */

Starling__MqttMessage *mqtt_read_message(struct op *op, const PGresult *res, int row, int column)
{
	ProtobufCAllocator allocator = op_allocator(op);
	struct str packed;

	if (PQgetisnull(res, row, column))
		return NULL;
	packed = pg_get_bytes(res, row, column);
	return starling__mqtt_message__unpack(&allocator, packed.n, (const uint8_t *)packed.p);
}

static void read_subscriptions(struct op *op, const PGresult *res, int row, int column, Starling__MqttSession *out)
{
	uint32_t n = pg_get_text_count(res, row, column);
	struct str *filters = arena_alloc(op->scratch, (n + 1) * sizeof *filters);
	uint64_t *bits = arena_alloc(op->scratch, (n + 1) * sizeof *bits);
	Starling__MqttSubscription *list = arena_alloc(op->scratch, (n + 1) * sizeof *list);

	out->subscriptions = arena_alloc(op->scratch, (n + 1) * sizeof(Starling__MqttSubscription *));
	n = pg_get_texts(res, row, column, filters, n);
	n = pg_get_int8s(res, row, column + 1, bits, n);
	for (uint32_t i = 0; i < n; i++) {
		starling__mqtt_subscription__init(&list[i]);
		list[i].filter = arena_strndup(op->scratch, filters[i].p, filters[i].n);
		list[i].options = (uint32_t)(bits[i] & 0xff);
		list[i].identifier = (uint32_t)(bits[i] >> 8);
		out->subscriptions[out->n_subscriptions++] = &list[i];
	}
}

void mqtt_read_rest(struct op *op, const PGresult *res, int row, int column, Starling__MqttSession *out)
{
	uint32_t n = pg_get_text_count(res, row, column + 4);
	uint64_t *packets = arena_alloc(op->scratch, (n + 1) * sizeof *packets);

	out->next_seq = (uint64_t)pg_get_int8(res, row, column);
	out->queued = (uint64_t)pg_get_int8(res, row, column + 1);
	read_subscriptions(op, res, row, column + 2, out);
	n = pg_get_int8s(res, row, column + 4, packets, n);
	out->received = arena_alloc(op->scratch, (n + 1) * sizeof *out->received);
	for (uint32_t i = 0; i < n; i++)
		out->received[out->n_received++] = (uint32_t)packets[i];
}

static const char *say(int code)
{
	switch (code) {
	case STARLING__CODE__CODE_FENCED:
		return "the session has a newer owner, or is gone";
	case STARLING__CODE__CODE_EXISTS:
		return "a living broker has the session";
	case STARLING__CODE__CODE_DENIED:
		return "the session is another user's";
	case STARLING__CODE__CODE_LIMIT:
		return "there are as many as there may be";
	default:
		return "";
	}
}

bool mqtt_row_ok(struct op *op, const PGresult *res, int row)
{
	int code = row < PQntuples(res) ? pg_get_int4(res, row, 0) : STARLING__CODE__CODE_INTERNAL;

	if (code == STARLING__CODE__CODE_OK)
		return true;
	op_fail(op, code, say(code));
	return false;
}

void mqtt_answer_empty(struct op *op, const PGresult *res, int row)
{
	Starling__Empty reply = STARLING__EMPTY__INIT;

	if (mqtt_row_ok(op, res, row))
		op_reply(op, &reply.base);
}
