/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct relay_ports ports;

static void test_each_once(void **state)
{
	(void)state;
	relay_ports_init(&ports, 50000, 50009);
	for (unsigned i = 0; i < 10; i++) {
		uint16_t port = relay_ports_any(&ports, 12345, false, false);

		assert_in_range(port, 50000, 50009);
		assert_true(relay_ports_is_taken(&ports, port));
		assert_false(relay_ports_take(&ports, port));
	}
	assert_int_equal(relay_ports_any(&ports, 7, false, false), 0);
	relay_ports_give(&ports, 50003);
	assert_false(relay_ports_is_taken(&ports, 50003));
	assert_int_equal(relay_ports_any(&ports, 7, false, false), 50003);
	assert_false(relay_ports_take(&ports, 49999));
	assert_false(relay_ports_take(&ports, 50010));
}

static void test_even_and_pairs(void **state)
{
	uint16_t port;

	(void)state;
	relay_ports_init(&ports, 50001, 50004);
	port = relay_ports_any(&ports, 0, true, true);
	assert_int_equal(port, 50002);
	assert_true(relay_ports_is_taken(&ports, 50003));
	/* 50004 is even, and has none behind it. */
	assert_int_equal(relay_ports_any(&ports, 0, true, true), 0);
	assert_int_equal(relay_ports_any(&ports, 0, true, false), 50004);
	assert_int_equal(relay_ports_any(&ports, 0, true, false), 0);
	assert_int_equal(relay_ports_any(&ports, 0, false, false), 50001);
	/* What a pair could not have is left as it was. */
	relay_ports_give(&ports, 50002);
	assert_int_equal(relay_ports_any(&ports, 0, true, true), 0);
	assert_false(relay_ports_is_taken(&ports, 50002));
}

static void test_whole_range(void **state)
{
	(void)state;
	relay_ports_init(&ports, 1024, 65535);
	assert_int_equal(relay_ports_any(&ports, 65535 - 1024, false, false), 65535);
	assert_int_equal(relay_ports_any(&ports, 65535 - 1024, false, false), 1024);
	assert_int_equal(relay_ports_any(&ports, UINT32_MAX, false, true) != 65535, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_once), cmocka_unit_test(test_even_and_pairs),
		                            cmocka_unit_test(test_whole_range) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
