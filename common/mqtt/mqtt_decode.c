/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoders of the small packets; CONNECT, PUBLISH and the subscriptions have files of their own. */
#include "common/mqtt/mqtt_decode.h"

#include "common/mqtt/mqtt_decode_private.h"
#include "common/mqtt/mqtt_reason.h"

#define FROM_CLIENT 1u
#define FROM_SERVER 2u

/* Table 2-1. */
static const uint8_t senders[16] = {
	[MQTT_CONNECT] = FROM_CLIENT,
	[MQTT_CONNACK] = FROM_SERVER,
	[MQTT_PUBLISH] = FROM_CLIENT | FROM_SERVER,
	[MQTT_PUBACK] = FROM_CLIENT | FROM_SERVER,
	[MQTT_PUBREC] = FROM_CLIENT | FROM_SERVER,
	[MQTT_PUBREL] = FROM_CLIENT | FROM_SERVER,
	[MQTT_PUBCOMP] = FROM_CLIENT | FROM_SERVER,
	[MQTT_SUBSCRIBE] = FROM_CLIENT,
	[MQTT_SUBACK] = FROM_SERVER,
	[MQTT_UNSUBSCRIBE] = FROM_CLIENT,
	[MQTT_UNSUBACK] = FROM_SERVER,
	[MQTT_PINGREQ] = FROM_CLIENT,
	[MQTT_PINGRESP] = FROM_SERVER,
	[MQTT_DISCONNECT] = FROM_CLIENT | FROM_SERVER,
	[MQTT_AUTH] = FROM_CLIENT | FROM_SERVER,
};

struct mqtt_reader mqtt_decode_begin(const struct mqtt_frame *f, const struct mqtt_peer *from)
{
	struct mqtt_reader r = mqtt_reader_of(f->body, from->refuse_controls);
	/* Before 5.0 a server closes without a word. */
	bool mute = f->type == MQTT_DISCONNECT && from->server && from->version != MQTT_5;

	if (!(senders[f->type & 15] & (from->server ? FROM_SERVER : FROM_CLIENT)) || mute)
		mqtt_reader_fail(&r, MQTT_RULE_DIRECTION);
	return r;
}

bool mqtt_decode_end(const struct mqtt_reader *r, unsigned version, struct mqtt_error *e)
{
	enum mqtt_rule rule = r->bad ? r->bad : r->p < r->end ? MQTT_RULE_EXTRA : MQTT_RULE_NONE;

	return rule ? mqtt_refuse(e, version, rule) : true;
}

void mqtt_decode_props(struct mqtt_reader *r, unsigned version, unsigned type, struct mqtt_props *out)
{
	if (version == MQTT_5)
		mqtt_props_read(r, type, out);
	else
		*out = (struct mqtt_props){ 0 };
}

static void check_reason(struct mqtt_reader *r, const struct mqtt_frame *f, const struct mqtt_peer *from, uint8_t reason)
{
	static const uint8_t rules[16] = {
		[MQTT_CONNACK] = MQTT_RULE_CONNACK_REASON, [MQTT_PUBACK] = MQTT_RULE_PUBACK_REASON,
		[MQTT_PUBREC] = MQTT_RULE_PUBREC_REASON,   [MQTT_PUBREL] = MQTT_RULE_PUBREL_REASON,
		[MQTT_PUBCOMP] = MQTT_RULE_PUBCOMP_REASON, [MQTT_DISCONNECT] = MQTT_RULE_DISCONNECT_REASON,
		[MQTT_AUTH] = MQTT_RULE_AUTH_REASON,
	};

	if (!r->bad && !mqtt_reason_allowed(reason, f->type, from->server))
		mqtt_reader_fail(r, rules[f->type & 15]);
}

bool mqtt_decode_connack(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_connack *out, struct mqtt_error *e)
{
	struct mqtt_reader r = mqtt_decode_begin(f, from);
	uint8_t flags = mqtt_reader_u8(&r), code = mqtt_reader_u8(&r);
	int reason = from->version == MQTT_5 ? code : mqtt_reason_from_return_code(code);

	/* 3.1 section 3.2: a reserved byte, not used. */
	if (from->version == MQTT_3_1)
		flags = 0;
	if (flags & 0xFE)
		mqtt_reader_fail(&r, MQTT_RULE_CONNACK_FLAGS);
	if (reason < 0)
		mqtt_reader_fail(&r, MQTT_RULE_CONNACK_REASON);
	out->session_present = flags == 1;
	out->reason = (uint8_t)reason;
	check_reason(&r, f, from, out->reason);
	if (out->session_present && out->reason)
		mqtt_reader_fail(&r, MQTT_RULE_SESSION_PRESENT);
	mqtt_decode_props(&r, from->version, MQTT_CONNACK, &out->props);
	return mqtt_decode_end(&r, from->version, e);
}

bool mqtt_decode_ack(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_ack *out, struct mqtt_error *e)
{
	struct mqtt_reader r = mqtt_decode_begin(f, from);

	out->packet_id = mqtt_reader_packet_id(&r);
	out->reason = MQTT_SUCCESS;
	out->props = (struct mqtt_props){ 0 };
	/* Section 3.4.2.1: a Remaining Length of 2 says Success, one of 3 says that there are no properties. */
	if (from->version == MQTT_5 && mqtt_reader_left(&r)) {
		out->reason = mqtt_reader_u8(&r);
		check_reason(&r, f, from, out->reason);
		if (mqtt_reader_left(&r))
			mqtt_props_read(&r, f->type, &out->props);
	}
	return mqtt_decode_end(&r, from->version, e);
}

bool mqtt_decode_ping(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_error *e)
{
	struct mqtt_reader r = mqtt_decode_begin(f, from);

	return mqtt_decode_end(&r, from->version, e);
}

bool mqtt_decode_disconnect(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_disconnect *out, struct mqtt_error *e)
{
	struct mqtt_reader r = mqtt_decode_begin(f, from);

	*out = (struct mqtt_disconnect){ 0 };
	/* Section 3.14.2.1: nothing is a normal disconnection, and a reason code alone has no properties. */
	if (from->version == MQTT_5 && mqtt_reader_left(&r)) {
		out->reason = mqtt_reader_u8(&r);
		check_reason(&r, f, from, out->reason);
		if (mqtt_reader_left(&r))
			mqtt_props_read(&r, MQTT_DISCONNECT, &out->props);
		if (from->server && mqtt_props_has(&out->props, MQTT_PROP_SESSION_EXPIRY))
			mqtt_reader_fail(&r, MQTT_RULE_SERVER_EXPIRY);
	}
	return mqtt_decode_end(&r, from->version, e);
}

bool mqtt_decode_auth(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_auth *out, struct mqtt_error *e)
{
	struct mqtt_reader r = mqtt_decode_begin(f, from);

	*out = (struct mqtt_auth){ 0 };
	/* Section 3.15.2.1: nothing says Success, which is a server's word. */
	if (mqtt_reader_left(&r)) {
		out->reason = mqtt_reader_u8(&r);
		check_reason(&r, f, from, out->reason);
		mqtt_props_read(&r, MQTT_AUTH, &out->props);
		if (!mqtt_props_has(&out->props, MQTT_PROP_AUTH_METHOD))
			mqtt_reader_fail(&r, MQTT_RULE_AUTH_METHOD);
	} else {
		check_reason(&r, f, from, out->reason);
	}
	return mqtt_decode_end(&r, from->version, e);
}
