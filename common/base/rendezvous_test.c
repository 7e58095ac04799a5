/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/rendezvous.h"

static const struct rendezvous_member three[] = { { 7, 0x1111 }, { 8, 0x2222222222 }, { 9, 0x3333333333333333 } };

static void nobody_owns_without_members(void **state)
{
	(void)state;
	assert_int_equal(rendezvous_owner(three, 0, 5), 0);
}

static void order_of_members_does_not_matter(void **state)
{
	const struct rendezvous_member turned[] = { three[2], three[0], three[1] };

	(void)state;
	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
		assert_int_equal(rendezvous_owner(three, 3, slot), rendezvous_owner(turned, 3, slot));
}

static void shares_are_fair(void **state)
{
	uint32_t share[3] = { 0 };

	(void)state;
	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		for (int i = 0; i < 3; i++)
			share[i] += rendezvous_owner(three, 3, slot) == three[i].instance;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(share[i], SLOT_COUNT / 3 - 80, SLOT_COUNT / 3 + 80);
}

static void only_the_slots_of_who_left_move(void **state)
{
	(void)state;
	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		uint64_t before = rendezvous_owner(three, 3, slot), after = rendezvous_owner(three, 2, slot);

		if (before != three[2].instance)
			assert_int_equal(before, after);
		else
			assert_int_not_equal(after, three[2].instance);
	}
}

static void a_restart_moves_nothing(void **state)
{
	const struct rendezvous_member again[] = { three[0], { 77, three[1].key }, three[2] };

	(void)state;
	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		uint64_t before = rendezvous_owner(three, 3, slot);

		assert_int_equal(rendezvous_owner(again, 3, slot), before == three[1].instance ? 77 : before);
	}
}

static void who_have_one_name_divide_its_slots(void **state)
{
	const struct rendezvous_member four[] = { three[0], three[1], three[2], { 10, three[2].key } };
	uint32_t share[2] = { 0 };

	(void)state;
	for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
		uint64_t before = rendezvous_owner(three, 3, slot), now = rendezvous_owner(four, 4, slot);

		assert_true(now == before || (before == 9 && now == 10));
		share[0] += now == 9;
		share[1] += now == 10;
	}
	assert_in_range(share[0], SLOT_COUNT / 6 - 60, SLOT_COUNT / 6 + 60);
	assert_in_range(share[1], SLOT_COUNT / 6 - 60, SLOT_COUNT / 6 + 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_owns_without_members),
		cmocka_unit_test(order_of_members_does_not_matter),
		cmocka_unit_test(shares_are_fair),
		cmocka_unit_test(only_the_slots_of_who_left_move),
		cmocka_unit_test(a_restart_moves_nothing),
		cmocka_unit_test(who_have_one_name_divide_its_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
