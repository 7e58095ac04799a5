/* SPDX-License-Identifier: Apache-2.0 */
#include "common/xmpp/rsm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static bool read_set(const char *content, struct rsm *out)
{
	const char *text = arena_printf(arena, "<q xmlns='u:q'><x/><set xmlns='" NS_RSM "'>%s</set></q>", content);
	struct xml_node *n = xml_parse(arena, str_from(text), STR("jabber:client"));

	assert_non_null(n);
	return rsm_read(arena, n, out);
}

static void requests(void **state)
{
	struct rsm r;

	(void)state;
	assert_true(rsm_read(arena, xml_parse(arena, STR("<q/>"), STR("u:q")), &r));
	assert_false(r.has_max || r.has_index || r.backward || r.after.n || r.before.n);
	assert_true(read_set("<max>10</max>", &r));
	assert_true(r.has_max && r.max == 10 && !r.backward);
	assert_true(read_set("<max>0</max><before/>", &r));
	assert_true(r.has_max && r.max == 0 && r.backward && r.before.n == 0);
	assert_true(read_set("<before>a&amp;b</before>", &r));
	assert_true(r.backward && str_is(r.before, "a&b") && !r.has_max);
	assert_true(read_set("<after>x</after><index>371</index>", &r));
	assert_true(!r.backward && str_is(r.after, "x") && r.has_index && r.index == 371);
	/* Of another namespace: not ours. */
	assert_true(read_set("<max xmlns='u:x'>many</max>", &r));
	assert_false(r.has_max);
}

static void bad_numbers(void **state)
{
	static const char *const bad[] = {
		"<max/>",        "<max>ten</max>",   "<max>-1</max>",       "<max>2147483648</max>", "<max>99999999999999999999999</max>",
		"<max> 1</max>", "<index>x</index>", "<max>1</max><index/>"
	};
	struct rsm r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(read_set(bad[i], &r));
	assert_true(read_set("<max>2147483647</max>", &r));
}

static void pages(void **state)
{
	struct rsm_page p = { .first = STR("a<"), .last = STR("b"), .index = 3, .count = 20 };
	struct buf b = { 0 };

	(void)state;
	rsm_write(&b, &p);
	assert_true(str_is(buf_str(&b), "<set xmlns='" NS_RSM "'><first index='3'>a&lt;</first><last>b</last><count>20</count></set>"));
	buf_clear(&b);
	p = (struct rsm_page){ .count = 7 };
	rsm_write(&b, &p);
	assert_true(str_is(buf_str(&b), "<set xmlns='" NS_RSM "'><count>7</count></set>"));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_numbers, setup, teardown),
		cmocka_unit_test(pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
