/* SPDX-License-Identifier: Apache-2.0
 *
 * MqttQueue: a message for the sessions of one broker, a row each; one statement for all calls of a batch. The busiest write of an mqtt-broker.
 * Numbers in the SQL are codes of ipc/proto/envelope.proto: 3 UNAVAILABLE, 6 FENCED, 9 EXISTS. */
#include <inttypes.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/mqtt.h"

#define TO_MAX          1000u
#define IDENTIFIERS_MAX 1000u
#define SEQ_MAX         (INT64_MAX >> 4)

/* What is small travels with the seq in one number: QoS, flags. */
enum { BIT_RETAIN = 4, BIT_AGAIN = 8, BITS = 4 };

static const enum pg_oid columns[] = { PG_TEXT, PG_TEXT, PG_BYTEA, PG_INT8, PG_INT8 };

static const char *check(const Starling__MqttQueueRequest *r)
{
	if (r->n_to == 0 || r->n_to > TO_MAX)
		return "not 1 to 1000 sessions";
	if (r->message && r->message->payload.len)
		return "the payload is the record's";
	for (size_t i = 0; i < r->n_to; i++) {
		const Starling__MqttQueued *q = r->to[i];

		if (!q->fence || q->fence->session == 0 || q->fence->session > INT64_MAX || q->fence->epoch == 0 ||
		    q->fence->epoch > INT64_MAX)
			return "no fence, or out of range";
		if (q->seq == 0 || q->seq > SEQ_MAX || q->qos == 0 || q->qos > 2 || q->n_identifiers > IDENTIFIERS_MAX)
			return "seq or qos out of range, or more than 1000 identifiers";
		if (q->behind >= q->seq)
			return "behind itself";
	}
	return NULL;
}

/* Each slot once. Who asks what is there needs its locks alone: what another wrote meanwhile must have been committed. */
static void take_locks(struct op *op, const Starling__MqttQueueRequest *r)
{
	uint64_t seen[SLOT_COUNT / 64] = { 0 };

	op->lock = mqtt_lock(mqtt_session_slot(r->to[0]->fence->session), !r->again);
	if (r->n_to == 1)
		return;
	op->locks = mem_alloc(r->n_to * sizeof *op->locks);
	for (size_t i = 0; i < r->n_to; i++) {
		uint32_t slot = mqtt_session_slot(r->to[i]->fence->session);

		if (seen[slot / 64] & UINT64_C(1) << slot % 64)
			continue;
		seen[slot / 64] |= UINT64_C(1) << slot % 64;
		op->locks[op->lock_count++] = mqtt_lock(slot, !r->again);
	}
}

/* Four numbers a session, as text: a batch's rows have different lengths. */
static void bind_to(struct op *op, const Starling__MqttQueueRequest *r)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < r->n_to; i++) {
		const Starling__MqttQueued *q = r->to[i];
		uint32_t bits = q->qos | (q->retain ? BIT_RETAIN : 0) | (op->asks[0] ? BIT_AGAIN : 0);

		buf_printf(&text, "%c%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, i ? ',' : '{', q->fence->session, q->fence->epoch,
		           q->seq << BITS | bits, q->behind);
	}
	buf_append_char(&text, '}');
	pg_args_bytes(&op->args, buf_str(&text));
	buf_fini(&text);
}

/* Null where no session has any, else a text[] of which each element is an int8[]. */
static void bind_identifiers(struct op *op, const Starling__MqttQueueRequest *r)
{
	struct buf text = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < r->n_to; i++) {
		const Starling__MqttQueued *q = r->to[i];

		n += q->n_identifiers;
		buf_append_str(&text, i ? STR(",") : STR("{"));
		for (size_t k = 0; k < q->n_identifiers; k++)
			buf_printf(&text, "%s%" PRIu32, k ? "," : "\"{", q->identifiers[k]);
		buf_append_str(&text, q->n_identifiers ? STR("}\"") : STR("NULL"));
	}
	buf_append_char(&text, '}');
	if (n)
		pg_args_bytes(&op->args, buf_str(&text));
	else
		pg_args_null(&op->args);
	buf_fini(&text);
}

static int bind_queue(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__MqttQueueRequest *r = (const Starling__MqttQueueRequest *)request;
	int code;

	*why = check(r);
	if (*why)
		return STARLING__CODE__CODE_INVALID;
	/* Two with one name, of which the later asks for it, never share a batch (op.h). */
	op->names[0] = r->key_origin ? r->key_origin ^ r->key_number * 0x9e3779b97f4a7c15u : 0;
	op->asks[0] = r->again && op->names[0];
	take_locks(op, r);
	bind_to(op, r);
	bind_identifiers(op, r);
	code = mqtt_bind_message(op, r->message, payload, SIZE_MAX, why);
	pg_args_int8(&op->args, (int64_t)r->key_origin);
	pg_args_int8(&op->args, (int64_t)r->key_number);
	return code;
}

/* The result has only what was not stored: which call of the batch, from 1, which session, and why. */
static void answer_queue(struct op *op, const PGresult *res, int row)
{
	Starling__MqttQueueReply reply = STARLING__MQTT_QUEUE_REPLY__INIT;
	size_t n = (size_t)PQntuples(res);

	reply.duplicates = arena_alloc(op->scratch, (n + 1) * sizeof *reply.duplicates);
	reply.fenced = arena_alloc(op->scratch, (n + 1) * sizeof *reply.fenced);
	reply.early = arena_alloc(op->scratch, (n + 1) * sizeof *reply.early);
	for (int i = 0; i < (int)n; i++) {
		uint64_t session = (uint64_t)pg_get_int8(res, i, 1);

		if (pg_get_int8(res, i, 0) != row + 1)
			continue;
		switch (pg_get_int4(res, i, 2)) {
		case STARLING__CODE__CODE_FENCED:
			reply.fenced[reply.n_fenced++] = session;
			break;
		case STARLING__CODE__CODE_UNAVAILABLE:
			reply.early[reply.n_early++] = session;
			break;
		default:
			reply.duplicates[reply.n_duplicates++] = session;
			break;
		}
	}
	op_reply(op, &reply.base);
}

/* OFFSET 0, as in LogAppend: look-ups stay what they are. The slots' locks were taken before the statement's snapshot.
 * b: each session of each call, and whether it has the message, or an owner of its own. c: the row that it is to be behind, unless that is the one before it in
 *    this batch. x: whether it is to get a row. Behind one that gets none, none of its session does.
 * Messages are picked from their array, so that one for a thousand sessions is not copied a thousand times on the way. */
const struct method mqtt_queue = {
	.name = "MqttQueue",
	.kind = METHOD_MERGED,
	.columns = columns,
	.column_count = sizeof columns / sizeof columns[0],
	.sql = "WITH b AS MATERIALIZED (SELECT t.ord, t.session, t.bits, t.behind, t.identifiers, CASE WHEN o.session IS NULL THEN 6 "
	       "WHEN t.bits & 8 > 0 AND mqtt_has(t.session, t.bits & 3 = 2, ($4::int8[])[t.ord], ($5::int8[])[t.ord]) THEN 9 ELSE 0 END AS "
	       "code "
	       "FROM (SELECT u.ord, a.v[4 * n - 3] AS session, a.v[4 * n - 2] AS epoch, a.v[4 * n - 1] AS bits, a.v[4 * n] AS behind, "
	       "a.w[n]::int8[] AS identifiers "
	       "FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (sessions, identifiers, ord), "
	       "LATERAL (SELECT u.sessions::int8[] AS v, u.identifiers::text[] AS w OFFSET 0) a, LATERAL generate_series(1, "
	       "cardinality(a.v) / 4) n) t "
	       "LEFT JOIN LATERAL (SELECT s.session FROM mqtt_session s WHERE s.session = t.session AND s.epoch = t.epoch OFFSET 0) o ON "
	       "true), "
	       "c AS MATERIALIZED (SELECT ord, session, bits, identifiers, code, CASE WHEN code = 0 AND behind > 0 AND lag(bits >> 4) OVER "
	       "(PARTITION BY session, code ORDER BY bits >> 4) IS DISTINCT FROM behind THEN behind END AS want FROM b), "
	       "x AS MATERIALIZED (SELECT c.ord, c.session, c.bits, c.identifiers, CASE WHEN c.code = 0 AND bool_or(c.want IS NOT NULL AND "
	       "e.seq IS NULL) OVER (PARTITION BY c.session ORDER BY c.bits >> 4) THEN 3 ELSE c.code END AS code FROM c "
	       "LEFT JOIN LATERAL (SELECT q.seq FROM mqtt_queue q WHERE q.session = c.session AND q.seq = c.want OFFSET 0) e ON true), "
	       "i AS (INSERT INTO mqtt_queue (session, seq, key_origin, key_number, bits, identifiers, message) "
	       "SELECT session, bits >> 4, ($4::int8[])[ord], ($5::int8[])[ord], (bits & 7)::int4, identifiers, ($3::bytea[])[ord] FROM x "
	       "WHERE code = 0) "
	       "SELECT ord, session, code FROM x WHERE code <> 0",
	.bind = bind_queue,
	.answer = answer_queue,
};
