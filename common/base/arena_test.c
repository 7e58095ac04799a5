/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void allocations_are_apart_and_aligned(void **state)
{
	struct arena *a = arena_new(64);
	unsigned char *p[200];

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		p[i] = arena_alloc(a, i % 37);
		assert_int_equal((uintptr_t)p[i] % _Alignof(max_align_t), 0);
		memset(p[i], (int)i, i % 37);
	}
	for (size_t i = 0; i < 200; i++)
		for (size_t k = 0; k < i % 37; k++)
			assert_int_equal(p[i][k], (unsigned char)i);
	arena_free(&a);
	assert_null(a);
	arena_free(&a);
}

static void larger_than_any_block(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	char *p = arena_zalloc(a, 1 << 20);
	assert_int_equal(p[(1 << 20) - 1], 0);
	assert_true(arena_bytes(a) >= 1 << 20);
	arena_free(&a);
}

static void reset_gives_back(void **state)
{
	struct arena *a = arena_new(256);
	size_t first = arena_bytes(a);

	(void)state;
	for (int i = 0; i < 100; i++)
		arena_alloc(a, 100);
	assert_true(arena_bytes(a) > first);
	arena_reset(a);
	assert_int_equal(arena_bytes(a), first);
	memset(arena_alloc(a, 256), 1, 256);
	assert_int_equal(arena_bytes(a), first);
	arena_free(&a);
}

static void texts(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	assert_string_equal(arena_printf(a, "%s-%d", "x", 5), "x-5");
	assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
	struct str s = arena_str(a, STR("view"));
	assert_true(str_is(s, "view"));
	assert_int_equal(s.p[s.n], 0);
	assert_string_equal(arena_str(a, (struct str){ NULL, 0 }).p, "");
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_apart_and_aligned),
		cmocka_unit_test(larger_than_any_block),
		cmocka_unit_test(reset_gives_back),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
