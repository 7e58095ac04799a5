/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/later.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/session-manager/sm.h"

#define LETTER(c) ((char[]){ c })
#define FAR       7u /* so many failures before: a second at least */

static uv_loop_t loop;
static struct sm sm;
static char ran[8];
static size_t count;

static void note(void *ctx)
{
	ran[count++] = *(const char *)ctx;
}

static int set_up(void **state)
{
	(void)state;
	uv_loop_init(&loop);
	sm = (struct sm){ .loop = &loop };
	count = 0;
	memset(ran, 0, sizeof(ran));
	later_init(&sm);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sm.stopping = true;
	later_fini(&sm);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void what_is_due_first_runs_first(void **state)
{
	(void)state;
	later_run(&sm, 30, note, LETTER('c'));
	later_run(&sm, 1, note, LETTER('a'));
	later_run(&sm, 10, note, LETTER('b'));
	while (count < 3)
		uv_run(&loop, UV_RUN_ONCE);
	assert_string_equal(ran, "abc");
}

static void only_what_is_tried_again_is_hurried(void **state)
{
	(void)state;
	later_run(&sm, 300, note, LETTER('z'));
	later_again(&sm, FAR, note, LETTER('a'));
	later_hurry(&sm);
	later_again(&sm, FAR, note, LETTER('y'));
	while (count < 2)
		uv_run(&loop, UV_RUN_ONCE);
	assert_string_equal(ran, "az");
	later_hurry(&sm);
	while (count < 3)
		uv_run(&loop, UV_RUN_ONCE);
	assert_string_equal(ran, "azy");
	later_hurry(&sm); /* nothing is left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_due_first_runs_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_what_is_tried_again_is_hurried, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
