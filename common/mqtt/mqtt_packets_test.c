/* SPDX-License-Identifier: Apache-2.0
 *
 * Every packet type in every version: bytes that are read, and written again as the same bytes; and what the structs hold of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/mqtt/mqtt_for_test.h"

enum { CLIENT, SERVER };

/* See mqtt_for_test.h for the text. */
static const struct {
	const char *statement; /* that it is an example of */
	uint8_t version, sender;
	const char *packet;
} packets[] = {
	{ "3.1.2-1", MQTT_3_1, CLIENT, "10 . s'MQIsdp' 03 02 003C s'a'" },
	{ "3.1.2-1", MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 02 003C s'a'" },
	{ "3.1.2-1", MQTT_5, CLIENT, "10 . s'MQTT' 05 02 FFFF () s'a'" },
	{ "a bridge", MQTT_3_1_1, CLIENT, "10 . s'MQTT' 84 02 003C s'a'" },
	{ "3.1.3-6", MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 02 0000 s''" },
	{ "3.1.3-6", MQTT_5, CLIENT, "10 . s'MQTT' 05 00 0000 () s''" },
	{ "3.1.2-9", MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 34 0000 s'a' s'will/topic' s'payload'" },
	{ "3.1.2-9", MQTT_5, CLIENT, "10 . s'MQTT' 05 2E 0000 () s'a' () s't' s''" },
	{ "3.1.3-1", MQTT_3_1, CLIENT, "10 . s'MQIsdp' 03 CE 0000 s'a' s't' s'w' s'user' s'pass'" },
	{ "3.1.3-1", MQTT_5, CLIENT, "10 . s'MQTT' 05 CE 0000 () s'a' (18 0000000A) s't' s'w' s'user' s'pass'" },
	{ "3.1.2-19", MQTT_5, CLIENT, "10 . s'MQTT' 05 42 0000 () s'a' 0002 00FF" },
	{ "3.1.2-17", MQTT_3_1_1, CLIENT, "10 . s'MQTT' 04 82 0000 s'a' s''" },
	{ "3.1.2.11", MQTT_5, CLIENT,
	  "10 . s'MQTT' 05 02 0000 (11 FFFFFFFF 15 s'm' 16 s'd' 17 00 19 01 21 000A 22 0005 26 s'k' s'v' 27 00001000) s'a'" },
	{ "3.1.3.2", MQTT_5, CLIENT,
	  "10 . s'MQTT' 05 06 0000 () s'a' (01 01 02 0000003C 03 s'text' 08 s'reply' 09 0002 0001 18 00000005 26 s'k' s'v') s't' s'w'" },
	{ "3.2.2-3", MQTT_3_1, SERVER, "20 . 0000" },
	{ "3.2.2-3", MQTT_3_1_1, SERVER, "20 . 0100" },
	{ "3.2.2-3", MQTT_3_1_1, SERVER, "20 . 0005" },
	{ "3.2.2-8", MQTT_5, SERVER, "20 . 0087 ()" },
	{ "3.2.2-16", MQTT_5, SERVER,
	  "20 . 0000 (11 0000000A 12 s'id' 13 001E 15 s'm' 16 s'd' 1A s'r' 1C s'other' 1F s'why' 21 0001 22 0001 24 01 25 00 26 s'' s'' 27 "
	  "00000001 "
	  "28 01 29 00 2A 01)" },
	{ "3.3.1-4", MQTT_3_1, CLIENT, "30 . s'topic' 'payload'" },
	{ "3.3.1-4", MQTT_3_1_1, SERVER, "3D . s'topic' 0001 'payload'" },
	{ "3.3.1-4", MQTT_5, CLIENT, "33 . s'topic' FFFF () 'payload'" },
	{ "3.3.1-6", MQTT_5, CLIENT, "31 . s'topic' ()" },
	{ "3.3.2-12", MQTT_5, CLIENT, "30 . s'' (23 0008) 'payload'" },
	{ "3.3.2-12", MQTT_5, SERVER, "30 . s'topic' (23 0001) 'payload'" },
	{ "3.3.4-4", MQTT_5, SERVER, "30 . s'a' (0B 01 0B 8001 0B FFFFFF7F)" },
	{ "3.3.2-18", MQTT_5, CLIENT, "30 . s'a' (01 01 02 00000000 03 s'' 08 s'r' 09 s'' 26 s'k' s'1' 26 s'k' s'2' 26 s'' s'')" },
	{ "4.7.3", MQTT_3_1_1, CLIENT, "30 . s'/a b//$\xF0\xAA\x9B\x94/'" },
	{ "1.5.4-3", MQTT_5, CLIENT, "30 . s'\xEF\xBB\xBF' ()" },
	{ "2.2.1-5", MQTT_3_1_1, CLIENT, "40 . 0001" },
	{ "3.4.2.1", MQTT_5, CLIENT, "40 . 0001" },
	{ "3.4.2-1", MQTT_5, CLIENT, "40 . 0001 10" },
	{ "3.4.2-1", MQTT_5, SERVER, "40 . 0001 00 (1F s'why')" },
	{ "3.5.2-1", MQTT_5, CLIENT, "50 . 0001 97 (26 s'k' s'v')" },
	{ "3.6.1-1", MQTT_3_1_1, SERVER, "62 . 0001" },
	{ "3.6.2-1", MQTT_5, CLIENT, "62 . 0001 92" },
	{ "3.7.2-1", MQTT_5, CLIENT, "70 . 0001 92 (1F s'')" },
	{ "3.8.3-2", MQTT_3_1_1, CLIENT, "82 . 0001 s'a' 00 s'b/+' 01 s'#' 02" },
	{ "3.8.3.1", MQTT_5, CLIENT, "82 . 0001 (0B 7F 26 s'k' s'v') s'a' 2E s'$share/g/+' 18" },
	{ "3.9.3-2", MQTT_3_1_1, SERVER, "90 . 0001 00 01 02 80" },
	{ "3.9.3-2", MQTT_5, SERVER, "90 . 0001 (1F s'why') 00 87 9E A2" },
	{ "3.10.3-2", MQTT_3_1_1, CLIENT, "A2 . 0001 s'a' s'$share/g/#'" },
	{ "3.10.3-2", MQTT_5, CLIENT, "A2 . 0001 (26 s'k' s'v') s'a'" },
	{ "3.10.4-5", MQTT_3_1_1, SERVER, "B0 . 0001" },
	{ "3.11.3-2", MQTT_5, SERVER, "B0 . 0001 () 00 11 91" },
	{ "3.12.4-1", MQTT_3_1_1, CLIENT, "C0 ." },
	{ "3.12.4-1", MQTT_5, SERVER, "D0 ." },
	{ "3.14", MQTT_3_1_1, CLIENT, "E0 ." },
	{ "3.14.2.1", MQTT_5, CLIENT, "E0 ." },
	{ "3.14.2-1", MQTT_5, CLIENT, "E0 . 04" },
	{ "3.14.2.2", MQTT_5, CLIENT, "E0 . 00 (11 00000000)" },
	{ "3.14.2.2", MQTT_5, SERVER, "E0 . 9C (1C s'elsewhere' 1F s'why' 26 s'k' s'v')" },
	{ "3.15.2.1", MQTT_5, SERVER, "F0 ." },
	{ "3.15.2-1", MQTT_5, CLIENT, "F0 . 19 (15 s'm' 16 s'd')" },
};

static struct mqtt_peer peer_of(unsigned version, unsigned sender)
{
	return (struct mqtt_peer){ .version = (uint8_t)version, .server = sender == SERVER, .topic_alias_max = 8 };
}

static void again_the_same_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		struct mqtt_peer from = peer_of(packets[i].version, packets[i].sender);
		struct mqtt_peer to = peer_of(packets[i].version, !packets[i].sender);
		struct buf bytes = { 0 }, again = { 0 };
		struct any_packet packet;
		struct mqtt_error e;

		packet_text(&bytes, packets[i].packet);
		if (!any_read(buf_str(&bytes), &from, &packet, &e))
			fail_msg("%s %s: %s", packets[i].statement, packets[i].packet, e.reason ? e.why : "not whole");
		assert_int_equal(any_encode(&again, &to, &packet), bytes.n);
		if (!str_eq(buf_str(&again), buf_str(&bytes)))
			fail_msg("written in another way: %s", packets[i].packet);
		buf_fini(&again);
		buf_fini(&bytes);
	}
}

/* What is taken in a form that is not the one that is written. */
static void other_forms(void **state)
{
	static const struct {
		uint8_t version, sender;
		const char *taken, *written;
	} forms[] = {
		{ MQTT_5, CLIENT, "40 . 0001 00", "40 . 0001" },
		{ MQTT_5, CLIENT, "40 . 0001 00 ()", "40 . 0001" },
		{ MQTT_5, CLIENT, "62 . 0001 92 ()", "62 . 0001 92" },
		{ MQTT_5, CLIENT, "E0 . 00", "E0 ." },
		{ MQTT_5, CLIENT, "E0 . 82 ()", "E0 . 82" },
		{ MQTT_5, CLIENT, "30 . s'a' (26 s'k' s'v' 01 00)", "30 . s'a' (01 00 26 s'k' s'v')" },
		/* 3.1 leaves flags unused, and lets a user name be announced that is not there. */
		{ MQTT_3_1, CLIENT, "8A . 0001 s'a' 00", "82 . 0001 s'a' 00" },
		{ MQTT_3_1, CLIENT, "6A . 0001", "62 . 0001" },
		{ MQTT_3_1, CLIENT, "38 . s'a'", "30 . s'a'" },
		{ MQTT_3_1, CLIENT, "14 . s'MQIsdp' 03 03 0000 s'a'", "10 . s'MQIsdp' 03 02 0000 s'a'" },
		{ MQTT_3_1, CLIENT, "10 . s'MQIsdp' 03 C2 0000 s'a'", "10 . s'MQIsdp' 03 02 0000 s'a'" },
		{ MQTT_3_1, CLIENT, "10 . s'MQIsdp' 03 C2 0000 s'a' s'u'", "10 . s'MQIsdp' 03 82 0000 s'a' s'u'" },
		{ MQTT_3_1, SERVER, "20 . FF00", "20 . 0000" },
		/* Only 5.0 wants the shortest form of a length. */
		{ MQTT_3_1_1, CLIENT, "C0 8000", "C0 00" },
		{ MQTT_3_1_1, CLIENT, "10 8D808000 s'MQTT' 04 02 003C s'a'", "10 . s'MQTT' 04 02 003C s'a'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct mqtt_peer from = peer_of(forms[i].version, forms[i].sender), to = peer_of(forms[i].version, !forms[i].sender);
		struct buf taken = { 0 }, written = { 0 }, again = { 0 };
		struct any_packet packet;
		struct mqtt_error e;

		packet_text(&taken, forms[i].taken);
		packet_text(&written, forms[i].written);
		if (!any_read(buf_str(&taken), &from, &packet, &e))
			fail_msg("%s: %s", forms[i].taken, e.reason ? e.why : "not whole");
		any_encode(&again, &to, &packet);
		if (!str_eq(buf_str(&again), buf_str(&written)))
			fail_msg("written in another way: %s", forms[i].taken);
		buf_fini(&taken);
		buf_fini(&written);
		buf_fini(&again);
	}
}

static struct any_packet read_text(struct buf *bytes, unsigned version, unsigned sender, const char *text)
{
	struct mqtt_peer from = peer_of(version, sender);
	struct any_packet packet;
	struct mqtt_error e;

	packet_text(bytes, text);
	if (!any_read(buf_str(bytes), &from, &packet, &e))
		fail_msg("%s: %s", text, e.reason ? e.why : "not whole");
	return packet;
}

#define assert_str(actual, expected) assert_true(str_eq(actual, STR(expected)))

/* [MQTT-3.1.3-1] [MQTT311-3.1.3-1] */
static void connect_fields(void **state)
{
	struct buf bytes = { 0 };
	struct mqtt_connect c = read_text(&bytes, MQTT_5, CLIENT,
	                                  "10 . s'MQTT' 05 EE 003C (11 00000009 21 0007) s'id' (18 00000003 02 00000004) s'w/t' 0002 0001 "
	                                  "s'user' 0003 00FF80")
	                                .connect;

	(void)state;
	assert_int_equal(c.version, MQTT_5);
	assert_true(c.clean && c.has_will && c.has_username && c.has_password);
	assert_int_equal(c.keep_alive, 60);
	assert_str(c.client_id, "id");
	assert_str(c.username, "user");
	assert_true(str_eq(c.password, str_make("\x00\xFF\x80", 3)));
	assert_int_equal(c.props.session_expiry, 9);
	assert_int_equal(c.props.receive_max, 7);
	assert_false(mqtt_props_has(&c.props, MQTT_PROP_PACKET_MAX));
	assert_int_equal(c.will.qos, 1);
	assert_true(c.will.retain);
	assert_str(c.will.topic, "w/t");
	assert_true(str_eq(c.will.payload, str_make("\x00\x01", 2)));
	assert_int_equal(c.will.props.will_delay, 3);
	assert_int_equal(c.will.props.message_expiry, 4);
	buf_fini(&bytes);
}

/* [MQTT-2.2.1-2] [MQTT311-2.3.1-5] */
static void publish_fields(void **state)
{
	struct buf bytes = { 0 };
	struct mqtt_publish p = read_text(&bytes, MQTT_5, CLIENT, "3D . s'a/b' 1234 (01 01 23 0002 09 s'c') 'body'").publish;

	(void)state;
	assert_int_equal(p.qos, 2);
	assert_true(p.dup && p.retain);
	assert_int_equal(p.packet_id, 0x1234);
	assert_str(p.topic, "a/b");
	assert_str(p.payload, "body");
	assert_int_equal(p.props.payload_format, 1);
	assert_int_equal(p.props.topic_alias, 2);
	assert_str(p.props.correlation_data, "c");
	/* Views, no copies. */
	assert_ptr_equal(p.payload.p, bytes.p + bytes.n - 4);
	buf_fini(&bytes);
	p = read_text(&bytes, MQTT_3_1_1, CLIENT, "30 . s'a' ").publish;
	assert_int_equal(p.packet_id, 0);
	assert_int_equal(p.payload.n, 0);
	assert_true(p.props.has == 0);
	buf_fini(&bytes);
}

static void subscribe_fields(void **state)
{
	struct buf bytes = { 0 };
	struct mqtt_subscribe s = read_text(&bytes, MQTT_5, CLIENT, "82 . 0001 () s'a/b' 00 s'$share/g/c/+/#' 1A s'$share' 25").subscribe;
	struct mqtt_subscription one;
	struct str rest = s.payload;

	(void)state;
	assert_int_equal(s.count, 3);
	assert_true(mqtt_subscribe_next(&rest, MQTT_5, &one));
	assert_str(one.filter, "a/b");
	assert_true(one.qos == 0 && !one.no_local && !one.retain_as_published && one.retain_handling == 0 && !one.wildcard);
	assert_true(mqtt_subscribe_next(&rest, MQTT_5, &one));
	assert_str(one.filter, "$share/g/c/+/#");
	assert_str(one.group, "g");
	assert_str(one.topic, "c/+/#");
	assert_true(one.qos == 2 && !one.no_local && one.retain_as_published && one.retain_handling == 1 && one.wildcard &&
	            one.levels == 3);
	assert_true(mqtt_subscribe_next(&rest, MQTT_5, &one));
	assert_str(one.topic, "$share");
	assert_true(one.qos == 1 && one.no_local && one.retain_handling == 2 && one.group.n == 0);
	assert_false(mqtt_subscribe_next(&rest, MQTT_5, &one));
	buf_fini(&bytes);
}

static void unsubscribe_fields(void **state)
{
	struct buf bytes = { 0 };
	struct mqtt_unsubscribe u = read_text(&bytes, MQTT_3_1_1, CLIENT, "A2 . 0001 s'a/+' s'#'").unsubscribe;
	struct str rest = u.payload, filter;

	(void)state;
	assert_int_equal(u.count, 2);
	assert_true(mqtt_unsubscribe_next(&rest, &filter));
	assert_str(filter, "a/+");
	assert_true(mqtt_unsubscribe_next(&rest, &filter));
	assert_str(filter, "#");
	assert_false(mqtt_unsubscribe_next(&rest, &filter));
	buf_fini(&bytes);
}

/* Return codes of 3.x are read as reason codes. */
static void connack_in_3(void **state)
{
	static const uint8_t reasons[] = { 0x00, 0x84, 0x85, 0x88, 0x86, 0x87 };

	(void)state;
	for (uint8_t code = 0; code < 6; code++) {
		struct mqtt_peer from = peer_of(MQTT_3_1_1, SERVER);
		char bytes[] = { 0x20, 2, 0, (char)code };
		struct any_packet packet;
		struct mqtt_error e;

		assert_true(any_read(str_make(bytes, 4), &from, &packet, &e));
		assert_int_equal(packet.connack.reason, reasons[code]);
	}
}

/* A packet that is cut is another packet, if that can be: with less payload, fewer filters, a shorter form. In all other cases it is
 * refused; and nothing behind its end is read, which the sanitizer sees. */
static void cut_short(void **state)
{
	static const struct {
		const char *packet;
		unsigned others;
	} cuts[] = {
		{ "10 . s'MQTT' 05 C6 003C (11 00000001) s'client' (18 00000001) s'will' s'bye' s'user' s'pass'", 0 },
		{ "32 . s'topic' 0001 (26 s'k' s'v' 08 s'r') 'payload'", 7 },
		{ "82 . 0001 (0B 05) s'a/+' 01 s'b/#' 02", 1 },
		{ "A2 . 0001 () s'a/+' s'b/#'", 1 },
		{ "40 . 0001 10 (1F s'why')", 2 },
		{ "E0 . 81 (1F s'why')", 2 },
		{ "F0 . 18 (15 s'method' 16 s'data')", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct mqtt_peer from = peer_of(MQTT_5, CLIENT);
		struct buf bytes = { 0 };
		struct any_packet packet;
		struct mqtt_error e;
		unsigned others = 0;

		packet_text(&bytes, cuts[i].packet);
		assert_true(any_read(buf_str(&bytes), &from, &packet, &e));
		for (size_t n = 2; n < bytes.n; n++) {
			char *copy = mem_memdup(bytes.p, n);

			copy[1] = (char)(n - 2);
			others += any_read(str_make(copy, n), &from, &packet, &e);
			mem_free(copy);
		}
		if (others != cuts[i].others)
			fail_msg("%u: %s", others, cuts[i].packet);
		buf_fini(&bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(again_the_same_bytes), cmocka_unit_test(other_forms),      cmocka_unit_test(connect_fields),
		cmocka_unit_test(publish_fields),       cmocka_unit_test(subscribe_fields), cmocka_unit_test(unsubscribe_fields),
		cmocka_unit_test(connack_in_3),         cmocka_unit_test(cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
