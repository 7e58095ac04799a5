/* SPDX-License-Identifier: Apache-2.0
 *
 * What operators see and do, and what clients notice of it. */
#include "services/mqtt-broker/fake_flock.h"

static void whom(Starling__MqttWhom *out, const char *client, const char *user, const char *address)
{
	starling__mqtt_whom__init(out);
	out->client = (char *)(uintptr_t)client;
	out->user = (char *)(uintptr_t)user;
	out->address = (char *)(uintptr_t)address;
	fake.code = 0;
	fake.listed = 1000;
}

static void ban(const char *client, const char *user, const char *address, uint64_t for_ms)
{
	Starling__MqttBanRequest r = STARLING__MQTT_BAN_REQUEST__INIT;
	Starling__MqttWhom w;

	whom(&w, client, user, address);
	r.whom = &w;
	r.for_ms = for_ms;
	on_mqttadmin_ban(NULL, &r);
}

static void kick(const char *client, const char *user, const char *address)
{
	Starling__MqttKickRequest r = STARLING__MQTT_KICK_REQUEST__INIT;
	Starling__MqttWhom w;

	whom(&w, client, user, address);
	r.whom = &w;
	on_mqttadmin_kick(NULL, &r);
}

static void unban(const char *client, const char *user, const char *address)
{
	Starling__MqttKickRequest r = STARLING__MQTT_KICK_REQUEST__INIT;
	Starling__MqttWhom w;

	whom(&w, client, user, address);
	r.whom = &w;
	on_mqttadmin_unban(NULL, &r);
}

static void refused(const char *id)
{
	char packet[100];

	join(7);
	snprintf(packet, sizeof(packet), "10 . s'MQTT' 05 C2 0000 () s'%s' s'romeo' s'secret'", id);
	say(7, packet);
	hear(7, "20 . 00 8A ()");
	gone(7);
}

static void test_ban(void **state)
{
	(void)state;
	live5(0, "a");
	live3(1, "b");
	live5(2, "c");
	ban("a", "", "", 0);
	assert_int_equal(fake.listed, 1);
	hear(0, "E0 . 98 (1F s'ended by the operator')");
	gone(0);
	refused("a");
	ban("", "romeo@a.test", "", 0);
	assert_int_equal(fake.listed, 2);
	gone(1);
	hear(2, "E0 . 98 (1F s'ended by the operator')");
	gone(2);
	refused("d");
	unban("", "romeo@a.test", "");
	assert_int_equal(fake.code, 0);
	live5(3, "d");
	/* The test's clients are at ::. */
	ban("", "", "::/64", 1000);
	hear(3, "E0 . 98 (1F s'ended by the operator')");
	gone(3);
	refused("e");
	unban("", "", "::/64");
	refused("a");
	/* Before 5.0. */
	join(4);
	say(4, "10 . s'MQTT' 04 C2 0000 s'a' s'romeo' s'secret'");
	hear(4, "20 02 00 05");
	gone(4);
}

static void test_kick(void **state)
{
	(void)state;
	live5(0, "a");
	live5(1, "b");
	kick("b", "romeo@a.test", "");
	assert_int_equal(fake.listed, 1);
	hear(1, "E0 . 98 (1F s'ended by the operator')");
	gone(1);
	live5(1, "b");
	kick("x", "", "");
	assert_int_equal(fake.listed, 0);
	say(0, "C0 00");
	hear(0, "D0 00");
}

static void test_refusals(void **state)
{
	(void)state;
	ban("", "", "", 0);
	assert_int_equal(fake.code, STARLING__CODE__CODE_INVALID);
	ban("", "", "somewhere", 0);
	assert_int_equal(fake.code, STARLING__CODE__CODE_INVALID);
	ban("a", "", "", UINT64_MAX);
	assert_int_equal(fake.code, STARLING__CODE__CODE_INVALID);
	kick("", "", "");
	assert_int_equal(fake.code, STARLING__CODE__CODE_INVALID);
	unban("a", "", "");
	assert_int_equal(fake.code, STARLING__CODE__CODE_NOT_FOUND);
	ban("one", "", "", 0);
	fake.broker->bans.count = MQ_BANS_MAX;
	ban("one-more", "", "", 0);
	assert_int_equal(fake.code, STARLING__CODE__CODE_LIMIT);
	fake.broker->bans.count = 1;
}

static void test_lists(void **state)
{
	Starling__MqttListRequest r = STARLING__MQTT_LIST_REQUEST__INIT;
	Starling__MqttBansRequest all = STARLING__MQTT_BANS_REQUEST__INIT;

	(void)state;
	live3(0, "a");
	last5(1, "b", CONNACK_5);
	r.limit = 10;
	on_mqttadmin_list(NULL, &r);
	assert_int_equal(fake.listed, 2);
	assert_string_equal(fake.text, "a romeo@a.test 4");
	say(1, "E0 00");
	gone(1);
	on_mqttadmin_list(NULL, &r);
	assert_int_equal(fake.listed, 1);
	on_mqttadmin_sessions(NULL, &r);
	assert_int_equal(fake.listed, 2);
	r.limit = 1;
	on_mqttadmin_sessions(NULL, &r);
	assert_int_equal(fake.listed, 1);
	r.user = (char *)(uintptr_t) "juliet@a.test";
	on_mqttadmin_list(NULL, &r);
	assert_int_equal(fake.listed, 0);
	on_mqttadmin_bans(NULL, &all);
	assert_int_equal(fake.listed, 0);
	ban("x", "", "", 5000);
	on_mqttadmin_bans(NULL, &all);
	assert_int_equal(fake.listed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ban, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_kick, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_refusals, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_lists, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
