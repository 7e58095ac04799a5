/* SPDX-License-Identifier: Apache-2.0
 *
 * That every rule is broken by some packet is in mqtt_refusals_test. */
#include "common/mqtt/mqtt_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The reason codes that section 4.13 and the text of the packets name. */
static void reason_codes(void **state)
{
	static const struct {
		enum mqtt_rule rule;
		uint8_t reason;
	} table[] = {
		{ MQTT_RULE_UTF8, 0x81 },          { MQTT_RULE_NUL, 0x81 },           { MQTT_RULE_PROP_FORBIDDEN, 0x81 },
		{ MQTT_RULE_FLAGS, 0x81 },         { MQTT_RULE_QOS, 0x81 },           { MQTT_RULE_WILL_QOS, 0x81 },
		{ MQTT_RULE_PROP_TWICE, 0x82 },    { MQTT_RULE_PROP_ZERO, 0x82 },     { MQTT_RULE_TOPIC_MISSING, 0x82 },
		{ MQTT_RULE_NO_LOCAL, 0x82 },      { MQTT_RULE_OPTIONS_QOS, 0x82 },   { MQTT_RULE_SUBSCRIBE_EMPTY, 0x82 },
		{ MQTT_RULE_AUTH_METHOD, 0x82 },   { MQTT_RULE_ALIAS_ZERO, 0x94 },    { MQTT_RULE_ALIAS_MAX, 0x94 },
		{ MQTT_RULE_TOO_LARGE, 0x95 },     { MQTT_RULE_PROTOCOL_NAME, 0x84 }, { MQTT_RULE_PROTOCOL_LEVEL, 0x84 },
		{ MQTT_RULE_CLIENT_ID, 0x85 },     { MQTT_RULE_FIRST_PACKET, 0x82 },  { MQTT_RULE_OPTIONS_RESERVED, 0x81 },
		{ MQTT_RULE_FILTER_LEVELS, 0x8F }, { MQTT_RULE_TOPIC_LEVELS, 0x90 },  { MQTT_RULE_RETAIN_HANDLING, 0x82 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct mqtt_error e;

		assert_false(mqtt_refuse(&e, MQTT_5, table[i].rule));
		assert_int_equal(e.reason, table[i].reason);
		assert_int_equal(e.rule, table[i].rule);
	}
	assert_false(mqtt_refuse(NULL, MQTT_5, MQTT_RULE_QOS));
	assert_string_equal(mqtt_rule_text(MQTT_5, MQTT_RULE_UTF8), "[MQTT-1.5.4-1] a string is not well-formed UTF-8");
	assert_string_equal(mqtt_rule_text(MQTT_3_1, MQTT_RULE_UTF8), "[MQTT-1.5.3-1] a string is not well-formed UTF-8");
}

/* Every text begins with what it goes back to. */
static void texts(void **state)
{
	(void)state;
	for (unsigned rule = 1; rule < MQTT_RULE_COUNT; rule++)
		for (unsigned version = MQTT_3_1; version <= MQTT_5; version++) {
			const char *text = mqtt_rule_text(version, rule);

			assert_true(text[0] == '[' || text[0] == '-' || strncmp(text, "section ", 8) == 0 ||
			            strncmp(text, "5.0 [", 5) == 0);
			assert_true(text[0] != '-' || mqtt_rule_text(version == MQTT_5 ? MQTT_3_1 : MQTT_5, rule)[0] != '-');
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reason_codes), cmocka_unit_test(texts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
