/* SPDX-License-Identifier: Apache-2.0
 *
 * Work for the end of a turn: all of it, or so much. */
#include "common/net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MANY (3 * NET_COSTLY_A_TURN)

static uint32_t done, last;
static struct net_task tasks[MANY];

static void count(struct net_task *t)
{
	done++;
	last = (uint32_t)(t - tasks);
}

static void only_so_much_costly_work_is_done_in_a_turn(void **state)
{
	struct net_task cheap;
	uv_loop_t uv;
	struct net_loop *net;

	(void)state;
	uv_loop_init(&uv);
	net = net_loop_new(&uv);
	for (uint32_t i = 0; i < MANY; i++) {
		net_task_init(&tasks[i], count);
		net_defer_costly(net, &tasks[i]);
		net_defer_costly(net, &tasks[i]);
	}
	net_task_cancel(&tasks[0]);
	uv_run(&uv, UV_RUN_NOWAIT);
	assert_int_equal(done, NET_COSTLY_A_TURN);
	/* In order; what costs little does not wait for it. */
	assert_int_equal(last, NET_COSTLY_A_TURN);
	net_task_init(&cheap, count);
	net_defer(net, &cheap);
	uv_run(&uv, UV_RUN_NOWAIT);
	assert_int_equal(done, 2 * NET_COSTLY_A_TURN + 1);
	uv_run(&uv, UV_RUN_NOWAIT);
	assert_int_equal(done, MANY);
	assert_false(uv_is_active((uv_handle_t *)&net->idle));
	net_loop_free(&net);
	uv_run(&uv, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&uv), 0);
}

int main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(only_so_much_costly_work_is_done_in_a_turn),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}
