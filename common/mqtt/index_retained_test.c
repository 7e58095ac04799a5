/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/mqtt/index_retained.h"

static struct index_retained *r;

static int set_up(void **state)
{
	(void)state;
	r = index_retained_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	index_retained_free(&r, NULL);
	return 0;
}

/* The value is its topic's text. */
static void set(const char *topic)
{
	void *old;

	assert_true(index_retained_set(r, str_from(topic), (void *)topic, &old));
	assert_null(old);
}

static void assert_reads(const char *filter, const char *expected)
{
	struct index_retained_cursor *c = index_retained_open(r, str_from(filter));
	struct buf out = { 0 };
	void *value;

	assert_non_null(c);
	while (!index_retained_done(c))
		if (index_retained_read(c, &value, 1, 1))
			buf_printf(&out, "[%s]", (const char *)value);
	index_retained_close(&c);
	buf_append_char(&out, '\0');
	assert_string_equal(buf_str(&out).p, expected);
	buf_fini(&out);
}

static void test_one_value_a_topic(void **state)
{
	char one[] = "1", two[] = "2";
	void *old;

	(void)state;
	assert_null(index_retained_get(r, STR("a/b")));
	assert_true(index_retained_set(r, STR("a/b"), one, &old));
	assert_null(old);
	assert_true(index_retained_set(r, STR("a/b"), two, &old));
	assert_ptr_equal(old, one);
	assert_int_equal(index_retained_count(r), 1);
	assert_ptr_equal(index_retained_get(r, STR("a/b")), two);
	assert_null(index_retained_get(r, STR("a")));
	assert_null(index_retained_remove(r, STR("a")));
	assert_null(index_retained_remove(r, STR("a/b/c")));
	assert_ptr_equal(index_retained_remove(r, STR("a/b")), two);
	assert_null(index_retained_remove(r, STR("a/b")));
	assert_int_equal(index_retained_count(r), 0);
}

static void test_finds_by_filter(void **state)
{
	(void)state;
	set("sport");
	set("sport/");
	set("sport/tennis");
	set("sport/tennis/player1");
	set("/finance");
	set("$SYS/uptime");
	set("a/$b");
	assert_reads("#", "[a/$b][/finance][sport][sport/tennis][sport/tennis/player1][sport/]");
	assert_reads("sport/#", "[sport][sport/tennis][sport/tennis/player1][sport/]");
	assert_reads("sport/+", "[sport/tennis][sport/]");
	assert_reads("sport/tennis", "[sport/tennis]");
	assert_reads("sport/tennis/+/#", "[sport/tennis/player1]");
	assert_reads("+", "[sport]");
	assert_reads("/+", "[/finance]");
	assert_reads("+/+", "[a/$b][/finance][sport/tennis][sport/]");
	assert_reads("+/uptime", "");
	assert_reads("$SYS/+", "[$SYS/uptime]");
	assert_reads("$SYS/#", "[$SYS/uptime]");
	assert_reads("nothing/#", "");
	assert_reads("sport/nothing", "");
}

static void test_refuses(void **state)
{
	static const char *const bad_topics[] = { "", "a/+", "#", "a#", "+a" };
	static const char *const bad_filters[] = { "", "a#", "#/a", "a/b+" };
	char many[INDEX_LEVELS_MAX + 1], value[] = "";
	void *old = value;

	(void)state;
	for (size_t i = 0; i < sizeof(bad_topics) / sizeof(*bad_topics); i++) {
		assert_false(index_retained_set(r, str_from(bad_topics[i]), value, &old));
		assert_null(old);
		assert_null(index_retained_get(r, str_from(bad_topics[i])));
		assert_null(index_retained_remove(r, str_from(bad_topics[i])));
	}
	for (size_t i = 0; i < sizeof(bad_filters) / sizeof(*bad_filters); i++)
		assert_null(index_retained_open(r, str_from(bad_filters[i])));
	memset(many, '/', INDEX_LEVELS_MAX);
	many[INDEX_LEVELS_MAX] = '\0';
	assert_false(index_retained_set(r, str_from(many), value, &old));
	assert_null(index_retained_open(r, str_from(many)));
	many[INDEX_LEVELS_MAX - 1] = '\0';
	set(many);
	assert_int_equal(index_retained_count(r), 1);
}

/* What a cursor stands on goes, with all around it; it finds its way on. */
static void test_cursor_outlives_its_topic(void **state)
{
	struct index_retained_cursor *c;
	void *values[4];

	(void)state;
	set("x/1");
	set("x/2");
	set("x/3");
	c = index_retained_open(r, STR("x/+"));
	assert_int_equal(index_retained_read(c, values, 1, 100), 1);
	assert_string_equal(values[0], "x/3");
	assert_non_null(index_retained_remove(r, STR("x/3")));
	assert_non_null(index_retained_remove(r, STR("x/2")));
	assert_null(index_retained_get(r, STR("x/3")));
	assert_int_equal(index_retained_count(r), 1);
	assert_int_equal(index_retained_read(c, values, 4, 100), 1);
	assert_string_equal(values[0], "x/1");
	assert_true(index_retained_done(c));
	index_retained_close(&c);
	/* Two on one topic, of which nothing is left. */
	c = index_retained_open(r, STR("#"));
	struct index_retained_cursor *second = index_retained_open(r, STR("x/1"));
	assert_int_equal(index_retained_read(c, values, 1, 100), 1);
	assert_int_equal(index_retained_read(second, values, 1, 100), 1);
	assert_non_null(index_retained_remove(r, STR("x/1")));
	index_retained_close(&c);
	assert_false(index_retained_done(second));
	assert_int_equal(index_retained_read(second, values, 1, 100), 0);
	assert_true(index_retained_done(second));
	index_retained_close(&second);
	assert_int_equal(index_retained_count(r), 0);
}

/* Many that do not match: each call does so many steps, and says that there is more. */
static void test_works_in_parts(void **state)
{
	static char topics[1000][16];
	struct index_retained_cursor *c;
	void *values[10];
	size_t calls = 0, found = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(topics[i], sizeof(topics[i]), "%d/%s", i, i == 500 ? "x" : "y");
		set(topics[i]);
	}
	c = index_retained_open(r, STR("+/x"));
	while (!index_retained_done(c)) {
		found += index_retained_read(c, values, 10, 10);
		calls++;
	}
	assert_int_equal(found, 1);
	assert_in_range(calls, 100, 102);
	index_retained_close(&c);
	c = index_retained_open(r, STR("#"));
	for (calls = found = 0; !index_retained_done(c); calls++)
		found += index_retained_read(c, values, 10, 1000);
	assert_int_equal(found, 1000);
	assert_in_range(calls, 100, 101);
	index_retained_close(&c);
}

static int freed;

static void on_value(void *value)
{
	assert_string_equal(value, "x");
	freed++;
}

static void test_free_gives_values_back(void **state)
{
	char value[] = "x";
	void *old;

	(void)state;
	assert_true(index_retained_set(r, STR("a/b"), value, &old));
	assert_true(index_retained_set(r, STR("a"), value, &old));
	assert_true(index_retained_set(r, STR("gone"), value, &old));
	assert_non_null(index_retained_remove(r, STR("gone")));
	index_retained_free(&r, on_value);
	assert_null(r);
	assert_int_equal(freed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_value_a_topic, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_finds_by_filter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cursor_outlives_its_topic, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_works_in_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_free_gives_values_back, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
