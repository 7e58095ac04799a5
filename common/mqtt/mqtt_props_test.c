/* SPDX-License-Identifier: Apache-2.0
 *
 * Every property in every packet: table 2-4, written down here a second time, as the standard has it. */
#include "common/mqtt/mqtt_props.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/mqtt/mqtt_for_test.h"
#include "common/mqtt/mqtt_rule.h"

/* The packets that have properties, a will's for itself: an example of each, with a place for them. */
enum place {
	IN_CONNECT = 1,
	IN_WILL = 2,
	IN_CONNACK = 4,
	IN_PUBLISH = 8,
	IN_PUBACK = 16,
	IN_PUBREC = 32,
	IN_PUBREL = 64,
	IN_PUBCOMP = 128,
	IN_SUBSCRIBE = 256,
	IN_SUBACK = 512,
	IN_UNSUBSCRIBE = 1024,
	IN_UNSUBACK = 2048,
	IN_DISCONNECT = 4096,
	IN_AUTH = 8192,
	IN_ALL = 16383
};
static const struct {
	const char *name, *before, *after;
	bool by_server;
} places[] = {
	{ "CONNECT", "10 . s'MQTT' 05 02 0000 (", ") s'a'", false },
	{ "will", "10 . s'MQTT' 05 06 0000 () s'a' (", ") s't' s'w'", false },
	{ "CONNACK", "20 . 0000 (", ")", true },
	{ "PUBLISH", "30 . s'a' (", ")", true },
	{ "PUBACK", "40 . 0001 00 (", ")", false },
	{ "PUBREC", "50 . 0001 00 (", ")", false },
	{ "PUBREL", "62 . 0001 00 (", ")", false },
	{ "PUBCOMP", "70 . 0001 00 (", ")", false },
	{ "SUBSCRIBE", "82 . 0001 (", ") s'a' 00", false },
	{ "SUBACK", "90 . 0001 (", ") 00", true },
	{ "UNSUBSCRIBE", "A2 . 0001 (", ") s'a'", false },
	{ "UNSUBACK", "B0 . 0001 (", ") 00", true },
	{ "DISCONNECT", "E0 . 00 (", ")", false },
	{ "AUTH", "F0 . 18 (15 s'method' ", ")", false },
};
#define PLACES (sizeof(places) / sizeof(places[0]))

#define IN_ACKS (IN_PUBACK | IN_PUBREC | IN_PUBREL | IN_PUBCOMP)
/* A property with a value, in which packets it may stand, and values that it must not have, with the rule. */
static const struct {
	enum mqtt_prop id;
	const char *text;
	unsigned places, many;
	enum mqtt_rule rule;
	const char *bad;
} props[] = {
	{ MQTT_PROP_PAYLOAD_FORMAT, "01 01", IN_PUBLISH | IN_WILL, 0, MQTT_RULE_PROP_BOOL, "01 02" },
	{ MQTT_PROP_MESSAGE_EXPIRY, "02 00000000", IN_PUBLISH | IN_WILL, 0, MQTT_RULE_PROP_LENGTH, "02 000000" },
	{ MQTT_PROP_CONTENT_TYPE, "03 s'text/plain'", IN_PUBLISH | IN_WILL, 0, MQTT_RULE_UTF8, "03 0001 FF" },
	{ MQTT_PROP_RESPONSE_TOPIC, "08 s'a/b'", IN_PUBLISH | IN_WILL, 0, MQTT_RULE_RESPONSE_TOPIC, "08 s'a/+'" },
	{ MQTT_PROP_CORRELATION_DATA, "09 0002 00FF", IN_PUBLISH | IN_WILL, 0, MQTT_RULE_PROP_LENGTH, "09 0002 00" },
	{ MQTT_PROP_SUBSCRIPTION_ID, "0B FFFFFF7F", IN_PUBLISH | IN_SUBSCRIBE, IN_PUBLISH, MQTT_RULE_PROP_ZERO, "0B 00" },
	{ MQTT_PROP_SESSION_EXPIRY, "11 FFFFFFFF", IN_CONNECT | IN_CONNACK | IN_DISCONNECT, 0, MQTT_RULE_PROP_LENGTH, "11" },
	{ MQTT_PROP_ASSIGNED_CLIENT_ID, "12 s'id'", IN_CONNACK, 0, MQTT_RULE_NUL, "12 0001 00" },
	{ MQTT_PROP_SERVER_KEEP_ALIVE, "13 0000", IN_CONNACK, 0, MQTT_RULE_PROP_LENGTH, "13 00" },
	{ MQTT_PROP_AUTH_METHOD, "15 s'method'", IN_CONNECT | IN_CONNACK | IN_AUTH, 0, MQTT_RULE_UTF8, "15 0001 80" },
	{ MQTT_PROP_AUTH_DATA, "16 0002 00FF", IN_CONNECT | IN_CONNACK | IN_AUTH, 0, MQTT_RULE_PROP_LENGTH, "16 00" },
	{ MQTT_PROP_REQUEST_PROBLEM_INFO, "17 00", IN_CONNECT, 0, MQTT_RULE_PROP_BOOL, "17 02" },
	{ MQTT_PROP_WILL_DELAY, "18 00000000", IN_WILL, 0, MQTT_RULE_PROP_LENGTH, "18 00" },
	{ MQTT_PROP_REQUEST_RESPONSE_INFO, "19 01", IN_CONNECT, 0, MQTT_RULE_PROP_BOOL, "19 FF" },
	{ MQTT_PROP_RESPONSE_INFO, "1A s'r'", IN_CONNACK, 0, MQTT_RULE_UTF8, "1A 0003 EDA080" },
	{ MQTT_PROP_SERVER_REFERENCE, "1C s'host:1883'", IN_CONNACK | IN_DISCONNECT, 0, MQTT_RULE_UTF8, "1C 0001 C3" },
	{ MQTT_PROP_REASON_STRING, "1F s''", IN_CONNACK | IN_ACKS | IN_SUBACK | IN_UNSUBACK | IN_DISCONNECT | IN_AUTH, 0, MQTT_RULE_NUL,
	  "1F 0001 00" },
	{ MQTT_PROP_RECEIVE_MAX, "21 0001", IN_CONNECT | IN_CONNACK, 0, MQTT_RULE_PROP_ZERO, "21 0000" },
	{ MQTT_PROP_TOPIC_ALIAS_MAX, "22 0000", IN_CONNECT | IN_CONNACK, 0, MQTT_RULE_PROP_LENGTH, "22 00" },
	{ MQTT_PROP_TOPIC_ALIAS, "23 0008", IN_PUBLISH, 0, MQTT_RULE_ALIAS_ZERO, "23 0000" },
	{ MQTT_PROP_MAX_QOS, "24 01", IN_CONNACK, 0, MQTT_RULE_PROP_BOOL, "24 02" },
	{ MQTT_PROP_RETAIN_AVAILABLE, "25 00", IN_CONNACK, 0, MQTT_RULE_PROP_BOOL, "25 02" },
	{ MQTT_PROP_USER, "26 s'name' s''", IN_ALL, IN_ALL, MQTT_RULE_UTF8, "26 s'' 0001 FF" },
	{ MQTT_PROP_PACKET_MAX, "27 00000001", IN_CONNECT | IN_CONNACK, 0, MQTT_RULE_PROP_ZERO, "27 00000000" },
	{ MQTT_PROP_WILDCARD_AVAILABLE, "28 00", IN_CONNACK, 0, MQTT_RULE_PROP_BOOL, "28 02" },
	{ MQTT_PROP_SUBSCRIPTION_ID_AVAILABLE, "29 01", IN_CONNACK, 0, MQTT_RULE_PROP_BOOL, "29 03" },
	{ MQTT_PROP_SHARED_AVAILABLE, "2A 01", IN_CONNACK, 0, MQTT_RULE_PROP_BOOL, "2A 80" },
};
#define PROPS (sizeof(props) / sizeof(props[0]))

/* Reads a packet with these properties. MQTT_RULE_NONE: it is taken, and written again as the same bytes. */
static enum mqtt_rule rule_of(size_t place, const char *one, const char *two)
{
	struct mqtt_peer from = { .version = MQTT_5, .server = places[place].by_server, .topic_alias_max = 8 };
	struct mqtt_peer to = { .version = MQTT_5, .server = !from.server };
	struct buf text = { 0 }, bytes = { 0 }, again = { 0 };
	struct any_packet packet;
	struct mqtt_error e = { 0 };

	buf_printf(&text, "%s %s %s %s", places[place].before, one, two, places[place].after);
	char *cstr = buf_take(&text, NULL);
	packet_text(&bytes, cstr);
	if (any_read(buf_str(&bytes), &from, &packet, &e)) {
		any_encode(&again, &to, &packet);
		if (!str_eq(buf_str(&bytes), buf_str(&again)))
			fail_msg("written in another way: %s", cstr);
	} else {
		assert_true(e.rule != MQTT_RULE_NONE);
	}
	mem_free(cstr);
	buf_fini(&bytes);
	buf_fini(&again);
	return e.rule;
}

/* What stands beside it already, or has to. */
static enum mqtt_rule expected(size_t prop, size_t place, bool twice)
{
	bool in_auth = places[place].before[0] == 'F', method = props[prop].id == MQTT_PROP_AUTH_METHOD;

	if (!(props[prop].places & 1u << place))
		return MQTT_RULE_PROP_FORBIDDEN;
	if ((twice || (in_auth && method)) && !(props[prop].many & 1u << place))
		return MQTT_RULE_PROP_TWICE;
	if (1u << place == IN_CONNECT && props[prop].id == MQTT_PROP_AUTH_DATA)
		return MQTT_RULE_AUTH_DATA;
	return MQTT_RULE_NONE;
}

static void mqtt_2_2_2_2_each_in_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROPS; i++)
		for (size_t place = 0; place < PLACES; place++)
			for (int twice = 0; twice < 2; twice++) {
				enum mqtt_rule rule = rule_of(place, props[i].text, twice ? props[i].text : "");

				if (rule != expected(i, place, twice))
					fail_msg("%s%s in %s: %s", props[i].text, twice ? " twice" : "", places[place].name,
					         mqtt_rule_text(MQTT_5, rule));
			}
}

static void bad_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROPS; i++)
		for (size_t place = 0; place < PLACES; place++) {
			/* AUTH has its method already. */
			bool doubled = 1u << place == IN_AUTH && props[i].id == MQTT_PROP_AUTH_METHOD;

			if (props[i].places & 1u << place && !doubled && rule_of(place, props[i].bad, "") != props[i].rule)
				fail_msg("%s in %s: %s", props[i].bad, places[place].name,
				         mqtt_rule_text(MQTT_5, rule_of(place, props[i].bad, "")));
		}
}

/* All identifiers that are none. */
static void unknown_ones(void **state)
{
	(void)state;
	for (unsigned id = 0; id < 256; id++) {
		char text[16];
		bool known = false;

		for (size_t i = 0; i < PROPS; i++)
			known |= props[i].id == id;
		snprintf(text, sizeof(text), "%02X 00", id);
		for (size_t place = 0; place < PLACES && !known; place++)
			assert_int_equal(rule_of(place, text, ""), MQTT_RULE_PROP_UNKNOWN);
	}
}

/* Every one that a packet may have, in one packet, and back in the fields. */
static void all_at_once(void **state)
{
	(void)state;
	for (size_t place = 0; place < PLACES; place++) {
		struct buf text = { 0 };

		for (size_t i = 0; i < PROPS; i++)
			if (expected(i, place, false) == MQTT_RULE_NONE)
				buf_printf(&text, " %s", props[i].text);
		char *cstr = buf_take(&text, NULL);
		/* A second user property stands behind the ones with higher numbers and would be written before them. */
		assert_int_equal(rule_of(place, cstr, ""), MQTT_RULE_NONE);
		mem_free(cstr);
	}
}

static void user_properties_and_subscription_ids(void **state)
{
	struct mqtt_peer to = { .version = MQTT_5, .server = false }, from = { .version = MQTT_5, .server = true };
	struct buf many = { 0 }, bytes = { 0 };
	struct mqtt_publish p = { .topic = STR("a") };
	struct any_packet got;
	struct mqtt_user_prop user;
	struct mqtt_error e;
	uint32_t id;

	(void)state;
	assert_true(mqtt_props_add_user(&many, STR("k"), STR("1")));
	assert_true(mqtt_props_add_subscription_id(&many, 1));
	assert_true(mqtt_props_add_user(&many, STR("k"), STR("2")));
	assert_true(mqtt_props_add_subscription_id(&many, MQTT_VARINT_MAX));
	p.props.many = buf_str(&many);
	mqtt_props_set(&p.props, MQTT_PROP_USER);
	mqtt_props_set(&p.props, MQTT_PROP_SUBSCRIPTION_ID);
	assert_true(mqtt_encode_publish(&bytes, &to, &p) > 0);
	assert_true(any_read(buf_str(&bytes), &from, &got, &e));
	assert_int_equal(mqtt_props_users(&got.publish.props), 2);
	assert_int_equal(mqtt_props_subscription_ids(&got.publish.props), 2);
	struct str rest = got.publish.props.many;
	assert_true(mqtt_props_next_user(&rest, &user) && str_is(user.name, "k") && str_is(user.value, "1"));
	assert_true(mqtt_props_next_user(&rest, &user) && str_is(user.name, "k") && str_is(user.value, "2"));
	assert_false(mqtt_props_next_user(&rest, &user));
	assert_false(mqtt_props_next_user(&rest, &user));
	rest = got.publish.props.many;
	assert_true(mqtt_props_next_subscription_id(&rest, &id) && id == 1);
	assert_true(mqtt_props_next_subscription_id(&rest, &id) && id == MQTT_VARINT_MAX);
	assert_false(mqtt_props_next_subscription_id(&rest, &id));
	/* Not asked for: not written. */
	buf_clear(&bytes);
	p.props.has = 0;
	assert_int_equal(mqtt_encode_publish(&bytes, &to, &p), 6);
	buf_fini(&many);
	buf_fini(&bytes);
}

static void bad_additions(void **state)
{
	struct buf many = { 0 }, full = { .max = 8 };
	char *p = mem_zalloc(MQTT_STRING_MAX + 1);

	(void)state;
	memset(p, 'a', MQTT_STRING_MAX + 1);
	assert_false(mqtt_props_add_subscription_id(&many, 0));
	assert_false(mqtt_props_add_subscription_id(&many, MQTT_VARINT_MAX + 1));
	assert_false(mqtt_props_add_user(&many, str_make(p, MQTT_STRING_MAX + 1), STR("")));
	assert_false(mqtt_props_add_user(&many, STR(""), str_make(p, MQTT_STRING_MAX + 1)));
	assert_false(mqtt_props_add_user(&many, STR("\xFF"), STR("")));
	assert_false(mqtt_props_add_user(&many, STR(""), str_make("\0", 1)));
	assert_int_equal(many.n, 0);
	assert_false(mqtt_props_add_user(&full, STR("1234"), STR("")));
	mem_free(p);
	buf_fini(&full);
}

/* [MQTT-3.3.2-17] [MQTT-3.3.2-18] */
/* What a server passes on, and stores. */
static void mqtt_3_3_2_17_forwarded(void **state)
{
	struct mqtt_peer from = { .version = MQTT_5, .topic_alias_max = 8 };
	struct buf bytes = { 0 }, encoded = { 0 }, expected_bytes = { 0 };
	struct any_packet packet;
	struct mqtt_props back;
	struct mqtt_error e;

	(void)state;
	packet_text(&bytes, "30 . s'a' (26 s'k' s'1' 02 00000005 01 01 23 0003 09 s'c' 08 s'r' 03 s't' 26 s'a' s'2') 'payload'");
	packet_text(&expected_bytes, "01 01 03 s't' 08 s'r' 09 s'c' 26 s'k' s'1' 26 s'a' s'2'");
	assert_true(any_read(buf_str(&bytes), &from, &packet, &e));
	mqtt_props_write_forwarded(&encoded, &packet.publish.props);
	assert_true(str_eq(buf_str(&encoded), buf_str(&expected_bytes)));
	assert_true(mqtt_props_read_forwarded(buf_str(&encoded), &back));
	assert_int_equal(back.payload_format, 1);
	assert_true(str_is(back.response_topic, "r"));
	assert_int_equal(mqtt_props_users(&back), 2);
	assert_true(mqtt_props_read_forwarded(STR(""), &back));
	assert_true(back.has == 0);
	/* Cut, or with what is not passed on. */
	assert_false(mqtt_props_read_forwarded(str_make(encoded.p, encoded.n - 1), &back));
	assert_false(mqtt_props_read_forwarded(str_make("\x02\0\0\0\1", 5), &back));
	assert_false(mqtt_props_read_forwarded(str_make("\x23\0\1", 3), &back));
	buf_fini(&bytes);
	buf_fini(&encoded);
	buf_fini(&expected_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mqtt_2_2_2_2_each_in_each),
		cmocka_unit_test(bad_values),
		cmocka_unit_test(unknown_ones),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(bad_additions),
		cmocka_unit_test(user_properties_and_subscription_ids),
		cmocka_unit_test(mqtt_3_3_2_17_forwarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
