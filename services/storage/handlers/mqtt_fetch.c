/* SPDX-License-Identifier: Apache-2.0
 *
 * MqttFetch: a page of what waits for a session. */
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/mqtt.h"

enum { BIT_RETAIN = 4, BIT_RECEIVED = 8 };

static int bind_fetch(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__MqttFetchRequest *r = (const Starling__MqttFetchRequest *)request;

	(void)payload;
	if (r->session == 0 || r->session > INT64_MAX || r->after > INT64_MAX || r->limit == 0 || r->limit > MQTT_PAGE_MAX) {
		*why = "session or after out of range, or limit not 1 to 500";
		return STARLING__CODE__CODE_INVALID;
	}
	pg_args_int8(&op->args, (int64_t)r->session);
	pg_args_int8(&op->args, (int64_t)r->after);
	pg_args_int4(&op->args, (int32_t)r->limit);
	pg_args_int8(&op->args, op->limits->fetch_bytes);
	return 0;
}

static void read_entry(struct op *op, const PGresult *res, int row, Starling__MqttEntry *out)
{
	uint32_t n = pg_get_text_count(res, row, 2), bits = (uint32_t)pg_get_int4(res, row, 1);
	uint64_t *identifiers = arena_alloc(op->scratch, (n + 1) * sizeof *identifiers);

	starling__mqtt_entry__init(out);
	out->seq = (uint64_t)pg_get_int8(res, row, 0);
	out->qos = bits & 3;
	out->retain = bits & BIT_RETAIN;
	out->received = bits & BIT_RECEIVED;
	n = pg_get_int8s(res, row, 2, identifiers, n);
	out->identifiers = arena_alloc(op->scratch, (n + 1) * sizeof *out->identifiers);
	for (uint32_t i = 0; i < n; i++)
		out->identifiers[out->n_identifiers++] = (uint32_t)identifiers[i];
	out->message = mqtt_read_message(op, res, row, 3);
}

static void answer_fetch(struct op *op, const PGresult *res, int row)
{
	Starling__MqttFetchReply reply = STARLING__MQTT_FETCH_REPLY__INIT;
	size_t n = (size_t)PQntuples(res);
	Starling__MqttEntry *entries = arena_alloc(op->scratch, (n + 1) * sizeof *entries);

	reply.entries = arena_alloc(op->scratch, (n + 1) * sizeof(Starling__MqttEntry *));
	for (row = 0; row < (int)n; row++) {
		read_entry(op, res, row, &entries[row]);
		reply.entries[reply.n_entries++] = &entries[row];
	}
	/* Each row knows how many there were in all, up to one more than asked for. */
	reply.complete = n == 0 || pg_get_int8(res, 0, 4) == (int64_t)n;
	op_reply(op, &reply.base);
}

/* At least one entry, then as many as fit the byte limit. A session that is gone has nothing, even if its rows have not been swept yet. */
const struct method mqtt_fetch = {
	.name = "MqttFetch",
	.kind = METHOD_READ,
	.sql = "SELECT seq, bits, identifiers, message, total FROM (SELECT n.*, count(*) OVER () AS total, row_number() OVER o AS rank, "
	       "sum(size) OVER o - size AS before FROM (SELECT q.seq, q.bits, q.identifiers, q.message, "
	       "32 + coalesce(octet_length(q.message), 0) + 8 * coalesce(cardinality(q.identifiers), 0) AS size FROM mqtt_queue q "
	       "WHERE q.session = $1::int8 AND q.seq > $2::int8 AND EXISTS (SELECT FROM mqtt_session s WHERE s.session = $1::int8) "
	       "ORDER BY q.seq LIMIT $3::int4 + 1) n WINDOW o AS (ORDER BY seq)) w WHERE rank <= $3::int4 AND before < $4::int8 ORDER BY "
	       "seq",
	.bind = bind_fetch,
	.answer = answer_fetch,
};
