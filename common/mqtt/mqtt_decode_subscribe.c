/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_decode.h"

#include "common/mqtt/mqtt_decode_private.h"
#include "common/mqtt/mqtt_reason.h"
#include "common/mqtt/mqtt_topic.h"

/* Section 3.8.3.1; before 5.0 only QoS. */
static void read_options(struct mqtt_reader *r, unsigned version, struct mqtt_subscription *out)
{
	unsigned options = mqtt_reader_u8(r);

	out->qos = options & 3;
	out->no_local = (options & 4) != 0;
	out->retain_as_published = (options & 8) != 0;
	out->retain_handling = options >> 4 & 3;
	if (options & (version == MQTT_5 ? 0xC0 : 0xFC))
		mqtt_reader_fail(r, MQTT_RULE_OPTIONS_RESERVED);
	if (out->qos == 3)
		mqtt_reader_fail(r, MQTT_RULE_OPTIONS_QOS);
	if (out->retain_handling == 3)
		mqtt_reader_fail(r, MQTT_RULE_RETAIN_HANDLING);
	if (out->no_local && out->group.n)
		mqtt_reader_fail(r, MQTT_RULE_NO_LOCAL);
}

static void read_subscription(struct mqtt_reader *r, unsigned version, struct mqtt_subscription *out)
{
	struct mqtt_filter parts = { 0 };

	out->filter = mqtt_reader_string(r);
	enum mqtt_rule rule = mqtt_topic_filter_parse(out->filter, 0, &parts);
	if (rule)
		mqtt_reader_fail(r, rule);
	out->topic = parts.topic;
	out->group = parts.group;
	out->wildcard = parts.wildcard;
	out->levels = parts.levels;
	read_options(r, version, out);
}

bool mqtt_decode_subscribe(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_subscribe *out, struct mqtt_error *e)
{
	struct mqtt_reader r = mqtt_decode_begin(f, from);
	struct mqtt_subscription each;

	out->packet_id = mqtt_reader_packet_id(&r);
	mqtt_decode_props(&r, from->version, MQTT_SUBSCRIBE, &out->props);
	out->payload = str_make(r.p, mqtt_reader_left(&r));
	if (!out->payload.n)
		mqtt_reader_fail(&r, MQTT_RULE_SUBSCRIBE_EMPTY);
	for (out->count = 0; mqtt_reader_left(&r); out->count++)
		read_subscription(&r, from->version, &each);
	return mqtt_decode_end(&r, from->version, e);
}

bool mqtt_decode_unsubscribe(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_unsubscribe *out, struct mqtt_error *e)
{
	struct mqtt_reader r = mqtt_decode_begin(f, from);
	struct mqtt_filter parts;

	out->packet_id = mqtt_reader_packet_id(&r);
	mqtt_decode_props(&r, from->version, MQTT_UNSUBSCRIBE, &out->props);
	out->payload = str_make(r.p, mqtt_reader_left(&r));
	if (!out->payload.n)
		mqtt_reader_fail(&r, MQTT_RULE_UNSUBSCRIBE_EMPTY);
	for (out->count = 0; mqtt_reader_left(&r); out->count++) {
		struct str filter = mqtt_reader_string(&r);
		enum mqtt_rule rule = mqtt_topic_filter_parse(filter, 0, &parts);

		if (rule)
			mqtt_reader_fail(&r, rule);
	}
	return mqtt_decode_end(&r, from->version, e);
}

static bool keep_rest(struct str *rest, const struct mqtt_reader *r)
{
	*rest = str_make(r->p, mqtt_reader_left(r));
	return !r->bad;
}

bool mqtt_subscribe_next(struct str *rest, unsigned version, struct mqtt_subscription *out)
{
	struct mqtt_reader r = mqtt_reader_of(*rest, false);

	if (!rest->n)
		return false;
	read_subscription(&r, version, out);
	return keep_rest(rest, &r);
}

bool mqtt_unsubscribe_next(struct str *rest, struct str *out_filter)
{
	struct mqtt_reader r = mqtt_reader_of(*rest, false);

	if (!rest->n)
		return false;
	*out_filter = mqtt_reader_binary(&r);
	return keep_rest(rest, &r);
}

/* The reason codes of SUBACK, and in 5.0 of UNSUBACK. Those of 3.1.1 are among them, with 0x80 for failure. */
static void check_reasons(struct mqtt_reader *r, unsigned version, unsigned type, struct str reasons)
{
	bool sub = type == MQTT_SUBACK;

	if (!r->bad && reasons.n == 0)
		mqtt_reader_fail(r, sub ? MQTT_RULE_SUBACK_EMPTY : MQTT_RULE_UNSUBACK_EMPTY);
	for (size_t i = 0; i < reasons.n; i++) {
		uint8_t code = (uint8_t)reasons.p[i];
		bool old = code <= MQTT_GRANTED_QOS_2 || code == MQTT_UNSPECIFIED_ERROR;

		if (version == MQTT_5 ? !mqtt_reason_allowed(code, type, true) : !old)
			mqtt_reader_fail(r, sub ? MQTT_RULE_SUBACK_REASON : MQTT_RULE_UNSUBACK_REASON);
	}
}

bool mqtt_decode_suback(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_suback *out, struct mqtt_error *e)
{
	struct mqtt_reader r = mqtt_decode_begin(f, from);

	out->packet_id = mqtt_reader_packet_id(&r);
	mqtt_decode_props(&r, from->version, f->type, &out->props);
	out->reasons = (struct str){ NULL, 0 };
	if (f->type == MQTT_SUBACK || from->version == MQTT_5) {
		out->reasons = mqtt_reader_bytes(&r, mqtt_reader_left(&r));
		check_reasons(&r, from->version, f->type, out->reasons);
	}
	return mqtt_decode_end(&r, from->version, e);
}
