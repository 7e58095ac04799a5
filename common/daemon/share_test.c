/* SPDX-License-Identifier: Apache-2.0 */
#include "common/daemon/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define READY    STARLING__INSTANCE_STATE__INSTANCE_READY
#define DRAINING STARLING__INSTANCE_STATE__INSTANCE_DRAINING
#define PIECES   200u

static Starling__Registration rows[3];
static uint32_t row_count;
static uint64_t me;

uint32_t ipc_bus_instances(const struct ipc_bus *bus, const char *role, const Starling__Registration **out, uint32_t max)
{
	(void)bus;
	assert_string_equal(role, "worker");
	for (uint32_t i = 0; i < row_count && i < max; i++)
		out[i] = &rows[i];
	return row_count;
}

uint64_t ipc_bus_instance(const struct ipc_bus *bus)
{
	(void)bus;
	return me;
}

static int set_up(void **state)
{
	static const char *const names[] = { "worker-1", "worker-2", "worker-3" };

	(void)state;
	row_count = 3;
	for (uint32_t i = 0; i < 3; i++) {
		starling__registration__init(&rows[i]);
		rows[i].instance = 10 + i;
		rows[i].name = (char *)names[i];
		rows[i].host = (char *)"here";
		rows[i].state = READY;
	}
	return 0;
}

static enum share asked_by(uint64_t instance, uint32_t piece)
{
	me = instance;
	return share_of(NULL, "worker", piece);
}

static uint32_t owners(uint32_t piece)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < row_count; i++)
		n += asked_by(rows[i].instance, piece) == SHARE_MINE;
	return n;
}

static void each_piece_is_one_ones(void **state)
{
	uint32_t of[3] = { 0 };

	(void)state;
	for (uint32_t piece = 0; piece < PIECES; piece++) {
		assert_int_equal(owners(piece), 1);
		for (uint32_t i = 0; i < 3; i++)
			of[i] += asked_by(rows[i].instance, piece) == SHARE_MINE;
	}
	for (uint32_t i = 0; i < 3; i++)
		assert_true(of[i] > PIECES / 6);
}

static void who_drains_has_none_and_others_keep_theirs(void **state)
{
	enum share before[PIECES];

	(void)state;
	for (uint32_t piece = 0; piece < PIECES; piece++)
		before[piece] = asked_by(10, piece);
	rows[1].state = DRAINING;
	for (uint32_t piece = 0; piece < PIECES; piece++) {
		assert_int_equal(owners(piece), 1);
		assert_true(before[piece] != SHARE_MINE || asked_by(10, piece) == SHARE_MINE);
	}
	assert_int_equal(asked_by(11, 0), SHARE_UNKNOWN);
}

static void who_is_not_there_does_not_know(void **state)
{
	(void)state;
	assert_int_equal(asked_by(99, 0), SHARE_UNKNOWN);
	row_count = 0;
	assert_int_equal(asked_by(10, 0), SHARE_UNKNOWN);
}

static void a_former_life_has_nothing(void **state)
{
	enum share before[PIECES];

	(void)state;
	row_count = 2;
	for (uint32_t piece = 0; piece < PIECES; piece++)
		before[piece] = asked_by(10, piece);
	row_count = 3;
	rows[2].name = rows[0].name;
	for (uint32_t piece = 0; piece < PIECES; piece++)
		assert_int_equal(asked_by(10, piece), before[piece]);
}

static void a_name_may_be_given_on_two_machines(void **state)
{
	(void)state;
	rows[2].name = rows[0].name;
	rows[2].host = (char *)"there";
	each_piece_is_one_ones(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_piece_is_one_ones, set_up),
		cmocka_unit_test_setup(who_drains_has_none_and_others_keep_theirs, set_up),
		cmocka_unit_test_setup(who_is_not_there_does_not_know, set_up),
		cmocka_unit_test_setup(a_former_life_has_nothing, set_up),
		cmocka_unit_test_setup(a_name_may_be_given_on_two_machines, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
