/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/turn.h"

#include "services/mqtt-gateway/flow_for_test.h"

#define READY    STARLING__INSTANCE_STATE__INSTANCE_READY
#define DRAINING STARLING__INSTANCE_STATE__INSTANCE_DRAINING

static int two_of_them(void **state)
{
	static const char *const names[] = { "mqtt-gateway-1", "mqtt-gateway-2", "mqtt-gateway-1" };

	(void)state;
	f.instance_count = 2;
	for (uint32_t i = 0; i < 3; i++) {
		starling__registration__init(&f.instances[i]);
		f.instances[i].instance = 10 + i;
		f.instances[i].name = (char *)names[i];
		f.instances[i].host = (char *)"here";
		f.instances[i].state = READY;
	}
	return 0;
}

static enum turn turn(uint32_t row)
{
	f.instance = f.instances[row].instance;
	return turn_of(NULL, f.instances[row].n_domains > 0);
}

static uint32_t beginning(void)
{
	return (turn(0) == TURN_BEGINS) + (turn(1) == TURN_BEGINS);
}

static void one_of_two_begins(void **state)
{
	(void)state;
	assert_int_equal(beginning(), 1);
	f.instance_count = 1;
	assert_int_equal(turn(0), TURN_BEGINS);
	f.instances[0].state = STARLING__INSTANCE_STATE__INSTANCE_STARTING;
	assert_int_equal(turn(0), TURN_NONE);
}

static void who_is_at_work_stays(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		f.instances[i].n_domains = 1;
		f.instances[!i].n_domains = 0;
		assert_int_equal(turn(i), TURN_NONE);
		assert_int_equal(turn(!i), TURN_NONE);
	}
}

static void what_drains_is_waited_for(void **state)
{
	(void)state;
	f.instances[0].state = DRAINING;
	assert_int_equal(turn(1), TURN_NONE);
	f.instances[0] = f.instances[1];
	f.instance_count = 1;
	assert_int_equal(turn(0), TURN_BEGINS);
}

static void of_two_at_work_one_leaves_it(void **state)
{
	(void)state;
	f.instances[0].n_domains = f.instances[1].n_domains = 1;
	assert_int_equal(turn(0), TURN_NONE);
	assert_int_equal(turn(1), TURN_ENDS);
}

static void a_former_life_is_not_waited_for(void **state)
{
	(void)state;
	f.instances[1] = f.instances[2];
	f.instances[0].n_domains = 1;
	assert_int_equal(turn(1), TURN_BEGINS);
}

static void one_of_its_name_elsewhere_is(void **state)
{
	(void)state;
	f.instances[1] = f.instances[2];
	f.instances[1].host = (char *)"there";
	f.instances[0].n_domains = 1;
	assert_int_equal(turn(1), TURN_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_of_two_begins, two_of_them),
		cmocka_unit_test_setup(who_is_at_work_stays, two_of_them),
		cmocka_unit_test_setup(what_drains_is_waited_for, two_of_them),
		cmocka_unit_test_setup(of_two_at_work_one_leaves_it, two_of_them),
		cmocka_unit_test_setup(a_former_life_is_not_waited_for, two_of_them),
		cmocka_unit_test_setup(one_of_its_name_elsewhere_is, two_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
