/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/pg_args.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/pg_error.h"

static struct str arg(const struct pg_args *a, uint32_t i)
{
	return str_make(buf_str(&a->data).p + a->arg[i].at, (size_t)a->arg[i].n);
}

static void test_scalars(void **state)
{
	struct pg_args a = { 0 };

	(void)state;
	pg_args_int4(&a, -2);
	pg_args_int8(&a, 258);
	pg_args_bool(&a, true);
	pg_args_null(&a);
	pg_args_bytes(&a, STR("x\0y"));
	pg_args_bytes(&a, STR(""));
	assert_int_equal(a.count, 6);
	assert_true(str_eq(arg(&a, 0), STR("\xff\xff\xff\xfe")));
	assert_true(str_eq(arg(&a, 1), STR("\0\0\0\0\0\0\1\2")));
	assert_true(str_eq(arg(&a, 2), STR("\1")));
	assert_int_equal(a.arg[3].n, -1);
	assert_true(str_eq(arg(&a, 4), STR("x\0y")));
	assert_int_equal(a.arg[5].n, 0);
	pg_args_fini(&a);
}

static void test_array(void **state)
{
	struct pg_args a = { 0 };
	struct pg_array r = pg_array_begin(&a, PG_INT4, 2);

	(void)state;
	pg_array_int4(&r, 1);
	pg_array_int4(&r, 2);
	pg_array_end(&r);
	assert_true(str_eq(arg(&a, 0), STR("\0\0\0\1"         /* dimensions */
	                                   "\0\0\0\1"         /* may hold nulls */
	                                   "\0\0\0\x17"       /* int4 */
	                                   "\0\0\0\2\0\0\0\1" /* two, from 1 */
	                                   "\0\0\0\4\0\0\0\1\0\0\0\4\0\0\0\2")));
	r = pg_array_begin(&a, PG_TEXT, 0);
	pg_array_end(&r);
	assert_true(str_eq(arg(&a, 1), STR("\0\0\0\0\0\0\0\1\0\0\0\x19")));
	pg_args_fini(&a);
}

static void test_merge(void **state)
{
	static const enum pg_oid columns[] = { PG_TEXT, PG_BYTEA };
	struct pg_args rows[2] = { { .count = 0 }, { .count = 0 } }, out = { 0 };
	const struct pg_args *const sources[] = { &rows[0], &rows[1] };

	(void)state;
	pg_args_bytes(&rows[0], STR("ab"));
	pg_args_null(&rows[0]);
	pg_args_bytes(&rows[1], STR("c"));
	pg_args_bytes(&rows[1], STR("d"));
	pg_args_merge(&out, sources, 2, columns, 2);
	assert_int_equal(out.count, 2);
	assert_true(str_eq(arg(&out, 0), STR("\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\2\0\0\0\1"
	                                     "\0\0\0\2"
	                                     "ab"
	                                     "\0\0\0\1"
	                                     "c")));
	assert_true(str_eq(arg(&out, 1), STR("\0\0\0\1\0\0\0\1\0\0\0\x11\0\0\0\2\0\0\0\1"
	                                     "\xff\xff\xff\xff"
	                                     "\0\0\0\1"
	                                     "d")));
	pg_args_fini(&rows[0]);
	pg_args_fini(&rows[1]);
	pg_args_fini(&out);
}

static void test_error_classes(void **state)
{
	(void)state;
	assert_int_equal(pg_error_class("22021"), PG_CLASS_ROW);
	assert_int_equal(pg_error_code("22021"), STARLING__CODE__CODE_INVALID);
	assert_int_equal(pg_error_code("23503"), STARLING__CODE__CODE_NOT_FOUND);
	assert_int_equal(pg_error_code("23505"), STARLING__CODE__CODE_EXISTS);
	assert_int_equal(pg_error_class("40P01"), PG_CLASS_RETRY);
	assert_int_equal(pg_error_class("57P01"), PG_CLASS_AWAY);
	assert_int_equal(pg_error_class("57014"), PG_CLASS_AWAY);
	assert_int_equal(pg_error_class("53100"), PG_CLASS_AWAY);
	assert_int_equal(pg_error_class("53200"), PG_CLASS_RETRY);
	assert_int_equal(pg_error_class("25006"), PG_CLASS_AWAY);
	assert_int_equal(pg_error_class("26000"), PG_CLASS_STALE);
	assert_int_equal(pg_error_class("42601"), PG_CLASS_BUG);
	assert_int_equal(pg_error_code("42601"), STARLING__CODE__CODE_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_array),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_error_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
