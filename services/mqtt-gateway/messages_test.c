/* SPDX-License-Identifier: Apache-2.0
 *
 * to_user and to_topic: what becomes of a PUBLISH, and of a stanza. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "services/mqtt-gateway/to_topic.h"
#include "services/mqtt-gateway/to_user.h"

static char *hosts[] = { (char *)"example.org" };
static const struct config_list host_list = { hosts, 1 };

static struct rules *parse(const char *text)
{
	struct err e = { "" };
	struct rules *r = rules_parse(str_from(text), &host_list, &e);

	assert_string_equal(e.text, "");
	return r;
}

/* --- to users ------------------------------------------------------------------------------------------------------ */

static enum to_user_result make(const struct rules *rules, const char *topic, struct str payload, struct to_user *out)
{
	struct mqtt_publish p = { .qos = 1, .packet_id = 7, .topic = str_from(topic), .payload = payload };
	struct str filter;
	struct rule *r = rules_for_topic(rules, p.topic, &filter);

	assert_non_null(r);
	return to_user_make(r, filter, &p, 64, out);
}

/* What stands between <body> and </body>. */
static void body_is(const struct to_user *m, const char *want)
{
	struct str s = buf_str(&m->bytes);
	const char *from = memmem(s.p, s.n, "<body>", 6), *to = memmem(s.p, s.n, "</body>", 7);

	assert_non_null(from);
	assert_non_null(to);
	assert_int_equal(to - from - 6, strlen(want));
	assert_memory_equal(from + 6, want, strlen(want));
}

static void test_stanza(void **state)
{
	struct rules *rules =
	        parse("to-user a\ntopic alarms/+/+\nto $1@example.org guard@example.org\nsubject $2\nbody \"$topic: $payload\"\n"
	              "to-user b\ntopic j\nto ${to}@example.org\nbody json:text\ntype normal\n");
	struct to_user m = { 0 };

	(void)state;
	assert_int_equal(make(rules, "alarms/Juliet/<door>", STR("it's & open"), &m), TO_USER_OK);
	assert_int_equal(m.to_count, 2);
	assert_string_equal(m.to[0].text, "juliet@example.org");
	assert_string_equal(m.to[1].text, "guard@example.org");
	assert_int_equal(m.flags, STANZA_BODY | STANZA_SUBJECT);
	assert_int_equal(m.key_number, 7);
	buf_append_char(&m.bytes, '\0');
	assert_non_null(
	        strstr(m.bytes.p,
	               " type='chat'><subject>&lt;door&gt;</subject><body>alarms/Juliet/&lt;door&gt;: it's &amp; open</body></message>"));
	assert_memory_equal(m.bytes.p, "<message id='", 13);
	assert_memory_equal(m.bytes.p + 13, m.id, strlen(m.id));
	assert_int_equal(make(rules, "j", STR("{\"to\":\"romeo\",\"text\":\"caf\\u00e9\"}"), &m), TO_USER_OK);
	assert_string_equal(m.to[0].text, "romeo@example.org");
	body_is(&m, "caf\xc3\xa9");
	assert_null(memmem(m.bytes.p, m.bytes.n, "type=", 5));
	to_user_fini(&m);
	rules_free(&rules);
}

/* The name of a message: the same when it comes again, another for anything else. */
static void test_key(void **state)
{
	struct rules *rules = parse("to-user a\ntopic #\nto x@example.org\n");
	struct mqtt_publish p = { .qos = 1, .packet_id = 7, .topic = STR("a"), .payload = STR("bc") };
	struct to_user m = { 0 }, n = { 0 };

	(void)state;
	assert_int_equal(to_user_make(&rules->items[0], STR("#"), &p, 64, &m), TO_USER_OK);
	p.dup = true;
	assert_int_equal(to_user_make(&rules->items[0], STR("#"), &p, 64, &n), TO_USER_OK);
	assert_true(m.key_stream == n.key_stream && m.key_number == n.key_number && m.key_stream != 0);
	assert_string_equal(m.id, n.id);
	p.topic = STR("ab");
	p.payload = STR("c");
	assert_int_equal(to_user_make(&rules->items[0], STR("#"), &p, 64, &n), TO_USER_OK);
	assert_true(m.key_stream != n.key_stream);
	p = (struct mqtt_publish){ .qos = 1, .packet_id = 8, .topic = STR("a"), .payload = STR("bc") };
	assert_int_equal(to_user_make(&rules->items[0], STR("#"), &p, 64, &n), TO_USER_OK);
	assert_true(m.key_stream == n.key_stream && m.key_number != n.key_number);
	p.qos = 0;
	p.packet_id = 0;
	assert_int_equal(to_user_make(&rules->items[0], STR("#"), &p, 64, &n), TO_USER_OK);
	assert_true(n.key_stream == 0 && n.key_number == 0);
	to_user_fini(&m);
	to_user_fini(&n);
	rules_free(&rules);
}

static void test_payloads(void **state)
{
	static const struct {
		const char *payload;
		size_t n;
		enum to_user_result want;
		const char *body;
	} rows[] = {
		{ "plain", 5, TO_USER_OK, "plain" },
		{ "", 0, TO_USER_EMPTY, NULL },
		{ " \r\n\t", 4, TO_USER_EMPTY, NULL },
		{ "a\0b\x1b", 4, TO_USER_OK,
		  "a\xEF\xBF\xBD"
		  "b\xEF\xBF\xBD" },
		{ "\xff\xc3", 2, TO_USER_OK, "\xEF\xBF\xBD\xEF\xBF\xBD" },
		{ "\xed\xa0\x80", 3, TO_USER_OK, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
		{ "\xef\xbf\xbf", 3, TO_USER_OK, "\xEF\xBF\xBD" },
		{ "</body>", 7, TO_USER_OK, "&lt;/body&gt;" },
		{ "1234567890123456789012345678901234567890123456789012345678901234", 64, TO_USER_OK,
		  "1234567890123456789012345678901234567890123456789012345678901234" },
		{ "12345678901234567890123456789012345678901234567890123456789012345", 65, TO_USER_SIZE, NULL },
	};
	struct rules *rules = parse("to-user a\ntopic #\nto x@example.org\nbody payload\n"),
	             *json = parse("to-user a\ntopic #\nto x@example.org\nbody ${t}\n");
	struct to_user m = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(make(rules, "t", str_make(rows[i].payload, rows[i].n), &m), rows[i].want);
		if (rows[i].body)
			body_is(&m, rows[i].body);
	}
	assert_int_equal(make(json, "t", STR("no json"), &m), TO_USER_PAYLOAD);
	assert_int_equal(make(json, "t", STR("{\"u\":1}"), &m), TO_USER_PAYLOAD);
	assert_int_equal(make(json, "t", STR("{\"t\":\"\"}"), &m), TO_USER_EMPTY);
	assert_int_equal(make(json, "t", STR("{\"t\":1}"), &m), TO_USER_OK);
	to_user_fini(&m);
	rules_free(&rules);
	rules_free(&json);
}

/* A device does not choose a domain, a resource or somebody who is not meant. */
static void test_addresses(void **state)
{
	static const char *const bad[] = { "romeo@evil.example",
		                           "romeo/balcony",
		                           "@evil.example",
		                           "a@evil.example/x",
		                           "",
		                           " ",
		                           "a b",
		                           "a\"b",
		                           "a'b",
		                           "<a>",
		                           "a:b",
		                           "a&b" };
	struct rules *one = parse("to-user a\ntopic #\nto $1@example.org\n"),
	             *two = parse("to-user a\ntopic #\nto ${to}@example.org x@example.org\nbody x\n");
	struct to_user m = { 0 };
	struct mqtt_publish p = { .qos = 1, .packet_id = 1, .payload = STR("x") };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		p.topic = str_from(bad[i]);
		assert_int_equal(to_user_make(&one->items[0], STR("#"), &p, 64, &m), TO_USER_ADDRESS);
	}
	/* The others of a rule still get it. */
	p.topic = STR("t");
	p.payload = STR("{\"to\":\"romeo@evil.example/\"}");
	assert_int_equal(to_user_make(&two->items[0], STR("#"), &p, 64, &m), TO_USER_OK);
	assert_int_equal(m.to_count, 1);
	assert_string_equal(m.to[0].text, "x@example.org");
	to_user_fini(&m);
	rules_free(&one);
	rules_free(&two);
}

/* --- to topics ----------------------------------------------------------------------------------------------------- */

static void test_to_topic(void **state)
{
	static const char fixed[] = "to-topic a\nname lamp\nusers @example.org\ntopic homes/$user/$name\npayload ";
	static const struct {
		const char *rule, *from, *stanza;
		enum to_topic_result want;
		const char *topic, *payload;
	} rows[] = {
		{ "body\n", "juliet@example.org", "<message><body>on &amp; off</body></message>", TO_TOPIC_OK, "homes/juliet/lamp",
		  "on & off" },
		{ "json\n", "juliet@example.org", "<message id='1'><body xml:lang='it'>a\"\\\n\xc3\xa9</body></message>", TO_TOPIC_OK,
		  "homes/juliet/lamp", "{\"from\":\"juliet@example.org\",\"id\":\"i'1\",\"body\":\"a\\\"\\\\\\u000a\xc3\xa9\"}" },
		{ "body\n", "juliet@example.org", "<message><body/></message>", TO_TOPIC_EMPTY, NULL, NULL },
		{ "body\n", "juliet@example.org", "<message><body xmlns='x'>a</body></message>", TO_TOPIC_EMPTY, NULL, NULL },
		{ "body\n", "juliet@example.org", "<message><body>12345678901234567</body></message>", TO_TOPIC_SIZE, NULL, NULL },
		{ "body\n", "a+b@example.org", "<message><body>x</body></message>", TO_TOPIC_NAME, NULL, NULL },
		{ "body\n", "#@example.org", "<message><body>x</body></message>", TO_TOPIC_NAME, NULL, NULL },
		{ "body\ntopic $user/x\n", "$sys@example.org", "<message><body>x</body></message>", TO_TOPIC_NAME, NULL, NULL },
		{ "body\ntopic $$SYS/$domain\n", "a+b@example.org", "<message><body>x</body></message>", TO_TOPIC_OK, "$SYS/example.org",
		  "x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf text = { 0 }, topic = { 0 }, payload = { 0 };
		struct arena *arena = arena_new(0);
		struct rules *rules;

		buf_printf(&text, "%s%s", fixed, rows[i].rule);
		buf_append_char(&text, '\0');
		rules = parse(text.p);
		assert_int_equal(to_topic_make(&rules->items[0], str_from(rows[i].stanza), str_from(rows[i].from), STR("i'1"), 16, arena,
		                               &topic, &payload),
		                 rows[i].want);
		if (rows[i].topic) {
			assert_true(str_is(buf_str(&topic), rows[i].topic));
			assert_true(str_is(buf_str(&payload), rows[i].payload));
		}
		rules_free(&rules);
		arena_free(&arena);
		buf_fini(&text);
		buf_fini(&topic);
		buf_fini(&payload);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stanza),    cmocka_unit_test(test_key),      cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_to_topic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
