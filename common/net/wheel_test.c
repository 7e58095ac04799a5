/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/net/wheel.h"

static struct wheel w;
static struct probe {
	struct wheel_timer t;
	uint64_t fired_at;
	unsigned times;
} probes[4];
static uint64_t now;

static void on_fire(struct wheel_timer *t)
{
	struct probe *p = list_entry(t, struct probe, t);

	p->fired_at = now;
	p->times++;
}

static int setup(void **state)
{
	(void)state;
	now = 1000000;
	wheel_init(&w, now);
	for (unsigned i = 0; i < 4; i++) {
		probes[i] = (struct probe){ 0 };
		wheel_timer_init(&probes[i].t, on_fire);
	}
	return 0;
}

static void run_to(uint64_t until)
{
	for (; now <= until; now += 100)
		wheel_run(&w, now);
}

static void fires_never_early_and_at_most_a_tick_late(void **state)
{
	static const uint64_t delays[] = { 0, 1, 5000, 1000000 }; /* the last one takes several turns of the wheel */

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		wheel_set(&w, &probes[i].t, now + delays[i]);
	assert_int_equal(w.armed, 4);
	run_to(1000000 + 1010000);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(probes[i].times, 1);
		assert_true(probes[i].fired_at >= 1000000 + delays[i]);
		assert_true(probes[i].fired_at <= 1000000 + delays[i] + 2 * WHEEL_TICK_MS);
	}
	assert_int_equal(w.armed, 0);
}

static void cancelled_and_moved_ones_do_not_fire_at_the_old_time(void **state)
{
	(void)state;
	wheel_set(&w, &probes[0].t, now + 1000);
	wheel_set(&w, &probes[1].t, now + 1000);
	wheel_cancel(&w, &probes[0].t);
	wheel_cancel(&w, &probes[0].t);
	wheel_set(&w, &probes[1].t, now + 9000);
	run_to(1000000 + 5000);
	assert_int_equal(probes[0].times, 0);
	assert_int_equal(probes[1].times, 0);
	run_to(1000000 + 10000);
	assert_int_equal(probes[1].times, 1);
	assert_int_equal(w.armed, 0);
}

static void cancel_neighbour(struct wheel_timer *t)
{
	on_fire(t);
	wheel_cancel(&w, &probes[1].t);
	wheel_set(&w, &probes[0].t, now + 1000);
}

/* A function may take others out of the very slot that is being run, and arm itself again. */
static void functions_may_change_the_wheel(void **state)
{
	(void)state;
	probes[0].t.fn = cancel_neighbour;
	wheel_set(&w, &probes[0].t, now + 500);
	wheel_set(&w, &probes[1].t, now + 500);
	run_to(1000000 + 1200);
	assert_int_equal(probes[0].times, 1);
	assert_int_equal(probes[1].times, 0);
	run_to(1000000 + 2500);
	assert_int_equal(probes[0].times, 2);
}

static void a_long_sleep_loses_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		wheel_set(&w, &probes[i].t, now + 60000 * i);
	now += 10000000;
	wheel_run(&w, now);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(probes[i].times, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(fires_never_early_and_at_most_a_tick_late, setup),
		cmocka_unit_test_setup(cancelled_and_moved_ones_do_not_fire_at_the_old_time, setup),
		cmocka_unit_test_setup(functions_may_change_the_wheel, setup),
		cmocka_unit_test_setup(a_long_sleep_loses_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
