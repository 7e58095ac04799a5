/* SPDX-License-Identifier: Apache-2.0
 *
 * What is not the loop's fault. (That a turn which takes too long is told, and where it was, daemon_test.c shows.) */
#include "common/daemon/stall.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock_for_test.h"

#define STOPPED_MS  15000 /* longer than a turn may last without being said to be stuck */
#define LOOK_MS     50    /* from reading the clock the thread needs no longer to read what the loop tells */
#define PATIENCE_MS 60000

static uint64_t real_ms(void)
{
	struct timespec now;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Until the thread beside the loop has read the clock, and what it reads with it. */
static bool await_a_look(void)
{
	uint32_t before = clock_reads;
	uint64_t until = real_ms() + PATIENCE_MS;

	while (clock_reads == before && real_ms() < until)
		sched_yield(); /* which is no waiting */
	for (until = real_ms() + LOOK_MS; real_ms() < until;)
		sched_yield();
	return clock_reads > before;
}

/* What both threads see of a SIGSTOP in the middle of a turn: no time for either, and then it is late. The turn lasts until the thread has looked at it. */
static void be_stopped(uv_timer_t *timer)
{
	bool *looked = timer->data;

	*looked = await_a_look();
	clock_move_ms(STOPPED_MS);
	*looked = await_a_look() && *looked;
	uv_close((uv_handle_t *)timer, NULL);
}

/* Keeps the loop turning until that turn is over. */
static void on_end(uv_timer_t *timer)
{
	uv_close((uv_handle_t *)timer, NULL);
}

/* Runs one turn that is stopped; the log of it. */
static void logged_of_a_stop(char *out, size_t size)
{
	FILE *log = tmpfile();
	int kept = dup(STDERR_FILENO);
	uv_loop_t loop;
	uv_timer_t stop, end;
	struct stall *s;
	bool looked = false;
	size_t n;

	fflush(NULL);
	dup2(fileno(log), STDERR_FILENO);
	uv_loop_init(&loop);
	s = stall_new(&loop, 1000);
	uv_timer_init(&loop, &stop);
	uv_timer_init(&loop, &end);
	stop.data = &looked;
	uv_timer_start(&stop, be_stopped, 5, 0);
	uv_timer_start(&end, on_end, STOPPED_MS + 1, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	stall_free(&s);
	uv_run(&loop, UV_RUN_DEFAULT);
	dup2(kept, STDERR_FILENO);
	close(kept);
	assert_int_equal(uv_loop_close(&loop), 0);
	rewind(log);
	n = fread(out, 1, size - 1, log);
	out[n] = '\0';
	fclose(log);
	assert_true(looked);
}

static void a_stopped_process_is_no_stall(void **state)
{
	char logged[4096];

	(void)state;
	logged_of_a_stop(logged, sizeof(logged));
	assert_non_null(strstr(logged, "event loop was given no processor time"));
	assert_null(strstr(logged, "stuck"));
	assert_null(strstr(logged, "stalled"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stopped_process_is_no_stall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
