/* SPDX-License-Identifier: Apache-2.0
 *
 * MqttReceive and MqttReleased: incoming QoS 2 (MQTT 5 section 4.3.3, method A of 4.3). What a client publishes gets a name when it first comes, and keeps it
 * until the client has released it.
 * Numbers in the SQL are codes of ipc/proto/envelope.proto: 6 FENCED. */
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/mqtt.h"

#define PACKET_MAX  65535u
#define PACKETS_MAX 65535u

static bool is_packet(uint32_t packet)
{
	return packet > 0 && packet <= PACKET_MAX;
}

/* --- receive ------------------------------------------------------------------------------------------------------- */

static const enum pg_oid receive_columns[] = { PG_INT8, PG_INT8, PG_INT4 };

/* Alone: it decides by what is not there. */
static int bind_receive(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__MqttReceiveRequest *r = (const Starling__MqttReceiveRequest *)request;
	int code = mqtt_bind_fence(op, r->fence, false, why);

	(void)payload;
	if (code)
		return code;
	if (!is_packet(r->packet)) {
		*why = "packet must be 1 to 65535";
		return STARLING__CODE__CODE_INVALID;
	}
	pg_args_int4(&op->args, (int32_t)r->packet);
	return 0;
}

static void answer_receive(struct op *op, const PGresult *res, int row)
{
	Starling__MqttReceiveReply reply = STARLING__MQTT_RECEIVE_REPLY__INIT;

	if (!mqtt_row_ok(op, res, row))
		return;
	reply.key_origin = (uint64_t)pg_get_int8(res, row, 1);
	reply.key_number = (uint64_t)pg_get_int8(res, row, 2);
	reply.again = pg_get_bool(res, row, 3);
	op_reply(op, &reply.base);
}

/* x: each call, and the name that is there. y: new names; of two calls for one packet in the batch the first gets it. */
const struct method mqtt_receive = {
	.name = "MqttReceive",
	.kind = METHOD_MERGED,
	.columns = receive_columns,
	.column_count = sizeof receive_columns / sizeof receive_columns[0],
	.sql = "WITH x AS (SELECT u.ord, u.session, u.packet, CASE WHEN o.session IS NULL THEN 6 ELSE 0 END AS code, k.number AS had "
	       "FROM unnest($1::int8[], $2::int8[], $3::int4[]) WITH ORDINALITY AS u (session, epoch, packet, ord) "
	       "LEFT JOIN LATERAL (SELECT s.session FROM mqtt_session s WHERE s.session = u.session AND s.epoch = u.epoch OFFSET 0) o ON "
	       "true "
	       "LEFT JOIN LATERAL (SELECT r.number FROM mqtt_received r WHERE r.session = u.session AND r.packet = u.packet OFFSET 0) k ON "
	       "true), "
	       "y AS MATERIALIZED (SELECT x.*, CASE WHEN code = 0 AND had IS NULL AND row_number() OVER (PARTITION BY session, packet, "
	       "code "
	       "ORDER BY ord) = 1 THEN nextval('mqtt_received_numbers') END AS number FROM x), "
	       "i AS (INSERT INTO mqtt_received (session, packet, number) SELECT session, packet, number FROM y WHERE number IS NOT NULL) "
	       "SELECT code, session, coalesce(had, first_value(number) OVER (PARTITION BY session, packet, code ORDER BY ord)), number IS "
	       "NULL "
	       "FROM y ORDER BY ord",
	.bind = bind_receive,
	.answer = answer_receive,
};

/* --- released ------------------------------------------------------------------------------------------------------ */

static const enum pg_oid released_columns[] = { PG_INT8, PG_INT8, PG_TEXT };

static int bind_released(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__MqttReleasedRequest *r = (const Starling__MqttReleasedRequest *)request;
	uint64_t *packets;
	int code = mqtt_bind_fence(op, r->fence, true, why);

	(void)payload;
	if (code)
		return code;
	*why = r->n_packets > PACKETS_MAX ? "more than 65535 packets" : NULL;
	packets = arena_alloc(op->scratch, (r->n_packets + 1) * sizeof *packets);
	for (size_t i = 0; i < r->n_packets && !*why; i++) {
		packets[i] = r->packets[i];
		if (!is_packet(r->packets[i]))
			*why = "packet must be 1 to 65535";
	}
	if (*why)
		return STARLING__CODE__CODE_INVALID;
	mqtt_bind_numbers(op, packets, r->n_packets);
	arena_reset(op->scratch);
	return 0;
}

/* By place, as in MqttDone. */
const struct method mqtt_released = {
	.name = "MqttReleased",
	.kind = METHOD_MERGED,
	.columns = released_columns,
	.column_count = sizeof released_columns / sizeof released_columns[0],
	.sql = "WITH x AS MATERIALIZED (SELECT u.ord, u.session, u.packets, CASE WHEN o.session IS NULL THEN 6 ELSE 0 END AS code "
	       "FROM unnest($1::int8[], $2::int8[], $3::text[]) WITH ORDINALITY AS u (session, epoch, packets, ord) "
	       "LEFT JOIN LATERAL (SELECT s.session FROM mqtt_session s WHERE s.session = u.session AND s.epoch = u.epoch OFFSET 0) o ON "
	       "true), "
	       "d AS (DELETE FROM mqtt_received WHERE ctid = ANY (ARRAY(SELECT k.ctid FROM x, "
	       "LATERAL (SELECT unnest(x.packets::int4[]) AS packet OFFSET 0) n, LATERAL (SELECT r.ctid FROM mqtt_received r "
	       "WHERE r.session = x.session AND r.packet = n.packet OFFSET 0) k WHERE x.code = 0))) "
	       "SELECT code FROM x ORDER BY ord",
	.bind = bind_released,
	.answer = mqtt_answer_empty,
};
