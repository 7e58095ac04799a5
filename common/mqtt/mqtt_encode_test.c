/* SPDX-License-Identifier: Apache-2.0
 *
 * What encoders leave out, and refuse; that they write what was read is in mqtt_packets_test. */
#include "common/mqtt/mqtt_encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/mqtt/mqtt_for_test.h"

static const struct mqtt_peer client_5 = { .version = MQTT_5 }, client_4 = { .version = MQTT_3_1_1 }, client_3 = { .version = MQTT_3_1 };
static const struct mqtt_peer server_5 = { .version = MQTT_5, .server = true }, server_4 = { .version = MQTT_3_1_1, .server = true };

/* The buffer holds that packet and nothing else; n is what the encoder returned. Empties it. */
static void expect(struct buf *out, size_t n, const char *text)
{
	struct buf bytes = { 0 };

	packet_text(&bytes, text);
	assert_int_equal(n, bytes.n);
	if (!str_eq(buf_str(out), buf_str(&bytes)))
		fail_msg("not %s", text);
	buf_fini(&bytes);
	buf_clear(out);
}

/* [MQTT-3.2.2-19] [MQTT-3.2.2-20]
 * What helps a person gives way, first user properties, then the reason string. */
static void maximum_packet_size(void **state)
{
	struct mqtt_connack p = { .reason = MQTT_NOT_AUTHORIZED };
	struct buf out = { 0 }, many = { 0 };

	(void)state;
	mqtt_props_add_user(&many, STR("k"), STR("v"));
	p.props = (struct mqtt_props){ .reason_string = STR("because"), .server_keep_alive = 5, .many = buf_str(&many) };
	mqtt_props_set(&p.props, MQTT_PROP_USER);
	mqtt_props_set(&p.props, MQTT_PROP_REASON_STRING);
	mqtt_props_set(&p.props, MQTT_PROP_SERVER_KEEP_ALIVE);
	for (uint32_t max = 1; max < 30; max++) {
		struct mqtt_peer to = client_5;

		to.packet_max = max;
		size_t n = mqtt_encode_connack(&out, &to, &p);
		assert_true(n <= max);
		if (max >= 25)
			expect(&out, n, "20 . 0087 (13 0005 1F s'because' 26 s'k' s'v')");
		else if (max >= 18)
			expect(&out, n, "20 . 0087 (13 0005 1F s'because')");
		else if (max >= 15)
			expect(&out, n, "20 . 0087 (13 0005 26 s'k' s'v')");
		else if (max >= 8)
			expect(&out, n, "20 . 0087 (13 0005)");
		else
			expect(&out, n, "");
	}
	buf_fini(&many);
	buf_fini(&out);
}

/* [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.9.2-1]
 * [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] [MQTT-3.14.2-3] [MQTT-3.14.2-4] [MQTT-3.15.2-2] [MQTT-3.15.2-3]
 * The same for all packets that have them; what PUBLISH says is never cut. */
static void each_gives_way(void **state)
{
	struct buf out = { 0 };
	struct mqtt_peer to = client_5;
	struct mqtt_props props = { .reason_string = STR("because"), .many = str_make("\x26\0\0\0\0", 5) };

	(void)state;
	mqtt_props_set(&props, MQTT_PROP_REASON_STRING);
	mqtt_props_set(&props, MQTT_PROP_USER);
	to.packet_max = 8;
	for (unsigned type = MQTT_PUBACK; type <= MQTT_PUBCOMP; type++) {
		struct mqtt_ack ack = { .packet_id = 1, .props = props };

		assert_int_equal(mqtt_encode_ack(&out, &to, type, &ack), 4);
	}
	struct mqtt_suback suback = { .packet_id = 1, .reasons = STR("\x01"), .props = props };
	assert_int_equal(mqtt_encode_suback(&out, &to, &suback), 6);
	suback.reasons = STR("\x11");
	assert_int_equal(mqtt_encode_unsuback(&out, &to, &suback), 6);
	struct mqtt_disconnect disconnect = { .reason = MQTT_SERVER_BUSY, .props = props };
	assert_int_equal(mqtt_encode_disconnect(&out, &to, &disconnect), 3);
	struct mqtt_auth auth = { .reason = MQTT_CONTINUE_AUTHENTICATION, .props = props };
	mqtt_props_set(&auth.props, MQTT_PROP_AUTH_METHOD);
	auth.props.auth_method = STR("m");
	assert_int_equal(mqtt_encode_auth(&out, &to, &auth), 8);
	struct mqtt_publish publish = { .topic = STR("topic"), .payload = STR("12") };
	assert_int_equal(mqtt_encode_publish(&out, &to, &publish), 0);
	to.packet_max = 12;
	assert_int_equal(mqtt_encode_publish(&out, &to, &publish), 12);
	buf_fini(&out);
}

/* [MQTT-3.1.2-29] */
static void mqtt_3_1_2_29_no_problem_information(void **state)
{
	struct mqtt_peer to = client_5;
	struct buf out = { 0 };
	struct mqtt_props props = { .reason_string = STR("y"), .many = str_make("\x26\0\0\0\0", 5) };

	(void)state;
	mqtt_props_set(&props, MQTT_PROP_REASON_STRING);
	mqtt_props_set(&props, MQTT_PROP_USER);
	to.no_problem_info = true;
	struct mqtt_ack ack = { .packet_id = 1, .reason = MQTT_QUOTA_EXCEEDED, .props = props };
	expect(&out, mqtt_encode_ack(&out, &to, MQTT_PUBACK, &ack), "40 . 0001 97");
	struct mqtt_suback suback = { .packet_id = 1, .reasons = STR("\x87"), .props = props };
	expect(&out, mqtt_encode_suback(&out, &to, &suback), "90 . 0001 () 87");
	struct mqtt_connack connack = { .reason = MQTT_BANNED, .props = props };
	expect(&out, mqtt_encode_connack(&out, &to, &connack), "20 . 008A (1F s'y' 26 s'' s'')");
	struct mqtt_disconnect disconnect = { .reason = MQTT_BANNED, .props = props };
	expect(&out, mqtt_encode_disconnect(&out, &to, &disconnect), "E0 . 8A (1F s'y' 26 s'' s'')");
	struct mqtt_publish publish = { .topic = STR("a"), .props = props };
	expect(&out, mqtt_encode_publish(&out, &to, &publish), "30 . s'a' (26 s'' s'')");
	buf_fini(&out);
}

static void short_acks(void **state)
{
	struct mqtt_peer small = client_5;
	struct buf out = { 0 }, full = { .max = 3 };

	(void)state;
	expect(&out, mqtt_encode_short_ack(&out, &client_5, MQTT_PUBACK, 0x1234, MQTT_SUCCESS), "40 . 1234");
	expect(&out, mqtt_encode_short_ack(&out, &client_5, MQTT_PUBREC, 1, MQTT_NOT_AUTHORIZED), "50 . 0001 87");
	expect(&out, mqtt_encode_short_ack(&out, &client_4, MQTT_PUBREL, 1, MQTT_PACKET_ID_NOT_FOUND), "62 . 0001");
	expect(&out, mqtt_encode_short_ack(&out, &client_3, MQTT_PUBCOMP, 0xFFFF, MQTT_SUCCESS), "70 . FFFF");
	small.packet_max = 4;
	assert_int_equal(mqtt_encode_short_ack(&out, &small, MQTT_PUBREC, 1, MQTT_NOT_AUTHORIZED), 0);
	assert_int_equal(mqtt_encode_short_ack(&out, &small, MQTT_PUBREC, 1, MQTT_SUCCESS), 4);
	assert_int_equal(mqtt_encode_short_ack(&full, &client_5, MQTT_PUBREC, 1, MQTT_SUCCESS), 0);
	buf_fini(&out);
	buf_fini(&full);
}

/* [MQTT311-3.2.2-4] [MQTT311-3.2.2-6] [MQTT311-3.9.3-2] */
static void before_5(void **state)
{
	struct buf out = { 0 };
	struct mqtt_connack connack = { .session_present = true, .reason = MQTT_SUCCESS };
	struct mqtt_suback suback = { .packet_id = 1, .reasons = STR("\x02\x01\x87\x9E") };
	struct mqtt_disconnect disconnect = { .reason = MQTT_SERVER_BUSY };
	struct mqtt_auth auth = { .reason = MQTT_CONTINUE_AUTHENTICATION };

	(void)state;
	expect(&out, mqtt_encode_connack(&out, &client_4, &connack), "20 . 0100");
	expect(&out, mqtt_encode_connack(&out, &client_3, &connack), "20 . 0000");
	/* MQTT-3.2.2-4 of 3.1.1: not when refused. */
	connack.reason = MQTT_BAD_USER_OR_PASSWORD;
	expect(&out, mqtt_encode_connack(&out, &client_4, &connack), "20 . 0004");
	connack.reason = MQTT_UNSUPPORTED_VERSION;
	expect(&out, mqtt_encode_connack(&out, &client_3, &connack), "20 . 0001");
	/* MQTT-3.2.2-6 of 3.1.1: without a return code for it, the connection is just closed. */
	connack.reason = MQTT_MALFORMED_PACKET;
	assert_int_equal(mqtt_encode_connack(&out, &client_4, &connack), 0);
	expect(&out, mqtt_encode_suback(&out, &client_4, &suback), "90 . 0001 02 01 80 80");
	expect(&out, mqtt_encode_unsuback(&out, &client_4, &suback), "B0 . 0001");
	assert_int_equal(mqtt_encode_disconnect(&out, &client_4, &disconnect), 0);
	expect(&out, mqtt_encode_disconnect(&out, &server_4, &disconnect), "E0 .");
	assert_int_equal(mqtt_encode_auth(&out, &client_4, &auth), 0);
	buf_fini(&out);
}

/* Section 3.15.2.1: only Success is left out with its properties. */
static void auth_forms(void **state)
{
	struct buf out = { 0 };
	struct mqtt_auth auth = { .reason = MQTT_CONTINUE_AUTHENTICATION };

	(void)state;
	expect(&out, mqtt_encode_auth(&out, &client_5, &auth), "F0 . 18 ()");
	auth.reason = MQTT_SUCCESS;
	expect(&out, mqtt_encode_auth(&out, &client_5, &auth), "F0 .");
	mqtt_props_set(&auth.props, MQTT_PROP_AUTH_METHOD);
	auth.props.auth_method = STR("m");
	expect(&out, mqtt_encode_auth(&out, &client_5, &auth), "F0 . 00 (15 s'm')");
	buf_fini(&out);
}

/* Properties that a packet does not have are not written, whatever the caller set. */
static void only_its_own(void **state)
{
	struct buf out = { 0 };
	struct mqtt_publish p = { .topic = STR("a"), .props = { .has = ~0ull, .topic_alias = 1 } };
	struct mqtt_peer from = { .version = MQTT_5, .server = true, .topic_alias_max = 1 };
	struct any_packet packet;
	struct mqtt_error e;

	(void)state;
	mqtt_props_drop(&p.props, MQTT_PROP_RESPONSE_TOPIC);
	assert_true(mqtt_encode_publish(&out, &client_5, &p) > 0);
	assert_true(any_read(buf_str(&out), &from, &packet, &e));
	assert_true(mqtt_props_has(&packet.publish.props, MQTT_PROP_TOPIC_ALIAS));
	assert_false(mqtt_props_has(&packet.publish.props, MQTT_PROP_REASON_STRING));
	buf_fini(&out);
}

static void too_long(void **state)
{
	char *p = mem_zalloc(MQTT_STRING_MAX + 1);
	struct str long_one = str_make(p, MQTT_STRING_MAX + 1);
	struct buf out = { 0 };
	struct mqtt_publish publish = { .topic = long_one };
	struct mqtt_disconnect disconnect = { .reason = MQTT_SERVER_MOVED, .props.server_reference = long_one };
	struct mqtt_connect connects[] = {
		{ .version = MQTT_5, .client_id = long_one },
		{ .version = MQTT_5, .has_username = true, .username = long_one },
		{ .version = MQTT_5, .has_password = true, .password = long_one },
		{ .version = MQTT_5, .has_will = true, .will.topic = long_one },
		{ .version = MQTT_5, .has_will = true, .will.payload = long_one },
		{ .version = MQTT_5, .has_will = true, .will.props = { .has = 1ull << MQTT_PROP_CONTENT_TYPE, .content_type = long_one } },
		{ .version = MQTT_3_1_1 },
	};

	(void)state;
	assert_int_equal(mqtt_encode_publish(&out, &client_5, &publish), 0);
	mqtt_props_set(&disconnect.props, MQTT_PROP_SERVER_REFERENCE);
	assert_int_equal(mqtt_encode_disconnect(&out, &client_5, &disconnect), 0);
	for (size_t i = 0; i < sizeof(connects) / sizeof(connects[0]); i++)
		assert_int_equal(mqtt_encode_connect(&out, &server_5, &connects[i]), 0);
	assert_false(mqtt_subscribe_add(&out, MQTT_5, &(struct mqtt_subscription){ .filter = long_one }));
	assert_false(mqtt_unsubscribe_add(&out, long_one));
	publish = (struct mqtt_publish){ .topic = STR("a"), .payload = str_make(p, MQTT_VARINT_MAX) };
	assert_int_equal(mqtt_encode_publish(&out, &client_5, &publish), 0);
	assert_int_equal(out.n, 0);
	mem_free(p);
	buf_fini(&out);
}

static void full_buffer(void **state)
{
	struct buf out = { .max = 5 };
	struct mqtt_publish p = { .topic = STR("a") };

	(void)state;
	assert_int_equal(mqtt_encode_publish(&out, &client_4, &p), 5);
	assert_int_equal(mqtt_encode_publish(&out, &client_4, &p), 0);
	assert_int_equal(mqtt_encode_pingresp(&out), 0);
	assert_int_equal(out.n, 5);
	buf_fini(&out);
}

static void subscriptions(void **state)
{
	struct buf out = { 0 }, payload = { 0 };
	struct mqtt_subscription s = {
		.filter = STR("a/#"), .qos = 1, .no_local = true, .retain_as_published = true, .retain_handling = 2
	};
	struct mqtt_subscribe p = { .packet_id = 7 };
	struct mqtt_unsubscribe u = { .packet_id = 8 };

	(void)state;
	assert_true(mqtt_subscribe_add(&payload, MQTT_5, &s));
	p.payload = buf_str(&payload);
	expect(&out, mqtt_encode_subscribe(&out, &server_5, &p), "82 . 0007 () s'a/#' 2D");
	buf_clear(&payload);
	assert_true(mqtt_subscribe_add(&payload, MQTT_3_1_1, &s));
	p.payload = buf_str(&payload);
	expect(&out, mqtt_encode_subscribe(&out, &server_4, &p), "82 . 0007 s'a/#' 01");
	buf_clear(&payload);
	assert_true(mqtt_unsubscribe_add(&payload, STR("b")));
	u.payload = buf_str(&payload);
	expect(&out, mqtt_encode_unsubscribe(&out, &server_4, &u), "A2 . 0008 s'b'");
	buf_fini(&payload);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maximum_packet_size),
		cmocka_unit_test(each_gives_way),
		cmocka_unit_test(mqtt_3_1_2_29_no_problem_information),
		cmocka_unit_test(short_acks),
		cmocka_unit_test(before_5),
		cmocka_unit_test(only_its_own),
		cmocka_unit_test(too_long),
		cmocka_unit_test(full_buffer),
		cmocka_unit_test(subscriptions),
		cmocka_unit_test(auth_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
