/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/mqtt-bridge/rules.h"

static const bool out_only[WAYS] = { true, false }, in_only[WAYS] = { false, true }, both[WAYS] = { true, true };

static void add(struct rules *r, const char *filter, const bool goes[WAYS], const char *local, const char *remote)
{
	assert_null(rules_add(r, str_from(filter), goes, 1, str_from(local), str_from(remote)));
}

static void expect(const struct rules *r, enum way way, const char *topic, const char *want)
{
	struct buf b = { 0 };

	assert_int_equal(rules_map(r, way, str_from(topic), &b), want != NULL);
	assert_true(str_is(buf_str(&b), want ? want : ""));
	buf_fini(&b);
}

static void test_map(void **state)
{
	struct rules r = { 0 };

	(void)state;
	add(&r, "sensors/#", out_only, "plant/", "");
	add(&r, "+/set", both, "", "site/a/");
	expect(&r, WAY_OUT, "plant/sensors/1/t", "sensors/1/t");
	expect(&r, WAY_OUT, "plant/sensors", "sensors");
	expect(&r, WAY_IN, "sensors/1/t", NULL);
	expect(&r, WAY_OUT, "sensors/1/t", NULL);
	expect(&r, WAY_OUT, "lamp/set", "site/a/lamp/set");
	expect(&r, WAY_IN, "site/a/lamp/set", "lamp/set");
	expect(&r, WAY_IN, "site/b/lamp/set", NULL);
	expect(&r, WAY_OUT, "$SYS/set", NULL);
	rules_fini(&r);
}

/* What a rule would make a name of that is none is not taken by it. */
static void test_map_to_nothing(void **state)
{
	struct rules r = { 0 };

	(void)state;
	add(&r, "#", both, "site/", "");
	expect(&r, WAY_OUT, "site", NULL);
	expect(&r, WAY_OUT, "site/", NULL);
	expect(&r, WAY_OUT, "site/x", "x");
	rules_fini(&r);
}

static void test_refused(void **state)
{
	static const char *const bad[][3] = {
		{ "", "", "" },      { "a/#/b", "", "" },      { "#", "a", "" },    { "#", "", "b" },
		{ "x", "a/+/", "" }, { "$share/g/x", "", "" }, { "x", "", "b/#/" }, { "x\xff", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct rules r = { 0 };

		assert_non_null(rules_add(&r, str_from(bad[i][0]), both, 1, str_from(bad[i][1]), str_from(bad[i][2])));
		rules_fini(&r);
	}
}

static void test_circle(void **state)
{
	static const struct {
		const char *out, *in;
		bool circle;
	} rows[] = {
		{ "a/#", "b/#", false }, { "a/#", "a/b", true }, { "a/+", "a", false },     { "a/#", "a", true },
		{ "#", "x/y", true },    { "+/b", "a/+", true }, { "+/b/c", "a/+", false }, { "a", "a", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct rules r = { 0 };

		add(&r, rows[i].out, out_only, "", "");
		assert_false(rules_circle(&r));
		add(&r, rows[i].in, in_only, "local/", "");
		assert_int_equal(rules_circle(&r), rows[i].circle);
		rules_fini(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_map_to_nothing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_circle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
