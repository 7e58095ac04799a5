/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/response.h"

#include "services/mqtt-broker/fake_flock.h"

static char *templates[2];

static void set(const char *first, const char *second)
{
	templates[0] = (char *)(uintptr_t)first;
	templates[1] = (char *)(uintptr_t)second;
	fake.config.response_information = (struct config_list){ templates, second ? 2 : 1 };
}

static void asks(const char *connect, const char *connack)
{
	join(0);
	say(0, connect);
	hear(0, connack);
}

#define LIMITS "21 0100 22 0004 27 00010000"

/* [MQTT-3.1.2-28] */
static void test_asked_for(void **state)
{
	(void)state;
	set("b.test other/%c", "reply/%u/%c");
	asks("10 . s'MQTT' 05 C2 0000 (19 01) s'a' s'romeo' s'secret'", "20 . 00 00 (1A s'reply/romeo/a' " LIMITS ")");
	asks("10 . s'MQTT' 05 C2 0000 (19 01) s'a' s'romeo@b.test' s'secret'", "20 . 00 00 (1A s'other/a' " LIMITS ")");
	asks("10 . s'MQTT' 05 C2 0000 (19 00) s'b' s'romeo' s'secret'", CONNACK_5);
	asks("10 . s'MQTT' 05 C2 0000 () s'c' s'romeo' s'secret'", CONNACK_5);
}

/* Who has no name, or one that is more than a part of a level, is told nothing. */
static void test_nothing_to_tell(void **state)
{
	(void)state;
	fake.config.anonymous = true;
	asks("10 . s'MQTT' 05 C2 0000 (19 01) s'a' s'romeo' s'secret'", CONNACK_5);
	set("b.test other/%c", NULL);
	asks("10 . s'MQTT' 05 C2 0000 (19 01) s'a' s'romeo' s'secret'", CONNACK_5);
	set("reply/%c", NULL);
	asks("10 . s'MQTT' 05 C2 0000 (19 01) s'a/b' s'romeo' s'secret'", CONNACK_5);
	asks("10 . s'MQTT' 05 C2 0000 (19 01) s'+' s'romeo' s'secret'", CONNACK_5);
	set("reply/%u", NULL);
	asks("10 . s'MQTT' 05 02 0000 (19 01) s'x'", CONNACK_5);
	asks("10 . s'MQTT' 05 C2 0000 (19 01) s'a/b' s'romeo' s'secret'", "20 . 00 00 (1A s'reply/romeo' " LIMITS ")");
}

static void test_config(void **state)
{
	static const char *const wrong[] = {
		"", "reply/+", "reply/#", "reply/%", "reply/%x", "c.test reply/%c", "a.test ", "a.test reply/#"
	};
	static const char *const right[] = { "reply", "reply/%c", "reply/of %u", "a.test reply/%u%c/x", "/%c" };
	char *hosts[] = { (char *)(uintptr_t) "a.test", (char *)(uintptr_t) "b.test" };
	const struct config_list all = { hosts, 2 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		set(wrong[i], NULL);
		assert_int_equal(mq_response_check(&fake.config.response_information, &all, &e), -1);
		assert_non_null(strstr(e.text, "response_information"));
	}
	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
		set(right[i], NULL);
		assert_int_equal(mq_response_check(&fake.config.response_information, &all, &e), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_asked_for, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_to_tell, fake_setup, fake_teardown),
		cmocka_unit_test(test_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
