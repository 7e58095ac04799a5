/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/sasl_plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"

static void takes_the_three_parts(void **state)
{
	struct sasl_plain p;

	(void)state;
	assert_true(sasl_plain_parse(STR("\0tim\0tanstaaftanstaaf"), &p));
	assert_true(str_is(p.authzid, "") && str_is(p.authcid, "tim") && str_is(p.password, "tanstaaftanstaaf"));
	assert_true(sasl_plain_parse(STR("Ursel\0Kurt\0xipj3plmq"), &p));
	assert_true(str_is(p.authzid, "Ursel") && str_is(p.authcid, "Kurt") && str_is(p.password, "xipj3plmq"));
	assert_true(sasl_plain_parse(STR("\0j\303\274rgen\0 p\303\244ss "), &p));
	assert_true(str_is(p.password, " p\303\244ss "));
}

static void refuses_everything_else(void **state)
{
	static const struct str bad[] = {
		{ "", 0 },
		{ "\0", 1 },
		{ "\0\0", 2 },
		{ "\0\0\0", 3 },
		{ "tim", 3 },
		{ "tim\0secret", 10 },
		{ "\0tim", 4 },
		{ "\0tim\0", 5 },
		{ "\0\0secret", 8 },
		{ "\0tim\0sec\0ret", 12 },
		{ "\0tim\0secret\0", 12 },
		{ "\0\0tim\0s", 7 },
		{ "a\0b\0c\0", 6 },
		{ "\0t\xff\0secret", 10 },
		{ "\0tim\0se\xc3", 8 },
		{ "\0tim\0\xed\xa0\x80", 8 },
		{ "\xc0\x80\0t\0s", 6 },
	};
	struct sasl_plain p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (sasl_plain_parse(bad[i], &p))
			fail_msg("message %zu was taken", i);
	}
}

static void refuses_oversized(void **state)
{
	char *m = mem_alloc(SASL_PLAIN_MAX + 1);
	struct sasl_plain p;

	(void)state;
	memset(m, 'a', SASL_PLAIN_MAX + 1);
	m[0] = m[4] = '\0';
	assert_true(sasl_plain_parse(str_make(m, SASL_PLAIN_MAX), &p));
	assert_false(sasl_plain_parse(str_make(m, SASL_PLAIN_MAX + 1), &p));
	mem_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_three_parts),
		cmocka_unit_test(refuses_everything_else),
		cmocka_unit_test(refuses_oversized),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
