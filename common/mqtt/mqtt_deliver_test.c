/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_deliver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/mqtt/mqtt_for_test.h"

static const struct mqtt_peer client_5 = { .version = MQTT_5 }, client_4 = { .version = MQTT_3_1_1 };
static const uint32_t ids[] = { 1, 300, MQTT_VARINT_MAX };

/* A message with properties 01 01 26 s'k' s'v'. */
static const char tail[] = "\x01\x01\x26\0\1k\0\1vpayload";
static struct mqtt_message message(void)
{
	return (struct mqtt_message){ .topic = STR("a/b"), .props_and_payload = str_make(tail, sizeof(tail) - 1), .props_size = 9 };
}

static const struct {
	uint8_t version;
	struct mqtt_delivery d;
	const char *packet;
} deliveries[] = {
	{ MQTT_3_1_1, { .qos = 0 }, "30 . s'a/b' 'payload'" },
	{ MQTT_3_1, { .qos = 1, .packet_id = 7, .retain = true }, "33 . s'a/b' 0007 'payload'" },
	{ MQTT_3_1_1, { .qos = 2, .packet_id = 7, .dup = true }, "3C . s'a/b' 0007 'payload'" },
	/* Nothing of 5.0 goes to others. */
	{ MQTT_3_1_1,
	  { .topic_alias = 3, .alias_known = true, .has_expiry = true, .expiry = 9, .subscription_ids = ids, .subscription_id_count = 3 },
	  "30 . s'a/b' 'payload'" },
	{ MQTT_5, { .qos = 0 }, "30 . s'a/b' (01 01 26 s'k' s'v') 'payload'" },
	{ MQTT_5, { .qos = 1, .packet_id = 0xFFFF, .dup = true, .retain = true }, "3B . s'a/b' FFFF (01 01 26 s'k' s'v') 'payload'" },
	{ MQTT_5, { .has_expiry = true, .expiry = 0x01020304 }, "30 . s'a/b' (02 01020304 01 01 26 s'k' s'v') 'payload'" },
	{ MQTT_5, { .topic_alias = 5 }, "30 . s'a/b' (23 0005 01 01 26 s'k' s'v') 'payload'" },
	{ MQTT_5, { .topic_alias = 5, .alias_known = true }, "30 . s'' (23 0005 01 01 26 s'k' s'v') 'payload'" },
	{ MQTT_5, { .alias_known = true }, "30 . s'a/b' (01 01 26 s'k' s'v') 'payload'" },
	{ MQTT_5,
	  { .qos = 2,
	    .packet_id = 1,
	    .topic_alias = 5,
	    .has_expiry = true,
	    .expiry = 1,
	    .subscription_ids = ids,
	    .subscription_id_count = 3 },
	  "34 . s'a/b' 0001 (02 00000001 23 0005 0B 01 0B AC02 0B FFFFFF7F 01 01 26 s'k' s'v') 'payload'" },
	/* MQTT-3.3.1-2: no DUP with QoS 0. */
	{ MQTT_5, { .qos = 0, .dup = true, .packet_id = 9 }, "30 . s'a/b' (01 01 26 s'k' s'v') 'payload'" },
};
#define COUNT (sizeof(deliveries) / sizeof(deliveries[0]))

static void check(struct buf *out, size_t n, size_t i)
{
	struct buf expected = { 0 };

	packet_text(&expected, deliveries[i].packet);
	assert_int_equal(n, expected.n);
	if (!str_eq(buf_str(out), buf_str(&expected)))
		fail_msg("not %s", deliveries[i].packet);
	buf_fini(&expected);
	buf_clear(out);
}

/* [MQTT-3.3.1-2] [MQTT-4.3.1-1] [MQTT311-3.3.1-2] [MQTT311-4.3.1-1] */
static void whole_and_in_pieces(void **state)
{
	struct mqtt_message m = message();
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		struct mqtt_peer to = { .version = deliveries[i].version };
		struct mqtt_pieces pieces;

		check(&out, mqtt_deliver(&out, &to, &m, &deliveries[i].d), i);
		assert_true(mqtt_deliver_pieces(&pieces, &to, &m, &deliveries[i].d));
		for (size_t k = 0; k < 4; k++)
			buf_append_str(&out, pieces.piece[k]);
		/* Topic and payload are not copied. */
		assert_ptr_equal(pieces.piece[1].p, m.topic.p);
		assert_ptr_equal(pieces.piece[3].p + pieces.piece[3].n, m.props_and_payload.p + m.props_and_payload.n);
		check(&out, pieces.size, i);
		assert_int_equal(mqtt_deliver_size(to.version, &m, &deliveries[i].d), pieces.size);
	}
	buf_fini(&out);
}

static void templates(void **state)
{
	struct mqtt_message m = message();
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		struct mqtt_peer to = { .version = deliveries[i].version };
		struct mqtt_delivery d = deliveries[i].d,
		                     other = { .qos = d.qos, .retain = d.retain, .has_expiry = d.has_expiry, .expiry = 99 };
		struct mqtt_template t;

		if (to.version == MQTT_5 && (d.topic_alias || d.subscription_id_count))
			continue;
		assert_true(mqtt_template_init(&t, to.version, &m, &other));
		check(&out, mqtt_template_deliver(&out, &to, &t, &d), i);
		/* A template is not used up. */
		check(&out, mqtt_template_deliver(&out, &to, &t, &d), i);
		to.packet_max = (uint32_t)t.packet.n - 1;
		assert_int_equal(mqtt_template_deliver(&out, &to, &t, &d), 0);
		mqtt_template_fini(&t);
	}
	buf_fini(&out);
}

/* [MQTT-3.1.2-24] */
static void mqtt_3_1_2_24_maximum_packet_size(void **state)
{
	struct mqtt_message m = message();
	struct mqtt_delivery d = { .qos = 1, .packet_id = 1 };
	struct mqtt_peer to = client_5;
	struct mqtt_pieces pieces;
	struct buf out = { 0 }, full = { .max = 10 };
	size_t size = mqtt_deliver_size(MQTT_5, &m, &d);

	(void)state;
	to.packet_max = (uint32_t)size - 1;
	assert_int_equal(mqtt_deliver(&out, &to, &m, &d), 0);
	assert_false(mqtt_deliver_pieces(&pieces, &to, &m, &d));
	assert_int_equal(out.n, 0);
	to.packet_max++;
	assert_int_equal(mqtt_deliver(&out, &to, &m, &d), size);
	assert_int_equal(mqtt_deliver(&full, &to, &m, &d), 0);
	buf_fini(&out);
	buf_fini(&full);
}

static void what_mqtt_does_not_allow(void **state)
{
	char *p = mem_zalloc(MQTT_STRING_MAX + 1);
	struct mqtt_message m = { .topic = str_make(p, MQTT_STRING_MAX + 1) };
	struct mqtt_delivery d = { 0 };
	const uint32_t bad_ids[] = { 0, MQTT_VARINT_MAX + 1 };
	struct mqtt_template t;

	(void)state;
	assert_int_equal(mqtt_deliver_size(MQTT_5, &m, &d), 0);
	assert_false(mqtt_template_init(&t, MQTT_5, &m, &d));
	mqtt_template_fini(&t);
	m = (struct mqtt_message){ .topic = STR("a"), .props_and_payload = str_make(p, MQTT_VARINT_MAX - 3) };
	assert_int_equal(mqtt_deliver_size(MQTT_3_1_1, &m, &d), MQTT_VARINT_MAX + 5);
	assert_int_equal(mqtt_deliver_size(MQTT_5, &m, &d), 0);
	m = (struct mqtt_message){ .topic = STR("a"), .props_and_payload = STR("1234"), .props_size = 5 };
	assert_int_equal(mqtt_deliver_size(MQTT_5, &m, &d), 0);
	assert_int_equal(mqtt_deliver_size(MQTT_3_1_1, &m, &d), 0);
	for (size_t i = 0; i < 2; i++) {
		m = message();
		d = (struct mqtt_delivery){ .subscription_ids = &bad_ids[i], .subscription_id_count = 1 };
		assert_int_equal(mqtt_deliver_size(MQTT_5, &m, &d), 0);
		assert_true(mqtt_deliver_size(MQTT_3_1_1, &m, &d) > 0);
	}
	mem_free(p);
}

/* More identifiers than pieces have room for. */
static void many_subscription_ids(void **state)
{
	uint32_t many[MQTT_DELIVER_IDS_MAX + 1];
	struct mqtt_message m = message();
	struct mqtt_delivery d = { .qos = 1, .packet_id = 1, .topic_alias = 1, .has_expiry = true, .subscription_ids = many };
	struct mqtt_peer from = { .version = MQTT_5, .server = true, .topic_alias_max = 1 };
	struct mqtt_pieces pieces;
	struct buf out = { 0 };
	struct any_packet packet;
	struct mqtt_error e;

	(void)state;
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
		many[i] = MQTT_VARINT_MAX;
	d.subscription_id_count = MQTT_DELIVER_IDS_MAX;
	assert_true(mqtt_deliver_pieces(&pieces, &client_5, &m, &d));
	assert_true(pieces.piece[2].p + pieces.piece[2].n <= (char *)pieces.own + sizeof(pieces.own));
	d.subscription_id_count++;
	assert_false(mqtt_deliver_pieces(&pieces, &client_5, &m, &d));
	assert_true(mqtt_deliver_pieces(&pieces, &client_4, &m, &d));
	assert_true(mqtt_deliver(&out, &client_5, &m, &d) > 0);
	assert_true(any_read(buf_str(&out), &from, &packet, &e));
	assert_int_equal(mqtt_props_subscription_ids(&packet.publish.props), MQTT_DELIVER_IDS_MAX + 1);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_and_in_pieces),      cmocka_unit_test(templates),
		cmocka_unit_test(what_mqtt_does_not_allow), cmocka_unit_test(mqtt_3_1_2_24_maximum_packet_size),
		cmocka_unit_test(many_subscription_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
