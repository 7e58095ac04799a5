/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/mqtt/index_subs.h"

#define NO_SHARE STR("")

/* A subscriber with a name of one character. */
struct client {
	struct index_subscriber sub;
	char name;
};

static struct index_subs *subs;
static struct client a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };
static const struct index_subscription plain = { .qos = 1 };

static int set_up(void **state)
{
	(void)state;
	subs = index_subs_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	index_subs_free(&subs);
	return a.sub.count || b.sub.count || c.sub.count;
}

static enum index_subs_change add(struct client *who, const char *filter)
{
	return index_subs_add(subs, &who->sub, NO_SHARE, str_from(filter), &plain);
}

static enum index_subs_change drop(struct client *who, const char *filter)
{
	return index_subs_remove(subs, &who->sub, NO_SHARE, str_from(filter));
}

static enum index_subs_change join(struct client *who, const char *share, const char *filter)
{
	return index_subs_add(subs, &who->sub, str_from(share), str_from(filter), &plain);
}

/* What came of a match: names of clients, and of share groups with their members: "ab(g:bc)". */
static void on_subscription(void *ctx, const struct index_subscription *s)
{
	buf_append_char(ctx, ((const struct client *)s->who)->name);
}

static void on_share(void *ctx, struct index_share *share)
{
	buf_printf(ctx, "(%.*s:", STR_ARG(share->name));
	for (uint32_t i = 0; i < share->count; i++)
		if (share->members[i].who)
			on_subscription(ctx, &share->members[i]);
	buf_append_char(ctx, ')');
}

static const struct index_subs_visitor visitor = { on_subscription, on_share };

static void assert_match(const char *topic, const char *expected)
{
	struct buf out = { 0 };

	assert_true(index_subs_match(subs, str_from(topic), &visitor, &out));
	buf_append_char(&out, '\0');
	assert_string_equal(buf_str(&out).p, expected);
	buf_fini(&out);
}

/* --- section 4.7 -------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *filter, *topic;
	bool matches;
} examples[] = {
	/* 4.7.1.2 */
	{ "sport/tennis/player1/#", "sport/tennis/player1", true },
	{ "sport/tennis/player1/#", "sport/tennis/player1/ranking", true },
	{ "sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true },
	{ "sport/tennis/player1/#", "sport/tennis/player2", false },
	{ "sport/#", "sport", true },
	{ "#", "sport/tennis", true },
	{ "#", "/", true },
	/* 4.7.1.3 */
	{ "sport/tennis/+", "sport/tennis/player1", true },
	{ "sport/tennis/+", "sport/tennis/player2", true },
	{ "sport/tennis/+", "sport/tennis/player1/ranking", false },
	{ "sport/+", "sport", false },
	{ "sport/+", "sport/", true },
	{ "+", "sport", true },
	{ "+/tennis/#", "sport/tennis", true },
	{ "+/tennis/#", "sport/tennis/player1/ranking", true },
	{ "sport/+/player1", "sport/tennis/player1", true },
	{ "sport/+/player1", "sport/player1", false },
	{ "+/+", "/finance", true },
	{ "/+", "/finance", true },
	{ "+", "/finance", false },
	/* 4.7.2 */
	{ "#", "$SYS/monitor/Clients", false },
	{ "+/monitor/Clients", "$SYS/monitor/Clients", false },
	{ "$SYS/#", "$SYS/monitor/Clients", true },
	{ "$SYS/monitor/+", "$SYS/monitor/Clients", true },
	{ "a/#", "a/$SYS", true },
	{ "a/+", "a/$SYS", true },
	/* 4.7.3 */
	{ "ACCOUNTS", "Accounts", false },
	{ "Accounts payable", "Accounts payable", true },
	{ "finance", "/finance", false },
	{ "finance/", "finance", false },
	{ "a//b", "a//b", true },
	{ "a//b", "a/b", false },
	{ "a/+/b", "a//b", true },
	{ "+/+/#", "//", true },
	{ "+/+/#", "/", true },
	{ "+/+/#", "a", false },
};

/* [MQTT-3.3.2-3] [MQTT-4.7.2-1] [MQTT311-3.3.2-3] [MQTT311-3.8.3-2] [MQTT311-4.7.2-1] */
static void test_examples_of_section_4_7(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		assert_int_equal(add(&a, examples[i].filter), INDEX_SUBS_FIRST);
		assert_match(examples[i].topic, examples[i].matches ? "a" : "");
		assert_int_equal(drop(&a, examples[i].filter), INDEX_SUBS_LAST);
		assert_match(examples[i].topic, "");
	}
}

static void test_refuses_what_is_no_filter(void **state)
{
	static const char *const bad[] = { "",    "sport/tennis#", "sport/tennis/#/ranking", "sport+", "a/+b/c", "a/b+", "##", "++", "#/",
		                           "#/a", "a/#/#" };
	static const char *const bad_shares[] = { "a/b", "+", "#", "a+", "/" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(add(&a, bad[i]), INDEX_SUBS_REFUSED);
		assert_int_equal(drop(&a, bad[i]), INDEX_SUBS_REFUSED);
		assert_int_equal(join(&a, "group", bad[i]), INDEX_SUBS_REFUSED);
	}
	for (size_t i = 0; i < sizeof(bad_shares) / sizeof(*bad_shares); i++) {
		assert_int_equal(join(&a, bad_shares[i], "x"), INDEX_SUBS_REFUSED);
		assert_int_equal(index_subs_remove(subs, &a.sub, str_from(bad_shares[i]), STR("x")), INDEX_SUBS_REFUSED);
	}
	/* Nor what is longer than any string of the protocol, in the filter or in the share name. */
	static char text[UINT16_MAX + 1];
	memset(text, 'x', sizeof(text));
	struct str too_long = str_make(text, sizeof(text)), longest = str_make(text, UINT16_MAX);
	assert_int_equal(index_subs_add(subs, &a.sub, NO_SHARE, too_long, &plain), INDEX_SUBS_REFUSED);
	assert_int_equal(index_subs_add(subs, &a.sub, too_long, STR("x"), &plain), INDEX_SUBS_REFUSED);
	assert_int_equal(index_subs_add(subs, &a.sub, longest, longest, &plain), INDEX_SUBS_FIRST);
	assert_int_equal(index_subs_remove(subs, &a.sub, longest, longest), INDEX_SUBS_LAST);
	assert_int_equal(index_subs_count(subs), 0);
	assert_int_equal(index_subs_nodes(subs), 0);
	assert_false(index_subs_match(subs, STR(""), &visitor, NULL));
}

static void test_limits_levels(void **state)
{
	char text[2 * INDEX_LEVELS_MAX + 2];

	(void)state;
	memset(text, '/', sizeof(text));
	/* Empty levels, one more than slashes. */
	text[INDEX_LEVELS_MAX - 1] = '\0';
	assert_int_equal(add(&a, text), INDEX_SUBS_FIRST);
	assert_match(text, "a");
	text[INDEX_LEVELS_MAX - 1] = '/';
	text[INDEX_LEVELS_MAX] = '\0';
	assert_int_equal(add(&a, text), INDEX_SUBS_REFUSED);
	assert_false(index_subs_match(subs, str_from(text), &visitor, NULL));
	/* Plus everywhere, and a group behind it. */
	for (size_t i = 0; i < INDEX_LEVELS_MAX; i++)
		memcpy(text + 2 * i, "+/", 2);
	text[2 * INDEX_LEVELS_MAX - 1] = '\0';
	assert_int_equal(join(&b, "g", text), INDEX_SUBS_FIRST);
	memset(text, '/', INDEX_LEVELS_MAX - 1);
	text[INDEX_LEVELS_MAX - 1] = '\0';
	assert_match(text, "a(g:b)");
	index_subs_remove_all(subs, &a.sub, NULL, NULL);
	index_subs_remove_all(subs, &b.sub, NULL, NULL);
}

/* --- subscriptions ------------------------------------------------------------------------------------------------------ */

static void on_options(void *ctx, const struct index_subscription *s)
{
	*(struct index_subscription *)ctx = *s;
}

static void test_says_what_changed(void **state)
{
	static const struct index_subs_visitor see = { on_options, NULL };
	static const struct index_subscription options = { .identifier = 268435455, .qos = 2, .no_local = 1, .retain_as_published = 1 };
	struct index_subscription seen = { 0 };

	(void)state;
	assert_int_equal(drop(&a, "x/+"), INDEX_SUBS_NONE);
	assert_int_equal(add(&a, "x/+"), INDEX_SUBS_FIRST);
	assert_int_equal(add(&b, "x/+"), INDEX_SUBS_ADDED);
	assert_int_equal(index_subs_add(subs, &b.sub, NO_SHARE, STR("x/+"), &options), INDEX_SUBS_REPLACED);
	assert_int_equal(index_subs_count(subs), 2);
	assert_int_equal(index_subs_filters(subs), 1);
	assert_int_equal(drop(&c, "x/+"), INDEX_SUBS_NONE);
	assert_int_equal(drop(&a, "x"), INDEX_SUBS_NONE);
	assert_int_equal(drop(&a, "x/+"), INDEX_SUBS_REMOVED);
	assert_true(index_subs_match(subs, STR("x/y"), &see, &seen));
	assert_ptr_equal(seen.who, &b.sub);
	assert_int_equal(seen.identifier, 268435455);
	assert_int_equal(seen.qos, 2);
	assert_true(seen.no_local && seen.retain_as_published);
	assert_int_equal(drop(&b, "x/+"), INDEX_SUBS_LAST);
	assert_int_equal(drop(&b, "x/+"), INDEX_SUBS_NONE);
	assert_int_equal(index_subs_filters(subs), 0);
}

static void test_overlapping_filters_all_come(void **state)
{
	(void)state;
	add(&a, "x/#");
	add(&a, "x/y");
	add(&a, "+/y");
	add(&b, "#");
	assert_match("x/y", "baaa");
	index_subs_remove_all(subs, &a.sub, NULL, NULL);
	assert_match("x/y", "b");
	index_subs_remove_all(subs, &b.sub, NULL, NULL);
	index_subs_remove_all(subs, &c.sub, NULL, NULL);
	assert_int_equal(index_subs_count(subs), 0);
}

static void on_filter(void *ctx, struct str share, struct str filter, const struct index_subscription *s)
{
	buf_printf(ctx, "[%c %.*s %.*s]", ((const struct client *)s->who)->name, STR_ARG(share), STR_ARG(filter));
}

static void test_lists_and_tells_the_last(void **state)
{
	struct buf out = { 0 };

	(void)state;
	add(&a, "/x//+/#");
	join(&a, "g", "x");
	add(&a, "both");
	add(&b, "both");
	index_subs_each(subs, &a.sub, on_filter, &out);
	buf_append_char(&out, '\0');
	assert_string_equal(buf_str(&out).p, "[a  /x//+/#][a g x][a  both]");
	buf_clear(&out);
	index_subs_remove_all(subs, &a.sub, on_filter, &out);
	buf_append_char(&out, '\0');
	assert_string_equal(buf_str(&out).p, "[a g x][a  /x//+/#]");
	index_subs_remove_all(subs, &b.sub, NULL, NULL);
	buf_fini(&out);
}

static void test_many_on_one_filter(void **state)
{
	enum { COUNT = 1000 };
	static struct client many[COUNT];
	struct buf out = { 0 };

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		many[i].name = 'm';
		assert_int_equal(add(&many[i], "all"), i ? INDEX_SUBS_ADDED : INDEX_SUBS_FIRST);
		assert_int_equal(add(&many[i], "all"), INDEX_SUBS_REPLACED);
	}
	index_subs_match(subs, STR("all"), &visitor, &out);
	assert_int_equal(buf_str(&out).n, COUNT);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(drop(&many[i * 7 % COUNT], "all"), i + 1 < COUNT ? INDEX_SUBS_REMOVED : INDEX_SUBS_LAST);
	assert_match("all", "");
	buf_fini(&out);
}

static void test_free_lets_subscribers_go(void **state)
{
	(void)state;
	add(&a, "x");
	add(&a, "y");
	join(&b, "g", "x");
	index_subs_free(&subs);
	assert_int_equal(a.sub.count, 0);
	assert_int_equal(b.sub.count, 0);
}

/* --- share groups (section 4.8.2) --------------------------------------------------------------------------------------- */

static void test_share_groups(void **state)
{
	(void)state;
	assert_int_equal(join(&a, "g", "x/+"), INDEX_SUBS_FIRST);
	assert_int_equal(join(&b, "g", "x/+"), INDEX_SUBS_ADDED);
	assert_int_equal(join(&b, "g", "x/+"), INDEX_SUBS_REPLACED);
	assert_int_equal(join(&a, "h", "x/+"), INDEX_SUBS_FIRST);
	/* The same name with another filter is another group; a filter of that text is no group. */
	assert_int_equal(join(&c, "g", "x/#"), INDEX_SUBS_FIRST);
	assert_int_equal(add(&c, "x/+"), INDEX_SUBS_FIRST);
	assert_match("x/y", "(g:c)c(h:a)(g:ab)");
	assert_match("x/+/g", "(g:c)");
	assert_int_equal(index_subs_remove(subs, &b.sub, STR("g"), STR("x/#")), INDEX_SUBS_NONE);
	assert_int_equal(index_subs_remove(subs, &b.sub, STR("none"), STR("x/+")), INDEX_SUBS_NONE);
	assert_int_equal(index_subs_remove(subs, &a.sub, STR("g"), STR("x/+")), INDEX_SUBS_REMOVED);
	assert_int_equal(drop(&c, "x/+"), INDEX_SUBS_LAST);
	assert_match("x/y", "(g:c)(h:a)(g:b)");
	assert_int_equal(index_subs_remove(subs, &b.sub, STR("g"), STR("x/+")), INDEX_SUBS_LAST);
	assert_match("x/y", "(g:c)(h:a)");
	index_subs_remove_all(subs, &a.sub, NULL, NULL);
	index_subs_remove_all(subs, &c.sub, NULL, NULL);
	assert_match("x/y", "");
}

static void on_turn(void *ctx, struct index_share *share)
{
	on_subscription(ctx, &share->members[share->turn++ % share->count]);
}

static void test_a_group_keeps_its_turn(void **state)
{
	static const struct index_subs_visitor turns = { NULL, on_turn };
	struct buf out = { 0 };

	(void)state;
	join(&a, "g", "x");
	join(&b, "g", "x");
	join(&c, "g", "x");
	add(&a, "x");
	for (int i = 0; i < 6; i++)
		index_subs_match(subs, STR("x"), &turns, &out);
	assert_true(str_is(buf_str(&out), "abcabc"));
	buf_fini(&out);
	index_subs_free(&subs);
}

/* --- changes during a match --------------------------------------------------------------------------------------------- */

/* The first who comes throws out all others, itself, and a whole branch of the tree; then it comes back. */
static void on_first(void *ctx, const struct index_subscription *s)
{
	on_subscription(ctx, s);
	index_subs_remove_all(subs, &a.sub, NULL, NULL);
	index_subs_remove_all(subs, &b.sub, NULL, NULL);
	assert_int_equal(index_subs_count(subs), 0);
	assert_int_equal(index_subs_filters(subs), 0);
	assert_int_equal(add(&c, "x/y"), INDEX_SUBS_FIRST);
	assert_match("x/y", "c");
	assert_int_equal(drop(&c, "x/y"), INDEX_SUBS_LAST);
	assert_match("x/y", "");
	assert_int_equal(add(&b, "new"), INDEX_SUBS_FIRST);
}

static void test_removal_during_a_match(void **state)
{
	static const struct index_subs_visitor first = { on_first, on_share };
	struct buf out = { 0 };

	(void)state;
	add(&a, "#");
	add(&b, "#");
	add(&a, "x/+");
	add(&b, "x/y");
	join(&a, "g", "x/y");
	join(&b, "g", "x/y");
	index_subs_match(subs, STR("x/y"), &first, &out);
	assert_true(str_is(buf_str(&out), "a"));
	assert_int_equal(index_subs_count(subs), 1);
	assert_match("x/y", "");
	assert_match("new", "b");
	index_subs_remove_all(subs, &b.sub, NULL, NULL);
	buf_fini(&out);
}

/* The chosen member goes; the next is chosen from the same view. */
static void on_failing_share(void *ctx, struct index_share *share)
{
	assert_int_equal(share->count, 2);
	index_subs_remove_all(subs, share->members[0].who, NULL, NULL);
	assert_null(share->members[0].who);
	on_subscription(ctx, &share->members[1]);
}

static void test_a_member_leaves_during_a_match(void **state)
{
	static const struct index_subs_visitor failing = { NULL, on_failing_share };
	struct buf out = { 0 };

	(void)state;
	join(&a, "g", "x");
	join(&b, "g", "x");
	index_subs_match(subs, STR("x"), &failing, &out);
	assert_true(str_is(buf_str(&out), "b"));
	assert_match("x", "(g:b)");
	index_subs_remove_all(subs, &b.sub, NULL, NULL);
	buf_fini(&out);
}

static void test_a_group_is_found(void **state)
{
	const struct index_share *share;

	(void)state;
	assert_null(index_subs_share(subs, STR("g"), STR("x/+")));
	join(&a, "g", "x/+");
	join(&b, "g", "x/+");
	join(&b, "", "x/+");
	share = index_subs_share(subs, STR("g"), STR("x/+"));
	assert_int_equal(share->count, 2);
	assert_ptr_equal(share->members[0].who, &a.sub);
	assert_null(index_subs_share(subs, STR("h"), STR("x/+")));
	assert_null(index_subs_share(subs, STR(""), STR("x/+")));
	assert_null(index_subs_share(subs, STR("g"), STR("x/#/y")));
	index_subs_remove_all(subs, &a.sub, NULL, NULL);
	index_subs_remove_all(subs, &b.sub, NULL, NULL);
	assert_null(index_subs_share(subs, STR("g"), STR("x/+")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_examples_of_section_4_7, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refuses_what_is_no_filter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limits_levels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_says_what_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_overlapping_filters_all_come, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lists_and_tells_the_last, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_on_one_filter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_free_lets_subscribers_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_share_groups, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_group_keeps_its_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_removal_during_a_match, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_member_leaves_during_a_match, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_group_is_found, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
