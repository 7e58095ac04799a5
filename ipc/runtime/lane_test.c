/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "ipc/runtime/lane.h"

struct thing {
	struct ipc_lane_item base;
	int number;
};

static struct {
	struct ipc_lane lane;
	bool stopping, gone, stuck, home;
	uint64_t owner, epoch;
	struct thing *way[256]; /* sent, in order */
	uint64_t to[256];
	unsigned count, pauses, attempts, stranded;
} t;

static struct thing *thing_of(struct ipc_lane_item *i)
{
	return list_entry(i, struct thing, base);
}

static void thing_free(struct thing *it)
{
	list_remove(&it->base.node);
	mem_free(it);
}

static uint64_t receiver(struct ipc_lane *l, uint64_t *out_epoch)
{
	assert_ptr_equal(l, &t.lane);
	*out_epoch = t.epoch;
	return t.owner;
}

static enum ipc_lane_sent send_it(struct ipc_lane *l, struct ipc_lane_item *i, uint64_t owner, uint64_t epoch)
{
	(void)l;
	if (t.gone) {
		thing_free(thing_of(i));
		return IPC_LANE_GONE;
	}
	t.to[t.count] = owner * 100 + epoch;
	t.way[t.count++] = thing_of(i);
	return t.stuck ? IPC_LANE_STUCK : IPC_LANE_SENT;
}

static void pause_it(struct ipc_lane *l, uint32_t attempts)
{
	assert_int_equal(l->on_the_way, 0);
	t.pauses++;
	t.attempts = attempts;
}

static void quiet(struct ipc_lane *l)
{
	assert_int_equal(l->on_the_way, 0);
	while (t.home && !list_empty(&l->items))
		thing_free(list_entry(l->items.next, struct thing, base.node));
}

static void stranded(struct ipc_lane *l, struct ipc_lane_item *first)
{
	(void)l;
	t.stranded++;
	assert_int_equal(thing_of(first)->number, 1);
}

static const struct ipc_lane_ops ops = { receiver, send_it, pause_it, quiet, stranded };

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.owner = 5;
	t.epoch = 1;
	ipc_lane_init(&t.lane, &ops, &t.stopping);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	while (!list_empty(&t.lane.items))
		thing_free(list_entry(t.lane.items.next, struct thing, base.node));
	return 0;
}

static void add(int from, int to)
{
	for (int i = from; i <= to; i++) {
		struct thing *it = mem_new(struct thing);

		it->number = i;
		ipc_lane_add(&t.lane, &it->base);
	}
}

/* The answer to the nth that was sent. */
static void answer(unsigned n, enum ipc_lane_answer how)
{
	if (how != IPC_LANE_FAILED)
		thing_free(t.way[n]);
	ipc_lane_answered(&t.lane, how);
}

static void assert_sent(unsigned from, int first, int last)
{
	assert_int_equal(t.count, from + (unsigned)(last - first + 1));
	for (int i = first; i <= last; i++)
		assert_int_equal(t.way[from + (unsigned)(i - first)]->number, i);
}

static void a_window_in_order(void **state)
{
	(void)state;
	add(1, 70);
	assert_sent(0, 1, (int)IPC_LANE_WINDOW);
	for (unsigned i = 0; i < 6; i++)
		answer(i, IPC_LANE_TAKEN);
	assert_int_equal(t.count, 70);
	assert_int_equal(t.way[69]->number, 70);
	assert_int_equal(t.to[69], 501);
}

/* What was taken out of order stays taken; what failed goes again before what waited behind it. */
static void after_a_failure_the_rest_again_in_order(void **state)
{
	(void)state;
	add(1, 4);
	answer(1, IPC_LANE_FAILED);
	add(5, 5);
	answer(0, IPC_LANE_TAKEN);
	answer(2, IPC_LANE_FAILED);
	assert_int_equal(t.pauses, 0);
	answer(3, IPC_LANE_REFUSED);
	assert_int_equal(t.pauses, 1);
	assert_int_equal(t.attempts, 0);
	assert_int_equal(t.count, 4);
	ipc_lane_go_on(&t.lane);
	assert_int_equal(t.count, 7);
	assert_int_equal(t.way[4]->number, 2);
	assert_int_equal(t.way[5]->number, 3);
	assert_int_equal(t.way[6]->number, 5);
}

static void pauses_are_counted_until_something_is_taken(void **state)
{
	(void)state;
	add(1, 1);
	for (unsigned i = 0; i < 3; i++) {
		answer(i, IPC_LANE_FAILED);
		assert_int_equal(t.pauses, i + 1);
		assert_int_equal(t.attempts, i);
		ipc_lane_go_on(&t.lane);
	}
	answer(3, IPC_LANE_TAKEN);
	add(1, 1);
	answer(4, IPC_LANE_FAILED);
	assert_int_equal(t.attempts, 0);
}

static void another_owner_waits_for_what_is_with_the_former(void **state)
{
	(void)state;
	add(1, 2);
	t.epoch = 2;
	add(3, 3);
	answer(0, IPC_LANE_TAKEN);
	assert_int_equal(t.count, 2);
	answer(1, IPC_LANE_TAKEN);
	assert_int_equal(t.count, 3);
	assert_int_equal(t.to[2], 502);
	t.owner = 6;
	add(4, 4);
	assert_int_equal(t.count, 3);
	answer(2, IPC_LANE_FAILED);
	ipc_lane_go_on(&t.lane);
	assert_int_equal(t.count, 5);
	assert_int_equal(t.way[3]->number, 3);
	assert_int_equal(t.to[3], 602);
}

static void nobody_is_there(void **state)
{
	(void)state;
	t.owner = 0;
	add(1, 3);
	assert_int_equal(t.count, 0);
	assert_int_equal(t.stranded, 1);
	assert_int_equal(t.pauses, 1);
	ipc_lane_go_on(&t.lane);
	assert_int_equal(t.stranded, 2);
	t.owner = 5;
	ipc_lane_go_on(&t.lane);
	assert_sent(0, 1, 3);
}

static void what_cannot_be_sent_any_more_ends_the_turn(void **state)
{
	(void)state;
	t.stuck = true;
	add(1, 3);
	assert_sent(0, 1, 1);
	t.stuck = false;
	answer(0, IPC_LANE_TAKEN);
	assert_int_equal(t.pauses, 1);
	ipc_lane_go_on(&t.lane);
	assert_sent(1, 2, 3);
}

static void what_is_dropped_or_at_home_is_not_sent(void **state)
{
	(void)state;
	t.gone = true;
	add(1, 3);
	assert_true(list_empty(&t.lane.items));
	t.gone = false;
	add(4, 4);
	t.home = true;
	add(5, 6);
	assert_int_equal(t.count, 3); /* one is on the way: those behind it must not overtake it */
	for (unsigned i = 0; i < 3; i++)
		answer(i, IPC_LANE_FAILED);
	ipc_lane_go_on(&t.lane);
	assert_int_equal(t.count, 3);
	assert_true(list_empty(&t.lane.items));
}

static void at_the_end_nothing_is_sent(void **state)
{
	(void)state;
	add(1, 2);
	t.stopping = true;
	answer(0, IPC_LANE_FAILED);
	answer(1, IPC_LANE_TAKEN);
	add(3, 3);
	assert_int_equal(t.pauses, 0);
	ipc_lane_go_on(&t.lane);
	assert_int_equal(t.count, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_window_in_order),
		TEST(after_a_failure_the_rest_again_in_order),
		TEST(pauses_are_counted_until_something_is_taken),
		TEST(another_owner_waits_for_what_is_with_the_former),
		TEST(nobody_is_there),
		TEST(what_cannot_be_sent_any_more_ends_the_turn),
		TEST(what_is_dropped_or_at_home_is_not_sent),
		TEST(at_the_end_nothing_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
