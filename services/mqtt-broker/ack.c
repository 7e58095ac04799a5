/* SPDX-License-Identifier: Apache-2.0
 *
 * ack: a client's acknowledgements of what it was sent (MQTT 5.0 sections 3.4, 3.5, 3.7 and 4.3), as a table: the packet, and how far the message is. */
#include "services/mqtt-broker/lasting.h"

enum step {
	STEP_IGNORE, /* nobody waits for it: a late one, or a mistake that harms nobody but its sender */
	STEP_DONE,
	STEP_RELEASE,   /* PUBREL goes out */
	STEP_NOT_FOUND, /* the same, with the reason code that says that there is no such message */
};

static const uint8_t steps[][5] = {
	[MQTT_PUBACK] = { [MQ_FLIGHT_QOS1] = STEP_DONE },
	[MQTT_PUBREC] = { [MQ_FLIGHT_NONE] = STEP_NOT_FOUND, [MQ_FLIGHT_QOS2] = STEP_RELEASE, [MQ_FLIGHT_RELEASED] = STEP_RELEASE },
	[MQTT_PUBCOMP] = { [MQ_FLIGHT_RELEASED] = STEP_DONE },
};

/* Of a session that lasts the store knows it before PUBREL goes out: else who comes back would get the message again. */
static void received(struct mq_client *c, uint16_t packet_id)
{
	struct mq_inflight *flight = &c->session->inflight;

	if (c->session->lasts && mq_inflight_get(flight, packet_id) == MQ_FLIGHT_QOS2) {
		mq_inflight_set(flight, packet_id, MQ_FLIGHT_RECEIVED);
		mq_got(c->session, mq_inflight_number(flight, packet_id));
		return;
	}
	mq_inflight_set(flight, packet_id, MQ_FLIGHT_RELEASED);
	mqtt_encode_short_ack(conn_output(c->conn), &c->peer, MQTT_PUBREL, packet_id, MQTT_SUCCESS);
}

bool mq_on_ack(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e)
{
	struct mq_inflight *flight = &c->session->inflight;
	struct mqtt_ack p;
	enum step step;

	if (!mqtt_decode_ack(f, &c->peer, &p, e))
		return false;
	step = (enum step)steps[f->type][mq_inflight_get(flight, p.packet_id)];
	/* Section 4.3.3: PUBREC with an error ends the exchange. */
	if (step == STEP_RELEASE && p.reason >= MQTT_UNSPECIFIED_ERROR)
		step = STEP_DONE;
	switch (step) {
	case STEP_DONE:
		if (c->session->lasts)
			mq_done(c->session, mq_inflight_number(flight, p.packet_id));
		mq_inflight_set(flight, p.packet_id, MQ_FLIGHT_NONE);
		mq_deliver_more(c->session);
		break;
	case STEP_RELEASE:
		received(c, p.packet_id);
		break;
	case STEP_NOT_FOUND:
		mqtt_encode_short_ack(conn_output(c->conn), &c->peer, MQTT_PUBREL, p.packet_id, MQTT_PACKET_ID_NOT_FOUND);
		break;
	default:
		break;
	}
	return true;
}
