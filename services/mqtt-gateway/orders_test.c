/* SPDX-License-Identifier: Apache-2.0
 *
 * orders: users' messages on their way to the broker. */
#include "services/mqtt-gateway/flow_for_test.h"

static void test_accepted_by_puback(void **state)
{
	(void)state;
	write_to(0, LAMP, "1");
	write_to(1, LAMP "/x", "2");
	write_to(2, LAMP, "3");
	got("32 . s'l/juliet' 0001 () '1' | 32 . s'l/juliet' 0002 () '2'");
	assert_int_equal(f.requests[0].code, -1);
	puback(2, MQTT_SUCCESS);
	assert_int_equal(f.requests[1].code, 0);
	assert_int_equal(f.requests[0].code, -1);
	got("32 . s'l/juliet' 0003 () '3'");
	puback(1, MQTT_NO_MATCHING_SUBSCRIBERS);
	puback(3, MQTT_SUCCESS);
	assert_true(f.requests[0].code == 0 && f.requests[2].code == 0);
	assert_false(orders_acked(&f.g.orders, &(struct mqtt_ack){ .packet_id = 3 }));
	/* QoS 0 is done when it is written. */
	write_to(3, "zero-lamp@things.example.org", "x");
	got("31 . s'z' () 'x'");
	assert_int_equal(f.requests[3].code, 0);
}

static void test_refused_by_broker(void **state)
{
	(void)state;
	write_to(0, LAMP, "1");
	write_to(1, LAMP, "2");
	puback(1, MQTT_NOT_AUTHORIZED);
	refused(0, "<not-allowed ");
	puback(2, MQTT_UNSPECIFIED_ERROR);
	refused(1, "<service-unavailable ");
	/* An error that is not taken is told on. */
	write_to(2, LAMP, "3");
	puback(3, MQTT_QUOTA_EXCEEDED);
	answer(0, CODE(UNAVAILABLE));
	assert_int_equal(f.requests[2].code, CODE(UNAVAILABLE));
	f.g.link.client.peer.packet_max = 10;
	write_to(3, LAMP, "too long for it");
	refused(3, "<not-acceptable ");
}

static void test_sent_again(void **state)
{
	(void)state;
	write_to(0, LAMP, "1");
	write_to(1, LAMP, "2");
	write_to(2, LAMP, "3");
	puback(1, 0);
	buf_clear(&f.out);
	disconnected();
	connected(true);
	got("3A . s'l/juliet' 0002 () '2' | 3A . s'l/juliet' 0003 () '3'");
	disconnected();
	connected(false);
	got("32 . s'l/juliet' 0002 () '2' | 32 . s'l/juliet' 0003 () '3'");
	puback(2, 0);
	puback(3, 0);
	assert_true(f.requests[1].code == 0 && f.requests[2].code == 0);
}

static void test_too_long(void **state)
{
	(void)state;
	write_to(0, LAMP, "1");
	disconnected();
	write_to(1, LAMP, "2");
	connected(true);
	buf_clear(&f.out);
	f.config.publish_ms = 0;
	f.g.orders.expiry.fn(&f.g.orders.expiry);
	assert_int_equal(f.call_count, 2);
	refused(1, "<remote-server-timeout ");
	refused(0, "<remote-server-timeout ");
	f.config.publish_ms = 1000000;
	/* Its identifier is not used before the broker has answered. */
	assert_int_equal(f.g.orders.count, 2);
	f.g.orders.last_id = 0;
	puback(1, 0);
	write_to(2, LAMP, "3");
	got("32 . s'l/juliet' 0001 () '3'");
	assert_int_equal(f.call_count, 0);
	/* With the connection it is forgotten. */
	disconnected();
	assert_int_equal(f.g.orders.count, 1);
}

static void test_full(void **state)
{
	(void)state;
	disconnected();
	for (unsigned i = 0; i < 4; i++)
		write_to(i, LAMP, "x");
	write_to(4, LAMP, "x");
	refused(4, "<resource-constraint ");
	orders_fini(&f.g.orders);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(f.requests[i].code, CODE(UNAVAILABLE));
	orders_init(&f.g.orders, &f.g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_accepted_by_puback), TEST(test_refused_by_broker), TEST(test_sent_again), TEST(test_too_long), TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
