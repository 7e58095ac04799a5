/* SPDX-License-Identifier: Apache-2.0
 *
 * The slot of an account is part of the contract (ipc/proto/bus.proto): these numbers must never change. */
#include "common/base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void fnv1a_vectors(void **state)
{
	(void)state;
	/* From the reference test suite of draft-eastlake-fnv. */
	assert_true(hash_fnv1a64(STR("")) == 0xcbf29ce484222325u);
	assert_true(hash_fnv1a64(STR("a")) == 0xaf63dc4c8601ec8cu);
	assert_true(hash_fnv1a64(STR("b")) == 0xaf63df4c8601f1a5u);
	assert_true(hash_fnv1a64(STR("foobar")) == 0x85944171f73967e8u);
	assert_true(hash_fnv1a64(STR("chongo was here!\n")) == 0x46810940eff5f915u);
}

static void slot_vectors(void **state)
{
	(void)state;
	assert_int_equal(hash_slot(STR("alice@example.org")), 277);
	assert_int_equal(hash_slot(STR("bob@example.org")), 867);
	assert_int_equal(hash_slot(STR("j\xc3\xb6rg@m\xc3\xbcnchen.example")), 70);
	assert_int_equal(hash_slot(STR("example.org")), 818);
	assert_int_equal(hash_slot(STR("")), 961);
}

static void slot_ignores_resource(void **state)
{
	(void)state;
	assert_int_equal(hash_slot(STR("alice@example.org/phone")), 277);
	assert_int_equal(hash_slot(STR("alice@example.org/a/b@c")), 277);
	assert_int_equal(hash_slot(STR("alice@example.org/")), 277);
}

static void slots_spread(void **state)
{
	unsigned count[SLOT_COUNT] = { 0 };
	char jid[] = "user000000@example.org";

	(void)state;
	for (unsigned i = 0; i < 100 * SLOT_COUNT; i++) {
		for (unsigned k = 0, v = i; k < 6; k++, v /= 10)
			jid[9 - k] = (char)('0' + v % 10);
		uint32_t slot = hash_slot(str_from(jid));
		assert_in_range(slot, 0, SLOT_COUNT - 1);
		count[slot]++;
	}
	for (unsigned i = 0; i < SLOT_COUNT; i++)
		assert_in_range(count[i], 50, 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fnv1a_vectors),
		cmocka_unit_test(slot_vectors),
		cmocka_unit_test(slot_ignores_resource),
		cmocka_unit_test(slots_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
