/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/flapping.h"

#include "services/mqtt-broker/several_for_test.h"

/* --- the table ---------------------------------------------------------------------------------------------------- */

static void test_window(void **state)
{
	struct mq_flapping *f = mq_flapping_new();

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_false(mq_flapping_count(f, STR("a"), 1000, 100, 3));
	assert_false(mq_flapping_count(f, STR("b"), 1000, 100, 3));
	assert_true(mq_flapping_count(f, STR("a"), 1100, 100, 3));
	/* From nothing, and in a window of its own. */
	for (int i = 0; i < 3; i++)
		assert_false(mq_flapping_count(f, STR("a"), 1100, 100, 3));
	assert_false(mq_flapping_count(f, STR("a"), 1201, 100, 3));
	mq_flapping_free(&f);
}

/* More names than there are places: it does not grow, and who keeps at it is found. */
static void test_many(void **state)
{
	struct mq_flapping *f = mq_flapping_new();
	unsigned found = 0;
	char name[20];

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "%u", i);
		assert_false(mq_flapping_count(f, str_from(name), i, 1000000, 9));
		if (i % 100 == 0)
			found += mq_flapping_count(f, STR("again"), i, 1000000, 9);
	}
	assert_true(found > 90 && found <= 100);
	mq_flapping_free(&f);
}

/* --- clients ------------------------------------------------------------------------------------------------------ */

static void comes_and_goes(const char *id)
{
	live5(0, id);
	say(0, "E0 00");
	gone(0);
}

static void refused(const char *connect)
{
	join(0);
	say(0, connect);
	hear(0, "20 . 00 8A ()");
	gone(0);
}

static void test_client(void **state)
{
	(void)state;
	fake.config.flapping_client = 2;
	fake.config.flapping_window_ms = 60000;
	fake.config.flapping_ban_ms = 60000;
	mq_flapping_configure(fake.broker);
	comes_and_goes("a");
	comes_and_goes("a");
	comes_and_goes("b");
	assert_int_equal(fake.broker->bans.count, 0);
	comes_and_goes("a");
	assert_int_equal(fake.broker->bans.count, 1);
	refused("10 . s'MQTT' 05 C2 0000 () s'a' s'romeo' s'secret'");
	/* Of another host it is another's. */
	join(1);
	say(1, "10 . s'MQTT' 04 C2 0000 s'a' s'romeo@b.test' s'secret'");
	hear(1, "20 02 00 00");
	comes_and_goes("b");
	/* Attempts that are refused are not counted: nobody is banned by somebody else's. */
	assert_int_equal(fake.broker->bans.count, 1);
}

static void flaps_at_another(const char *name, size_t address_n)
{
	Starling__MqttFlappedEvent event = STARLING__MQTT_FLAPPED_EVENT__INIT;
	struct ipc_call call = { .source = OTHER };
	uint8_t address[16] = { 0x20, 1 };

	event.name = (char *)(uintptr_t)name;
	event.user = (char *)(uintptr_t) "romeo@a.test";
	event.address = (ProtobufCBinaryData){ address_n, address };
	on_mqtt_flapped(&call, &event);
}

/* Wherever it connects. */
static void test_several_brokers(void **state)
{
	const Starling__MqttFlappedEvent *told;

	(void)state;
	meets(OTHER);
	flaps_at_another("a.test/a", 16); /* nobody counts */
	fake.config.flapping_client = 2;
	fake.config.flapping_window_ms = fake.config.flapping_ban_ms = 60000;
	mq_flapping_configure(fake.broker);
	flaps_at_another("a.test/a", 16);
	flaps_at_another("a.test/a", 15);
	flaps_at_another("nowhere.test/a", 16);
	flaps_at_another("a.test/b", 16);
	live5(0, "a");
	peers.holds = true;
	say(0, "E0 00");
	gone(0);
	assert_int_equal(fake.broker->bans.count, 0);
	told = (const Starling__MqttFlappedEvent *)peer_find("flapped")->request;
	assert_string_equal(told->name, "a.test/a");
	assert_string_equal(told->user, "romeo@a.test");
	assert_int_equal(told->address.len, 16);
	peers.holds = false;
	peers_answer(0);
	flaps_at_another("a.test/a", 16);
	assert_int_equal(fake.broker->bans.count, 1);
	refused("10 . s'MQTT' 05 C2 0000 () s'a' s'romeo' s'secret'");
}

/* Without a name everybody may call himself so: the ban is for the address as well. */
static void test_anonymous(void **state)
{
	const struct mq_ban *ban;

	(void)state;
	fake.config.anonymous = true;
	fake.config.flapping_client = 1;
	fake.config.flapping_window_ms = fake.config.flapping_ban_ms = 60000;
	mq_flapping_configure(fake.broker);
	for (int i = 0; i < 2; i++) {
		join(0);
		say(0, "10 . s'MQTT' 04 02 0000 s'a'");
		hear(0, "20 02 00 00");
		close(fake.peers[0]);
		fake.peers[0] = -1;
		turn();
	}
	assert_int_equal(fake.broker->bans.count, 1);
	ban = list_entry(fake.broker->bans.list.next, struct mq_ban, node);
	assert_string_equal(ban->client, "a");
	assert_string_equal(ban->address, "::/64");
}

/* Whom the operator ends has not flapped, and a ban of his is not made a shorter one. */
static void test_operator(void **state)
{
	Starling__MqttBanRequest r = STARLING__MQTT_BAN_REQUEST__INIT;
	Starling__MqttWhom w = STARLING__MQTT_WHOM__INIT;

	(void)state;
	fake.config.flapping_address = 1;
	fake.config.flapping_window_ms = fake.config.flapping_ban_ms = 60000;
	mq_flapping_configure(fake.broker);
	live5(0, "a");
	live5(1, "b");
	live5(2, "c");
	w.address = (char *)(uintptr_t) "::/64";
	r.whom = &w;
	on_mqttadmin_ban(NULL, &r);
	turn();
	assert_int_equal(fake.broker->bans.count, 1);
	assert_int_equal(list_entry(fake.broker->bans.list.next, struct mq_ban, node)->until_s, 0);
}

static void test_address(void **state)
{
	(void)state;
	fake.config.flapping_address = 2;
	fake.config.flapping_window_ms = fake.config.flapping_ban_ms = 60000;
	mq_flapping_configure(fake.broker);
	comes_and_goes("a");
	comes_and_goes("b");
	comes_and_goes("c");
	assert_int_equal(fake.broker->bans.count, 1);
	refused("10 . s'MQTT' 05 C2 0000 () s'd' s'romeo' s'secret'");
	/* Turned off, nothing is counted; what is banned stays so. */
	fake.config.flapping_address = 0;
	mq_flapping_configure(fake.broker);
	assert_null(fake.broker->flapping);
	refused("10 . s'MQTT' 05 C2 0000 () s'd' s'romeo' s'secret'");
}

/* Half of the bans are the operator's, however many there are who flap. */
static void test_room(void **state)
{
	struct err e;
	char id[20];

	(void)state;
	fake.config.flapping_client = 0;
	fake.config.flapping_address = 1;
	fake.config.flapping_window_ms = fake.config.flapping_ban_ms = 60000;
	mq_flapping_configure(fake.broker);
	for (unsigned i = 0; i < MQ_BANS_MAX / 2; i++) {
		snprintf(id, sizeof(id), "banned-%u", i);
		assert_int_equal(mq_bans_add(&fake.broker->bans, &(struct mq_whom){ .client = id }, 0, &e), 0);
	}
	comes_and_goes("a");
	comes_and_goes("a");
	assert_int_equal(fake.broker->bans.count, MQ_BANS_MAX / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_many),
		cmocka_unit_test_setup_teardown(test_client, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_anonymous, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_several_brokers, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_operator, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_address, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_room, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
