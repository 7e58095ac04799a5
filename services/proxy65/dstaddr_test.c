/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/dstaddr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Computed with Python's hashlib. */
static void known_hashes(void **state)
{
	char out[SOCKS5_DST + 1];

	(void)state;
	dstaddr_make(STR("vxf9n471bn46"), STR("requester@example.com/foo"), STR("target@example.org/bar"), out);
	assert_string_equal(out, "98b8d688d0f5d895fd41c5e7309a2e9e33ba32ff");
	dstaddr_make(STR(""), STR("a"), STR(""), out);
	assert_string_equal(out, "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8");
}

static void each_part_counts(void **state)
{
	char one[SOCKS5_DST + 1], other[SOCKS5_DST + 1];

	(void)state;
	dstaddr_make(STR("s"), STR("a@x/1"), STR("b@x/2"), one);
	dstaddr_make(STR("s"), STR("b@x/2"), STR("a@x/1"), other);
	assert_string_not_equal(one, other);
	dstaddr_make(STR("t"), STR("a@x/1"), STR("b@x/2"), other);
	assert_string_not_equal(one, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_hashes),
		cmocka_unit_test(each_part_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
