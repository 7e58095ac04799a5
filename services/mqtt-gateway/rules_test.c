/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/mqtt/mqtt_topic.h"
#include "services/mqtt-gateway/rules.h"

static char *hosts[] = { (char *)"example.org", (char *)"second.example" };
static const struct config_list host_list = { hosts, 2 };

static struct rules *parse(const char *text, struct err *e)
{
	return rules_parse(str_from(text), &host_list, e);
}

static const char file[] = "# between topics and users\n"
                           "\n"
                           "to-user alarms\r\n"
                           "\ttopic alarms/+/+ fire/+/#\n"
                           "\tto $1@example.org guard@second.example\n"
                           "\tfrom Alarm\n"
                           "\tbody \"$2:\\t\"\n"
                           "to-user json\n"
                           "  topic j\n"
                           "  to romeo@example.org\n"
                           "  body json:a.b\n"
                           "  subject \"An \\\"alarm\\\"\\n\"\n"
                           "  type headline\n"
                           "  qos 0\n"
                           "to-topic lamp\n"
                           "  users Juliet@Example.ORG @second.example\n"
                           "  topic homes/$user/lamp\n"
                           "  payload json\n"
                           "  retain yes\n"
                           "to-topic other-lamp\n"
                           "  name lamp\n"
                           "  users romeo@example.org\n"
                           "  topic $$SYS/x\n"
                           "  qos 0\n"
                           "to-topic alarm\n"
                           "  users nurse@example.org\n"
                           "  topic x\n";

static struct rules *good(void)
{
	struct err e = { "" };
	char text[sizeof(file)];
	struct rules *r;

	/* There is no \t in quotes: a blank does. */
	memcpy(text, file, sizeof(file));
	memcpy(strstr(text, "\\t"), "  ", 2);
	r = parse(text, &e);
	assert_string_equal(e.text, "");
	assert_non_null(r);
	return r;
}

static void test_all_words(void **state)
{
	struct rules *r = good();
	const struct rule *it = r->items;

	(void)state;
	assert_int_equal(r->count, 5);
	assert_int_equal(it[0].kind, RULE_TO_USER);
	assert_string_equal(it[0].name, "alarms");
	assert_string_equal(it[0].address, "alarm");
	assert_int_equal(it[0].topic_count, 2);
	assert_int_equal(it[0].to_count, 2);
	assert_string_equal(it[0].to[1].domain, "second.example");
	assert_int_equal(it[0].type, STANZA_TYPE_CHAT);
	assert_int_equal(it[0].qos, 1);
	assert_string_equal(it[1].address, "json");
	assert_int_equal(it[1].type, STANZA_TYPE_HEADLINE);
	assert_int_equal(it[1].qos, 0);
	assert_int_equal(it[1].body.pieces[0].kind, PIECE_JSON);
	assert_string_equal(it[1].subject.pieces[0].text, "An \"alarm\"\n");
	assert_string_equal(it[2].users[0], "juliet@example.org");
	assert_string_equal(it[2].users[1], "@second.example");
	assert_true(it[2].json && it[2].retain);
	assert_string_equal(it[3].address, "lamp");
	assert_false(it[3].json || it[3].retain);
	rules_free(&r);
}

static void test_topics(void **state)
{
	struct rules *r = good();
	struct str filter;

	(void)state;
	assert_ptr_equal(rules_for_topic(r, STR("alarms/a/b"), &filter), &r->items[0]);
	assert_true(str_is(filter, "alarms/+/+"));
	assert_ptr_equal(rules_for_topic(r, STR("fire/here"), &filter), &r->items[0]);
	assert_true(str_is(filter, "fire/+/#"));
	assert_ptr_equal(rules_for_topic(r, STR("j"), &filter), &r->items[1]);
	assert_null(rules_for_topic(r, STR("alarms/a"), &filter));
	assert_null(rules_for_topic(r, STR("homes/juliet/lamp"), &filter));
	rules_free(&r);
}

static void test_captures(void **state)
{
	static const struct {
		const char *filter, *name, *want[3];
	} rows[] = {
		{ "a/+/+", "a/b/c", { "b", "c", "" } }, { "a/+/x/#", "a/b/x/c/d", { "b", "c/d", "" } },
		{ "#", "a/b", { "a/b", "", "" } },      { "a/#", "a", { "", "", "" } },
		{ "+/b/+", "/b/", { "", "", "" } },     { "+/+/+", "x//z", { "x", "", "z" } },
		{ "a/b", "a/b", { "", "", "" } },       { "+/#", "a/", { "a", "", "" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct str got[TEMPLATE_LEVELS] = { 0 };

		assert_true(mqtt_topic_matches(str_from(rows[i].filter), str_from(rows[i].name)));
		rules_captures(str_from(rows[i].filter), str_from(rows[i].name), got);
		for (size_t k = 0; k < 3; k++)
			assert_true(str_is(got[k], rows[i].want[k]));
	}
}

static void test_who_may(void **state)
{
	static const struct {
		const char *name, *from;
		enum rules_verdict want;
		int rule;
		bool visible;
	} rows[] = {
		{ "lamp", "juliet@example.org", RULES_OK, 2, true },
		{ "lamp", "romeo@example.org", RULES_OK, 3, true },
		{ "lamp", "anybody@second.example", RULES_OK, 2, true },
		{ "lamp", "nurse@example.org", RULES_FORBIDDEN, 0, false },
		{ "lamp", "juliet@evil.example", RULES_FORBIDDEN, 0, false },
		{ "lamp", "second.example", RULES_FORBIDDEN, 0, false },
		{ "lamps", "juliet@example.org", RULES_UNKNOWN, 0, false },
		{ "", "juliet@example.org", RULES_UNKNOWN, 0, false },
		{ "json", "juliet@example.org", RULES_SILENT, 0, true },
		{ "json", "juliet@second.example", RULES_SILENT, 0, false },
		/* It writes to all, and reads what one of them writes. */
		{ "alarm", "juliet@example.org", RULES_FORBIDDEN, 0, true },
		{ "alarm", "nurse@example.org", RULES_OK, 4, true },
		{ "alarm", "juliet@evil.example", RULES_FORBIDDEN, 0, false },
	};
	struct rules *r = good();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct rule *rule = NULL;

		assert_int_equal(rules_for_name(r, str_from(rows[i].name), str_from(rows[i].from), &rule), rows[i].want);
		if (rows[i].want == RULES_OK)
			assert_ptr_equal(rule, &r->items[rows[i].rule]);
		assert_int_equal(rules_visible(r, str_from(rows[i].name), str_from(rows[i].from)), rows[i].visible);
	}
	assert_ptr_equal(rules_by_address(r, RULE_TO_USER, STR("alarm")), &r->items[0]);
	assert_null(rules_by_address(r, RULE_TO_USER, STR("lamp")));
	rules_free(&r);
}

#define USER  "to-user a\ntopic t/+\nto x@example.org\n"
#define TOPIC "to-topic a\nusers x@example.org\ntopic t\n"

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "", "there is no rule in it" },
		{ "topic x\n", "line 1: the first line is to-user NAME or to-topic NAME" },
		{ "to-user\n", "line 1: a rule's name is wanted" },
		{ "to-user a b\n", "line 1: a rule's name is wanted" },
		{ "to-topic a/b\n", "line 1: a rule's name is wanted" },
		{ "to-user a\nto x@example.org\n", "rule a has no topic" },
		{ "to-user a\ntopic x\n", "rule a has no to" },
		{ "to-topic a\ntopic x\n", "rule a has no users" },
		{ "to-topic a\nusers @example.org\n", "rule a has no topic" },
		{ USER "to-topic a\n", "line 4: a rule of this name was there before" },
		{ USER "name x\n", "line 4: unknown word 'name' in a rule of this kind" },
		{ TOPIC "body x\n", "line 4: unknown word 'body' in a rule of this kind" },
		{ USER "topic\n", "line 4: topic FILTER ..." },
		{ USER "topic a/#/b\n", "line 4: that is no topic filter" },
		{ USER "topic $share/g/a\n", "line 4: a shared subscription" },
		{ USER "to x\n", "line 4: to needs LOCALPART@DOMAIN" },
		{ USER "to @example.org\n", "line 4: to needs LOCALPART@DOMAIN" },
		{ USER "to x@\n", "line 4: to needs LOCALPART@DOMAIN" },
		/* Not to other servers, and not to where a device says. */
		{ USER "to x@example.net\n", "line 4: to needs an account of this server" },
		{ USER "to x@$1\n", "line 4: to needs an account of this server" },
		{ USER "to x@example.org/r\n", "line 4: to needs an account of this server" },
		{ USER "to a:b@example.org\n", "line 4: to needs an address that is valid" },
		{ USER "to a@b@example.org\n", "line 4: to needs an address that is valid" },
		{ USER "to $x@example.org\n", "line 4: a dollar" },
		{ USER "from a/b\n", "line 4: that is no localpart" },
		{ USER "from \"\"\n", "line 4: that is no localpart" },
		{ USER "body a b\n", "line 4: body payload" },
		{ USER "body $user\n", "line 4: a dollar" },
		{ USER "body json:\n", NULL },
		{ USER "body json:a..b\n", "line 4: ${...} needs the name" },
		{ USER "body \"a\n", "line 4: a quote without its end" },
		{ USER "body \"a\"b\n", "line 4: a blank is wanted behind a quote" },
		{ USER "body \"\\x\"\n", "line 4: in quotes a backslash" },
		{ USER "body \"\\\n", "line 4: in quotes a backslash" },
		{ USER "body $2\n", "rule a has $2, and t/+ has not so many wildcards" },
		{ USER "type groupchat\n", "line 4: the type is chat, normal or headline" },
		{ USER "qos 2\n", "line 4: the QoS is 0 or 1" },
		{ TOPIC "qos x\n", "line 4: the QoS is 0 or 1" },
		{ TOPIC "users x\n", "line 4: a user is LOCALPART@DOMAIN" },
		{ TOPIC "users x@example.org/r\n", "line 4: a user is LOCALPART@DOMAIN" },
		{ TOPIC "users @\n", "line 4: a user is LOCALPART@DOMAIN" },
		{ TOPIC "users @x@example.org\n", "line 4: a user is LOCALPART@DOMAIN" },
		{ TOPIC "topic a/+\n", "line 4: topic needs the name of a topic" },
		{ TOPIC "topic $payload\n", "line 4: a dollar" },
		{ TOPIC "payload xml\n", "line 4: the payload is body or json" },
		{ TOPIC "retain 1\n", "line 4: retain is yes or no" },
		{ USER "body \xff\n", "line 4: not UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = { "" };
		struct rules *r = parse(rows[i][0], &e);

		/* A row without a text is taken. */
		if (!rows[i][1]) {
			assert_non_null(r);
			rules_free(&r);
			continue;
		}
		assert_null(r);
		if (strncmp(e.text, rows[i][1], strlen(rows[i][1])) != 0)
			assert_string_equal(e.text, rows[i][1]);
	}
}

static void test_limits(void **state)
{
	struct buf text = { 0 };
	struct err e = { "" };
	struct rules *r;

	(void)state;
	for (unsigned i = 0; i <= RULES_MAX; i++)
		buf_printf(&text, "to-topic r%u\nusers @example.org\ntopic t\n", i);
	assert_null(rules_parse(buf_str(&text), &host_list, &e));
	assert_string_equal(e.text, "line 769: too many rules");
	buf_clear(&text);
	buf_append_cstr(&text, USER);
	for (unsigned i = 0; i < RULE_TO_MAX; i++)
		buf_append_cstr(&text, "to y@example.org\n");
	assert_null(rules_parse(buf_str(&text), &host_list, &e));
	assert_string_equal(e.text, "line 11: too many recipients");
	buf_clear(&text);
	buf_append_cstr(&text, TOPIC "users");
	for (unsigned i = 0; i <= RULE_USERS_MAX; i++)
		buf_append_cstr(&text, " @example.org");
	assert_null(rules_parse(buf_str(&text), &host_list, &e));
	assert_string_equal(e.text, "line 4: too many words");
	buf_fini(&text);
	assert_null(rules_load("/nonexistent/rules", &host_list, &e));
	assert_string_equal(e.text, "services.mqtt-gateway: /nonexistent/rules: No such file or directory");
	r = rules_load("/dev/null", &host_list, &e);
	assert_null(r);
	assert_string_equal(e.text, "/dev/null: there is no rule in it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_words), cmocka_unit_test(test_topics),  cmocka_unit_test(test_captures),
		cmocka_unit_test(test_who_may),   cmocka_unit_test(test_refused), cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
