/* SPDX-License-Identifier: Apache-2.0
 *
 * CONNECT (section 3.1), in all versions. */
#include "common/mqtt/mqtt_decode.h"

#include "common/mqtt/mqtt_decode_private.h"
#include "common/mqtt/mqtt_topic.h"

enum connect_flag { RESERVED = 1, CLEAN = 2, WILL = 4, WILL_QOS = 8, WILL_RETAIN = 32, PASSWORD = 64, USERNAME = 128 };

/* Protocol name and version. */
static void read_version(struct mqtt_reader *r, struct mqtt_connect *out)
{
	struct str name = mqtt_reader_binary(r);
	bool new_name = str_eq(name, STR("MQTT")), old_name = str_eq(name, STR("MQIsdp"));

	if (!new_name && !old_name)
		mqtt_reader_fail(r, MQTT_RULE_PROTOCOL_NAME);
	unsigned level = mqtt_reader_u8(r);
	/* No protocol's own: how mosquitto, and what speaks with it, marks bridges. */
	out->bridge = level == (0x80 | MQTT_3_1) || level == (0x80 | MQTT_3_1_1);
	if (out->bridge)
		level &= 0x7F;
	if (level >= MQTT_3_1 && level <= MQTT_5)
		out->version = (uint8_t)level;
	if (out->version == MQTT_VERSION_UNKNOWN || old_name != (level == MQTT_3_1))
		mqtt_reader_fail(r, MQTT_RULE_PROTOCOL_LEVEL);
}

/* What the fixed header breaks, now that the version is known. */
static void check_head(struct mqtt_reader *r, const struct mqtt_frame *f, unsigned version)
{
	if (f->flags && version != MQTT_3_1)
		mqtt_reader_fail(r, MQTT_RULE_FLAGS);
	if (f->overlong && version == MQTT_5)
		mqtt_reader_fail(r, MQTT_RULE_LENGTH_OVERLONG);
}

static void read_flags(struct mqtt_reader *r, struct mqtt_connect *out)
{
	unsigned flags = mqtt_reader_u8(r);

	out->clean = (flags & CLEAN) != 0;
	out->has_will = (flags & WILL) != 0;
	out->has_password = (flags & PASSWORD) != 0;
	out->has_username = (flags & USERNAME) != 0;
	out->will.retain = (flags & WILL_RETAIN) != 0;
	out->will.qos = flags / WILL_QOS & 3;
	/* 3.1 section 3.1: not used. */
	if (flags & RESERVED && out->version != MQTT_3_1)
		mqtt_reader_fail(r, MQTT_RULE_CONNECT_FLAG);
	if (out->will.qos && !out->has_will)
		mqtt_reader_fail(r, MQTT_RULE_WILL_QOS_ALONE);
	if (out->will.qos == 3)
		mqtt_reader_fail(r, MQTT_RULE_WILL_QOS);
	if (out->will.retain && !out->has_will)
		mqtt_reader_fail(r, MQTT_RULE_WILL_RETAIN_ALONE);
	if (out->has_password && !out->has_username && out->version != MQTT_5)
		mqtt_reader_fail(r, MQTT_RULE_PASSWORD_ALONE);
}

static void read_client_id(struct mqtt_reader *r, struct mqtt_connect *out)
{
	out->client_id = mqtt_reader_string(r);
	if (out->client_id.n || r->bad)
		return;
	/* 3.1: at least one character. 5.0: the server names the client in any case (MQTT-3.1.3-6). */
	if (out->version == MQTT_3_1 || (out->version == MQTT_3_1_1 && !out->clean))
		mqtt_reader_fail(r, MQTT_RULE_CLIENT_ID);
}

static void read_will(struct mqtt_reader *r, unsigned levels_max, struct mqtt_connect *out)
{
	mqtt_decode_props(r, out->version, MQTT_WILL, &out->will.props);
	out->will.topic = mqtt_reader_string(r);
	if (!r->bad) {
		enum mqtt_rule rule = mqtt_topic_name_check(out->will.topic, levels_max);

		if (rule)
			mqtt_reader_fail(r, rule);
	}
	out->will.payload = mqtt_reader_binary(r);
}

/* 3.1 section 3.1: the Remaining Length takes precedence over the flags; what is not there is not meant. */
static void read_credentials(struct mqtt_reader *r, struct mqtt_connect *out)
{
	bool lenient = out->version == MQTT_3_1;

	if (lenient && out->has_username && !mqtt_reader_left(r))
		out->has_username = false;
	if (out->has_username)
		out->username = mqtt_reader_string(r);
	if (lenient && out->has_password && !mqtt_reader_left(r))
		out->has_password = false;
	if (out->has_password)
		out->password = mqtt_reader_binary(r);
}

bool mqtt_decode_connect(const struct mqtt_frame *f, const struct mqtt_peer *from, struct mqtt_connect *out, struct mqtt_error *e)
{
	struct mqtt_reader r = mqtt_decode_begin(f, from);

	*out = (struct mqtt_connect){ 0 };
	read_version(&r, out);
	check_head(&r, f, out->version);
	read_flags(&r, out);
	out->keep_alive = mqtt_reader_u16(&r);
	mqtt_decode_props(&r, out->version, MQTT_CONNECT, &out->props);
	if (mqtt_props_has(&out->props, MQTT_PROP_AUTH_DATA) && !mqtt_props_has(&out->props, MQTT_PROP_AUTH_METHOD))
		mqtt_reader_fail(&r, MQTT_RULE_AUTH_DATA);
	read_client_id(&r, out);
	if (out->has_will)
		read_will(&r, from->levels_max, out);
	read_credentials(&r, out);
	return mqtt_decode_end(&r, out->version, e);
}
