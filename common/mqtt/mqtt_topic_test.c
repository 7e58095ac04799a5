/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* [MQTT-3.3.2-3] [MQTT-4.7.2-1] [MQTT-4.7.3-4] [MQTT311-3.3.2-3] [MQTT311-4.7.2-1] [MQTT311-4.7.3-4] */
/* Sections 4.7.1 to 4.7.3, with the standard's examples. */
static void mqtt_4_7_matching(void **state)
{
	static const struct {
		const char *filter, *name;
		bool matches;
	} table[] = {
		{ "sport/tennis/player1/#", "sport/tennis/player1", true },
		{ "sport/tennis/player1/#", "sport/tennis/player1/ranking", true },
		{ "sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true },
		{ "sport/tennis/player1/#", "sport/tennis/player2", false },
		{ "sport/tennis/player1/#", "sport/tennis/player11", false },
		{ "sport/#", "sport", true },
		{ "sport/#", "sport/", true },
		{ "#", "sport/tennis", true },
		{ "#", "/", true },
		{ "sport/tennis/+", "sport/tennis/player1", true },
		{ "sport/tennis/+", "sport/tennis/player1/ranking", false },
		{ "sport/+", "sport", false },
		{ "sport/+", "sport/", true },
		{ "+", "sport", true },
		{ "+", "/finance", false },
		{ "+/tennis/#", "sport/tennis", true },
		{ "+/tennis/#", "sport/tennis/a/b", true },
		{ "sport/+/player1", "sport/tennis/player1", true },
		{ "sport/+/player1", "sport/player1", false },
		{ "+/+", "/finance", true },
		{ "/+", "/finance", true },
		{ "/#", "/finance", true },
		{ "/#", "finance", false },
		{ "+/#", "sport", true },
		{ "a/b", "a/b", true },
		{ "a/b", "a/b/", false },
		{ "a/b/", "a/b", false },
		{ "a//b", "a//b", true },
		{ "a/+/b", "a//b", true },
		{ "/", "/", true },
		{ "/", "//", false },
		{ "A", "a", false },
		{ "a/+/+/d", "a/b/c/d", true },
		/* MQTT-4.7.2-1 */
		{ "#", "$SYS/a", false },
		{ "+/a", "$SYS/a", false },
		{ "+", "$SYS", false },
		{ "$SYS/#", "$SYS", true },
		{ "$SYS/#", "$SYS/monitor/Clients", true },
		{ "$SYS/monitor/+", "$SYS/monitor/Clients", true },
		{ "a/#", "a/$b", true },
		{ "a/+", "a/$b", true },
		/* MQTT-4.7.3-4: composed and decomposed are two. */
		{ "\xC3\xA9", "e\xCC\x81", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_true(mqtt_topic_filter_valid(str_from(table[i].filter), 0));
		assert_true(mqtt_topic_name_valid(str_from(table[i].name), 0));
		if (mqtt_topic_matches(str_from(table[i].filter), str_from(table[i].name)) != table[i].matches)
			fail_msg("%s and %s", table[i].filter, table[i].name);
	}
}

/* [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT311-3.3.2-2] [MQTT311-4.7.1-1] */
static void mqtt_3_3_2_2_names(void **state)
{
	static const struct {
		const char *name;
		enum mqtt_rule rule;
	} table[] = {
		{ "a", MQTT_RULE_NONE },
		{ "/", MQTT_RULE_NONE },
		{ "//", MQTT_RULE_NONE },
		{ " ", MQTT_RULE_NONE },
		{ "$SYS/a", MQTT_RULE_NONE },
		{ "", MQTT_RULE_TOPIC_EMPTY },
		{ "+", MQTT_RULE_TOPIC_WILDCARD },
		{ "a/#", MQTT_RULE_TOPIC_WILDCARD },
		{ "abcdefgh+", MQTT_RULE_TOPIC_WILDCARD },
		{ "abcd+fgh", MQTT_RULE_TOPIC_WILDCARD },
		{ "#bcdefghi", MQTT_RULE_TOPIC_WILDCARD },
		{ "1/2/3", MQTT_RULE_NONE },
		{ "1/2/3/", MQTT_RULE_TOPIC_LEVELS },
		{ "1/2/3/4", MQTT_RULE_TOPIC_LEVELS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (mqtt_topic_name_check(str_from(table[i].name), 3) != table[i].rule)
			fail_msg("'%s'", table[i].name);
	assert_int_equal(mqtt_topic_name_check(str_make("a\0b", 3), 0), MQTT_RULE_NUL);
	assert_int_equal(mqtt_topic_name_check(str_make("abcdefg\0b", 9), 0), MQTT_RULE_NUL);
	assert_true(mqtt_topic_name_valid(STR("1/2/3/4"), 0));
}

/* One byte of each value in each place: only the three are refused. */
static void every_byte_of_a_name(void **state)
{
	char name[19];

	(void)state;
	for (unsigned value = 0; value < 256; value++)
		for (size_t at = 0; at < sizeof(name); at++) {
			bool bad = value == 0 || value == '+' || value == '#';

			memset(name, 'a', sizeof(name));
			name[at] = (char)value;
			assert_int_equal(mqtt_topic_name_valid(str_make(name, sizeof(name)), 0), !bad);
		}
}

/* [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT311-4.7.1-2] [MQTT311-4.7.1-3] */
static void mqtt_4_7_1_filters(void **state)
{
	static const struct {
		const char *filter;
		enum mqtt_rule rule;
		const char *topic, *group;
		bool wildcard;
		unsigned levels;
	} table[] = {
		{ "a", MQTT_RULE_NONE, "a", "", false, 1 },
		{ "/", MQTT_RULE_NONE, "/", "", false, 2 },
		{ "a/+/#", MQTT_RULE_NONE, "a/+/#", "", true, 3 },
		{ "+", MQTT_RULE_NONE, "+", "", true, 1 },
		{ "#", MQTT_RULE_NONE, "#", "", true, 1 },
		{ "/#", MQTT_RULE_NONE, "/#", "", true, 2 },
		{ "$share", MQTT_RULE_NONE, "$share", "", false, 1 },
		{ "$shared/a/b", MQTT_RULE_NONE, "$shared/a/b", "", false, 3 },
		{ "$share/g/a", MQTT_RULE_NONE, "a", "g", false, 1 },
		{ "$share/g/a/+/c/#", MQTT_RULE_NONE, "a/+/c/#", "g", true, 4 },
		{ "$share/g//", MQTT_RULE_NONE, "/", "g", false, 2 },
		{ "$share/g/$share/h/a", MQTT_RULE_NONE, "$share/h/a", "g", false, 3 },
		{ "", MQTT_RULE_FILTER_EMPTY, NULL, NULL, false, 0 },
		{ "#/", MQTT_RULE_FILTER_HASH, NULL, NULL, false, 0 },
		{ "##", MQTT_RULE_FILTER_HASH, NULL, NULL, false, 0 },
		{ "a#", MQTT_RULE_FILTER_HASH, NULL, NULL, false, 0 },
		{ "sport/tennis#", MQTT_RULE_FILTER_HASH, NULL, NULL, false, 0 },
		{ "sport/tennis/#/ranking", MQTT_RULE_FILTER_HASH, NULL, NULL, false, 0 },
		{ "+#", MQTT_RULE_FILTER_HASH, NULL, NULL, false, 0 },
		{ "sport+", MQTT_RULE_FILTER_PLUS, NULL, NULL, false, 0 },
		{ "++", MQTT_RULE_FILTER_PLUS, NULL, NULL, false, 0 },
		{ "a/+b/c", MQTT_RULE_FILTER_PLUS, NULL, NULL, false, 0 },
		{ "$share/", MQTT_RULE_SHARE_NAME, NULL, NULL, false, 0 },
		{ "$share//a", MQTT_RULE_SHARE_NAME, NULL, NULL, false, 0 },
		{ "$share/g", MQTT_RULE_SHARE_FILTER, NULL, NULL, false, 0 },
		{ "$share/g/", MQTT_RULE_SHARE_FILTER, NULL, NULL, false, 0 },
		{ "$share/+/a", MQTT_RULE_SHARE_FILTER, NULL, NULL, false, 0 },
		{ "$share/g#/a", MQTT_RULE_SHARE_FILTER, NULL, NULL, false, 0 },
		{ "$share/g/a#", MQTT_RULE_FILTER_HASH, NULL, NULL, false, 0 },
		{ "1/2/3/4/5", MQTT_RULE_FILTER_LEVELS, NULL, NULL, false, 0 },
		{ "$share/g/1/2/3/4/#", MQTT_RULE_FILTER_LEVELS, NULL, NULL, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct mqtt_filter f;

		if (mqtt_topic_filter_parse(str_from(table[i].filter), 4, &f) != table[i].rule)
			fail_msg("'%s'", table[i].filter);
		assert_int_equal(mqtt_topic_filter_valid(str_from(table[i].filter), 4), table[i].rule == MQTT_RULE_NONE);
		if (table[i].rule)
			continue;
		assert_true(str_is(f.topic, table[i].topic));
		assert_true(str_is(f.group, table[i].group));
		assert_int_equal(f.wildcard, table[i].wildcard);
		assert_int_equal(f.levels, table[i].levels);
	}
	assert_false(mqtt_topic_filter_valid(str_make("a\0", 2), 0));
}

/* [MQTT-4.7.3-3] [MQTT311-4.7.3-3] */
static void mqtt_4_7_3_3_too_long(void **state)
{
	char *p = malloc(MQTT_STRING_MAX + 1);

	(void)state;
	memset(p, 'a', MQTT_STRING_MAX + 1);
	assert_true(mqtt_topic_name_valid(str_make(p, MQTT_STRING_MAX), 0));
	assert_true(mqtt_topic_filter_valid(str_make(p, MQTT_STRING_MAX), 0));
	assert_int_equal(mqtt_topic_name_check(str_make(p, MQTT_STRING_MAX + 1), 0), MQTT_RULE_TOPIC_LONG);
	assert_false(mqtt_topic_filter_valid(str_make(p, MQTT_STRING_MAX + 1), 0));
	free(p);
}

static void levels(void **state)
{
	struct str rest = STR("a//b/"), level;

	(void)state;
	assert_true(mqtt_topic_next_level(&rest, &level) && str_is(level, "a"));
	assert_true(mqtt_topic_next_level(&rest, &level) && str_is(level, ""));
	assert_true(mqtt_topic_next_level(&rest, &level) && str_is(level, "b"));
	assert_true(mqtt_topic_next_level(&rest, &level) && str_is(level, ""));
	assert_false(mqtt_topic_next_level(&rest, &level));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mqtt_4_7_matching),  cmocka_unit_test(mqtt_3_3_2_2_names),    cmocka_unit_test(every_byte_of_a_name),
		cmocka_unit_test(mqtt_4_7_1_filters), cmocka_unit_test(mqtt_4_7_3_3_too_long), cmocka_unit_test(levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
