/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct mq_access_who romeo = { { "device-1", 8 }, { "romeo@example.org", 17 } };
static const struct mq_access_who nobody = { { "a/b", 3 }, { NULL, 0 } };

static bool may(const char *rules, enum mq_access_what what, const struct mq_access_who *who, const char *topic)
{
	struct err e = { { 0 } };
	struct mq_access *a = mq_access_parse(str_from(rules), &e);
	bool yes;

	if (!a)
		fail_msg("%s", e.text);
	yes = mq_access_allows(a, what, who, str_from(topic));
	mq_access_free(&a);
	return yes;
}

static void test_built_in(void **state)
{
	struct err e;
	struct mq_access *a = mq_access_load("", &e);

	(void)state;
	assert_non_null(a);
	assert_false(mq_access_allows(a, MQ_ACCESS_PUBLISH, &romeo, STR("$SYS/broker/version")));
	assert_true(mq_access_allows(a, MQ_ACCESS_SUBSCRIBE, &romeo, STR("$SYS/#")));
	assert_true(mq_access_allows(a, MQ_ACCESS_PUBLISH, &romeo, STR("a/b")));
	assert_true(mq_access_allows(a, MQ_ACCESS_SUBSCRIBE, &nobody, STR("#")));
	mq_access_free(&a);
}

static void test_publish(void **state)
{
	const char *rules = "# comment\n\nallow publish devices/%c/state\r\n\tallow publish home/%u/+\nallow publish all/# user romeo\n"
	                    "allow publish jid/# user romeo@example.org\nallow publish open anonymous\nallow publish known authenticated\n";

	(void)state;
	assert_true(may(rules, MQ_ACCESS_PUBLISH, &romeo, "devices/device-1/state"));
	assert_false(may(rules, MQ_ACCESS_PUBLISH, &romeo, "devices/device-2/state"));
	assert_false(may(rules, MQ_ACCESS_PUBLISH, &romeo, "devices/device-1/state/more"));
	assert_false(may(rules, MQ_ACCESS_SUBSCRIBE, &romeo, "devices/device-1/state"));
	assert_true(may(rules, MQ_ACCESS_PUBLISH, &romeo, "home/romeo/x"));
	assert_false(may(rules, MQ_ACCESS_PUBLISH, &romeo, "home/romeo"));
	assert_true(may(rules, MQ_ACCESS_PUBLISH, &romeo, "all"));
	assert_true(may(rules, MQ_ACCESS_PUBLISH, &romeo, "jid/x/y"));
	assert_true(may(rules, MQ_ACCESS_PUBLISH, &romeo, "known"));
	assert_false(may(rules, MQ_ACCESS_PUBLISH, &romeo, "open"));
	assert_true(may(rules, MQ_ACCESS_PUBLISH, &nobody, "open"));
	assert_false(may(rules, MQ_ACCESS_PUBLISH, &nobody, "known"));
	assert_false(may(rules, MQ_ACCESS_PUBLISH, &nobody, "all/x"));
	/* A name that is more than one level fits no level. */
	assert_false(may("allow all x/%c\n", MQ_ACCESS_PUBLISH, &nobody, "x/a/b"));
	assert_false(may("allow all x/%u\n", MQ_ACCESS_PUBLISH, &nobody, "x/"));
}

/* `allow` takes in all that is asked for, `deny` any of it. */
static void test_subscribe(void **state)
{
	const char *rules = "deny subscribe secret/#\nallow subscribe a/+/c\nallow subscribe b/#\nallow subscribe +/secret\n";
	static const struct {
		const char *filter;
		bool yes;
	} cases[] = { { "a/b/c", true },   { "a/+/c", true },     { "a/#", false },     { "a/+/+", false }, { "b", true },
		      { "b/#", true },     { "b/+/c/#", true },   { "#", false },       { "+/b", false },   { "+/secret", false },
		      { "secret", false }, { "secret/x", false }, { "x/secret", true }, { "+", false },     { "secret/#", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (may(rules, MQ_ACCESS_SUBSCRIBE, &romeo, cases[i].filter) != cases[i].yes)
			fail_msg("%s", cases[i].filter);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "allow publish", "line 1: a rule is" },
		{ "\n\npermit publish a", "line 3: the first word" },
		{ "allow read a", "line 1: the second word" },
		{ "allow all a/#/b", "line 1: the third word" },
		{ "allow all a+", "line 1: the third word" },
		{ "allow all $share/g/a", "line 1: a rule is for the filter" },
		{ "allow all a somebody", "line 1: the fourth word" },
		{ "allow all a user", "line 1: a name follows" },
		{ "allow all a anonymous romeo", "line 1: a name follows" },
		{ "allow all a user romeo juliet", "line 1: a rule is" },
		{ "allow all a\xff", "line 1: not UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct err e = { { 0 } };

		assert_null(mq_access_parse(str_from(cases[i].text), &e));
		if (strncmp(e.text, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("'%s' instead of '%s'", e.text, cases[i].why);
	}
}

/* What no rule for it fits may be received. */
static void test_receive(void **state)
{
	const char *rules = "allow all #\nallow receive a/%u/#\ndeny receive a/# authenticated\ndeny receive b\n";
	struct err e;
	struct mq_access *a = mq_access_parse(STR("allow all #\ndeny subscribe b\n"), &e);

	(void)state;
	assert_false(mq_access_receives(a));
	mq_access_free(&a);
	a = mq_access_parse(str_from(rules), &e);
	assert_true(mq_access_receives(a));
	mq_access_free(&a);
	assert_true(may(rules, MQ_ACCESS_RECEIVE, &romeo, "a/romeo/x"));
	assert_false(may(rules, MQ_ACCESS_RECEIVE, &romeo, "a/juliet/x"));
	assert_true(may(rules, MQ_ACCESS_RECEIVE, &nobody, "a/juliet/x"));
	assert_false(may(rules, MQ_ACCESS_RECEIVE, &nobody, "b"));
	assert_true(may(rules, MQ_ACCESS_RECEIVE, &romeo, "c"));
	assert_true(may(rules, MQ_ACCESS_SUBSCRIBE, &romeo, "b"));
	assert_true(may(rules, MQ_ACCESS_PUBLISH, &romeo, "a/juliet/x"));
}

static void test_no_file(void **state)
{
	struct err e;

	(void)state;
	assert_null(mq_access_load("/nonexistent/rules", &e));
	assert_non_null(strstr(e.text, "No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_built_in), cmocka_unit_test(test_publish), cmocka_unit_test(test_subscribe),
		cmocka_unit_test(test_refused),  cmocka_unit_test(test_receive), cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
