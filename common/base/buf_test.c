/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/mem.h"

static void zeroed_is_empty(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(buf_str(&b).n, 0);
	buf_consume(&b, 5);
	buf_release(&b);
	assert_true(buf_append(&b, NULL, 0));
	assert_true(buf_append_cstr(&b, "abc"));
	assert_true(str_is(buf_str(&b), "abc"));
	buf_fini(&b);
	assert_null(b.p);
}

static void appends_of_every_kind(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_append_str(&b, STR("x="));
	buf_printf(&b, "%d;", 42);
	buf_append_char(&b, '!');
	buf_append_u32le(&b, 0x04030201);
	assert_true(str_eq(buf_str(&b), STR("x=42;!\x01\x02\x03\x04")));
	buf_fini(&b);
}

static void long_printf(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_printf(&b, "%1000d", 7);
	assert_int_equal(b.n, 1000);
	assert_int_equal(b.p[999], '7');
	buf_fini(&b);
}

static void max_is_exact_and_sticky(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 300);
	for (int i = 0; i < 100; i++)
		assert_true(buf_append(&b, "abc", 3));
	assert_false(b.overflow);
	assert_false(buf_append_char(&b, 'd'));
	assert_true(b.overflow);
	assert_int_equal(buf_str(&b).n, 300);
	buf_consume(&b, 1);
	assert_true(buf_append_char(&b, 'd'));
	assert_true(b.overflow);
	buf_clear(&b);
	assert_false(b.overflow);
	assert_true(buf_printf(&b, "%300s", "x"));
	assert_false(buf_printf(&b, "%s", "x"));
	buf_clear(&b);
	assert_false(buf_printf(&b, "%301s", "x"));
	assert_int_equal(buf_str(&b).n, 0);
	assert_null(buf_reserve(&b, SIZE_MAX));
	buf_fini(&b);
}

static void consuming_keeps_order(void **state)
{
	struct buf b;
	unsigned in = 0, out = 0;

	(void)state;
	buf_init(&b, 4096);
	for (int round = 0; round < 1000; round++) {
		for (int i = 0; i < 7; i++)
			assert_true(buf_append_char(&b, (char)(in++ & 0x7f)));
		for (int i = 0; i < (round % 3 ? 7 : 5); i++) {
			assert_int_equal(buf_str(&b).p[0], (char)(out++ & 0x7f));
			buf_consume(&b, 1);
		}
	}
	assert_int_equal(buf_str(&b).n, in - out);
	assert_true(b.cap <= 8192);
	buf_fini(&b);
}

static void reserve_and_commit(void **state)
{
	struct buf b = { 0 };

	(void)state;
	char *p = buf_reserve(&b, 10);
	memcpy(p, "0123456789", 10);
	buf_commit(&b, 4);
	assert_true(str_is(buf_str(&b), "0123"));
	buf_fini(&b);
}

static void take_hands_over(void **state)
{
	struct buf b = { 0 };
	size_t n = 99;

	(void)state;
	char *p = buf_take(&b, &n);
	assert_int_equal(n, 0);
	assert_string_equal(p, "");
	mem_free(p);
	buf_append_cstr(&b, "hello world");
	buf_consume(&b, 6);
	p = buf_take(&b, &n);
	assert_int_equal(n, 5);
	assert_string_equal(p, "world");
	mem_free(p);
	assert_int_equal(buf_str(&b).n, 0);
	assert_int_equal(b.cap, 0);
}

static void release_only_when_empty(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_append_cstr(&b, "ab");
	buf_release(&b);
	assert_true(str_is(buf_str(&b), "ab"));
	buf_consume(&b, 2);
	buf_release(&b);
	assert_null(b.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_is_empty),         cmocka_unit_test(appends_of_every_kind),   cmocka_unit_test(long_printf),
		cmocka_unit_test(max_is_exact_and_sticky), cmocka_unit_test(consuming_keeps_order),   cmocka_unit_test(reserve_and_commit),
		cmocka_unit_test(take_hands_over),         cmocka_unit_test(release_only_when_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
