/* SPDX-License-Identifier: Apache-2.0
 *
 * MqttDone: what a client has acknowledged; one statement for all calls of a batch.
 * Numbers in the SQL are codes of ipc/proto/envelope.proto: 6 FENCED. */
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/mqtt.h"

#define SEQS_MAX 1000u

static const enum pg_oid columns[] = { PG_INT8, PG_INT8, PG_TEXT, PG_TEXT };

static int bind_done(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__MqttDoneRequest *r = (const Starling__MqttDoneRequest *)request;
	int code = mqtt_bind_fence(op, r->fence, true, why);

	(void)payload;
	if (code)
		return code;
	if (r->n_done > SEQS_MAX || r->n_received > SEQS_MAX) {
		*why = "more than 1000 done, or received";
		return STARLING__CODE__CODE_INVALID;
	}
	mqtt_bind_numbers(op, r->done, r->n_done);
	mqtt_bind_numbers(op, r->received, r->n_received);
	return 0;
}

/* Rows are looked up by index first and then taken by their place, which no plan can get wrong (docs/decisions/0034-storage-spool.md).
 * d: what goes. n: of QoS 2 the name stays. r: what a client has received but not completed; it waits for d, so that what is done in the same batch is
 *    done. */
const struct method mqtt_done = {
	.name = "MqttDone",
	.kind = METHOD_MERGED,
	.columns = columns,
	.column_count = sizeof columns / sizeof columns[0],
	.sql = "WITH x AS MATERIALIZED (SELECT u.ord, ($1::int8[])[u.ord] AS session, u.done, u.received, "
	       "CASE WHEN o.session IS NULL THEN 6 ELSE 0 END AS code "
	       "FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS u (done, received, ord) "
	       "LEFT JOIN LATERAL (SELECT s.session FROM mqtt_session s WHERE s.session = ($1::int8[])[u.ord] "
	       "AND s.epoch = ($2::int8[])[u.ord] OFFSET 0) o ON true), "
	       "d AS (DELETE FROM mqtt_queue WHERE ctid = ANY (ARRAY(SELECT k.ctid FROM x, "
	       "LATERAL (SELECT unnest(x.done::int8[]) AS seq OFFSET 0) n, LATERAL (SELECT q.ctid FROM mqtt_queue q "
	       "WHERE q.session = x.session AND q.seq = n.seq OFFSET 0) k WHERE x.code = 0)) RETURNING session, bits, key_origin, "
	       "key_number), "
	       "n AS (INSERT INTO mqtt_name (session, key_origin, key_number, at_us) SELECT session, key_origin, key_number, mqtt_now() "
	       "FROM d "
	       "WHERE bits & 3 = 2 AND key_origin <> 0), "
	       "r AS (UPDATE mqtt_queue SET bits = bits | 8, identifiers = NULL, message = NULL WHERE (SELECT count(*) FROM d) >= 0 "
	       "AND ctid = ANY (ARRAY(SELECT k.ctid FROM x, LATERAL (SELECT unnest(x.received::int8[]) AS seq OFFSET 0) n, "
	       "LATERAL (SELECT q.ctid FROM mqtt_queue q WHERE q.session = x.session AND q.seq = n.seq AND q.bits & 3 = 2 OFFSET 0) k "
	       "WHERE x.code = 0 AND x.received <> '{}'))) "
	       "SELECT code FROM x ORDER BY ord",
	.bind = bind_done,
	.answer = mqtt_answer_empty,
};
