/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_decode.h"

#include "common/mqtt/mqtt_decode_private.h"
#include "common/mqtt/mqtt_topic.h"

#define FLAG_DUP    8u
#define FLAG_RETAIN 1u

/* Section 3.3.1. */
static void read_flags(struct mqtt_reader *r, unsigned flags, unsigned version, struct mqtt_publish *out)
{
	out->dup = (flags & FLAG_DUP) != 0;
	out->retain = (flags & FLAG_RETAIN) != 0;
	out->qos = flags >> 1 & 3;
	if (out->qos == 3)
		mqtt_reader_fail(r, MQTT_RULE_QOS);
	if (out->dup && out->qos == 0) {
		/* 3.1 section 2.1: it applies to QoS above 0. That is no prohibition. */
		if (version == MQTT_3_1)
			out->dup = false;
		else
			mqtt_reader_fail(r, MQTT_RULE_DUP);
	}
}

/* What depends on who sends. */
static void check_props(struct mqtt_reader *r, const struct mqtt_peer *from, const struct mqtt_publish *p)
{
	if (mqtt_props_has(&p->props, MQTT_PROP_TOPIC_ALIAS) && p->props.topic_alias > from->topic_alias_max)
		mqtt_reader_fail(r, MQTT_RULE_ALIAS_MAX);
	if (!from->server && mqtt_props_has(&p->props, MQTT_PROP_SUBSCRIPTION_ID))
		mqtt_reader_fail(r, MQTT_RULE_SUBSCRIPTION_ID);
}

static void check_topic(struct mqtt_reader *r, const struct mqtt_peer *from, const struct mqtt_publish *p)
{
	enum mqtt_rule rule;

	if (p->topic.n == 0 && from->version == MQTT_5) {
		if (!mqtt_props_has(&p->props, MQTT_PROP_TOPIC_ALIAS))
			mqtt_reader_fail(r, MQTT_RULE_TOPIC_MISSING);
		return;
	}
	rule = mqtt_topic_name_check(p->topic, from->levels_max);
	if (rule)
		mqtt_reader_fail(r, rule);
}

bool mqtt_decode_publish(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_publish *out, struct mqtt_error *e)
{
	struct mqtt_reader r = mqtt_decode_begin(f, from);

	read_flags(&r, f->flags, from->version, out);
	out->topic = mqtt_reader_string(&r);
	out->packet_id = out->qos ? mqtt_reader_packet_id(&r) : 0;
	mqtt_decode_props(&r, from->version, MQTT_PUBLISH, &out->props);
	if (out->props.has)
		check_props(&r, from, out);
	if (!r.bad)
		check_topic(&r, from, out);
	out->payload = mqtt_reader_bytes(&r, mqtt_reader_left(&r));
	return mqtt_decode_end(&r, from->version, e);
}
