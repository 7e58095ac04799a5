/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/roam.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* Threads and allocations are told apart only. */
static char places[4];
#define THREAD(i)     ((struct worker *)(void *)&places[i])
#define ALLOCATION(i) ((struct allocation *)(void *)&places[i])

static struct worker *to;
static void *what;
static unsigned posted;

static void on_post(struct worker *w, roam_fn *fn, void *arg)
{
	assert_non_null(fn);
	to = w;
	what = arg;
	posted++;
}

static void nothing(struct worker *w, void *arg)
{
	(void)w;
	(void)arg;
}

static void expect_posted(bool done, struct worker *w, void *arg)
{
	assert_true(done);
	assert_ptr_equal(to, w);
	assert_ptr_equal(what, arg);
}

static int begin(void **state)
{
	struct roam *r = roam_new(on_post);

	roam_join(r, THREAD(0));
	roam_join(r, THREAD(1));
	posted = 0;
	*state = r;
	return 0;
}

static int end(void **state)
{
	struct roam *r = *state;

	roam_free(&r);
	return 0;
}

static void test_found_by_who_has_it(void **state)
{
	struct roam *r = *state;

	roam_add(r, 7, THREAD(0), ALLOCATION(2));
	assert_ptr_equal(roam_have(r, 7, THREAD(0)), ALLOCATION(2));
	assert_null(roam_have(r, 7, THREAD(1)));
	assert_null(roam_have(r, 8, THREAD(0)));
	expect_posted(roam_ask(r, 7, nothing, &places[3]), THREAD(0), &places[3]);
	assert_int_equal(roam_count(r), 1);
	roam_remove(r, 7);
	roam_remove(r, 7);
	assert_int_equal(roam_count(r), 0);
	assert_null(roam_have(r, 7, THREAD(0)));
	assert_false(roam_ask(r, 7, nothing, NULL));
	assert_int_equal(posted, 1);
}

static void test_passed_on(void **state)
{
	struct roam *r = *state;

	roam_add(r, 7, THREAD(0), ALLOCATION(2));
	expect_posted(roam_pass(r, 7, THREAD(1), nothing, &places[3]), THREAD(1), &places[3]);
	assert_null(roam_have(r, 7, THREAD(0)));
	assert_ptr_equal(roam_have(r, 7, THREAD(1)), ALLOCATION(2));
	expect_posted(roam_ask(r, 7, nothing, NULL), THREAD(1), NULL);
	assert_false(roam_pass(r, 8, THREAD(0), nothing, NULL));
}

static void test_a_thread_that_has_left(void **state)
{
	struct roam *r = *state;

	roam_add(r, 7, THREAD(0), ALLOCATION(2));
	roam_leave(r, THREAD(1));
	assert_false(roam_post(r, THREAD(1), nothing, NULL));
	assert_false(roam_pass(r, 7, THREAD(1), nothing, NULL));
	assert_ptr_equal(roam_have(r, 7, THREAD(0)), ALLOCATION(2));
	assert_int_equal(posted, 0);
	expect_posted(roam_post(r, THREAD(0), nothing, NULL), THREAD(0), NULL);
	roam_leave(r, THREAD(0));
	assert_false(roam_ask(r, 7, nothing, NULL));
}

static void test_many(void **state)
{
	struct roam *r = *state;

	for (uint64_t i = 1; i <= 20000; i++)
		roam_add(r, i << 48 | i, THREAD(i % 2), ALLOCATION(i % 4));
	assert_int_equal(roam_count(r), 20000);
	for (uint64_t i = 1; i <= 20000; i++)
		assert_ptr_equal(roam_have(r, i << 48 | i, THREAD(i % 2)), ALLOCATION(i % 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_found_by_who_has_it, begin, end),
		                            cmocka_unit_test_setup_teardown(test_passed_on, begin, end),
		                            cmocka_unit_test_setup_teardown(test_a_thread_that_has_left, begin, end),
		                            cmocka_unit_test_setup_teardown(test_many, begin, end) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
