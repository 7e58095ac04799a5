/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "services/session-manager/resent.h"

#define SLOT 7u

static struct resent *r;
static uint64_t now;

static bool look(uint64_t stream, uint64_t number, bool again, uint64_t *out_age)
{
	*out_age = 0;
	return resent_look(r, SLOT, 3, (struct packet_key){ stream, number }, again, now, out_age);
}

/* A slot that is held for long. */
static int set_up(void **state)
{
	uint64_t age;

	(void)state;
	r = resent_new();
	now = 1000;
	look(99, 99, false, &age);
	now += RESENT_NEW_MS;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	resent_free(&r);
	assert_null(r);
	resent_free(&r);
	return 0;
}

static void test_what_comes_once_is_not_looked_for(void **state)
{
	uint64_t age;

	(void)state;
	assert_false(look(1, 1, false, &age));
	assert_false(look(1, 1, false, &age));
	assert_int_equal(resent_count(r), 0);
}

static void test_the_first_behind_the_second(void **state)
{
	uint64_t age;

	(void)state;
	assert_true(look(1, 1, true, &age));
	assert_int_equal(age, 0); /* its sender knows better */
	now += 500;
	assert_true(look(1, 1, true, &age));
	now += 500;
	assert_true(look(1, 1, false, &age));
	assert_int_equal(age, 1001);
	assert_false(look(1, 2, false, &age));
	assert_false(look(2, 1, false, &age));
}

/* Nothing is looked for because the slot is new. */
static void test_what_others_of_ours_sent(void **state)
{
	uint64_t age = 0;

	(void)state;
	now -= RESENT_NEW_MS;
	assert_false(resent_seen(r, (struct packet_key){ 1, 1 }, false, now, &age));
	assert_true(resent_seen(r, (struct packet_key){ 1, 1 }, true, now, &age));
	assert_int_equal(age, 0);
	now += 500;
	assert_true(resent_seen(r, (struct packet_key){ 1, 1 }, false, now, &age));
	assert_int_equal(age, 501);
	assert_false(resent_seen(r, (struct packet_key){ 1, 2 }, false, now, &age));
}

static void test_forgotten_after_a_while(void **state)
{
	uint64_t age;

	(void)state;
	look(1, 1, true, &age);
	now += RESENT_KEEP_MS - 1;
	assert_true(look(1, 1, false, &age));
	now += 1;
	assert_false(look(1, 1, false, &age));
	assert_int_equal(resent_count(r), 0);
}

static void test_so_many_and_no_more(void **state)
{
	uint64_t age;

	(void)state;
	for (uint64_t i = 0; i <= RESENT_MAX; i++)
		look(1, i, true, &age);
	assert_int_equal(resent_count(r), RESENT_MAX);
	assert_false(look(1, 0, false, &age));
	assert_true(look(1, 1, false, &age));
	assert_true(look(1, RESENT_MAX, false, &age));
}

static void test_a_slot_that_was_another_s(void **state)
{
	uint64_t age = 0;

	(void)state;
	assert_true(resent_look(r, SLOT, 4, (struct packet_key){ 1, 1 }, false, now, &age));
	assert_int_equal(age, RESENT_NEW_MS);
	now += RESENT_NEW_MS - 1;
	assert_true(resent_look(r, SLOT, 4, (struct packet_key){ 1, 1 }, false, now, &age));
	now += 1;
	assert_false(resent_look(r, SLOT, 4, (struct packet_key){ 1, 1 }, false, now, &age));
	assert_true(resent_look(r, SLOT + 1, 4, (struct packet_key){ 1, 1 }, false, now, &age));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_comes_once_is_not_looked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_first_behind_the_second, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_others_of_ours_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forgotten_after_a_while, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_so_many_and_no_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_slot_that_was_another_s, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
