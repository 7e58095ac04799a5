/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "ipc/runtime/calls.h"

static struct calls calls;
static unsigned done[20000];
static int codes[20000];

static void on_done(const struct ipc_result *result, const ProtobufCMessage *reply, void *ctx)
{
	uintptr_t i = (uintptr_t)ctx;

	(void)reply;
	done[i]++;
	codes[i] = result->code;
}

static struct call *start(uintptr_t i, uint64_t now_ms, uint64_t deadline_ms)
{
	done[i] = 0;
	codes[i] = -1;
	return calls_open(&calls, NULL, 0, on_done, (void *)i, now_ms, deadline_ms);
}

/* Any mix of answers, failures and deadlines: each call ends once, and not before its deadline by itself. */
static void test_exactly_once(void **state)
{
	static uint64_t ids[20000], deadlines[20000];
	const struct ipc_result ok = { .text = "" };
	uint64_t now = 1000000;
	unsigned opened = 0, timed_out = 0;

	(void)state;
	calls_init(&calls);
	while (opened < 20000 || calls.open > 0) {
		for (unsigned i = 0; i < 50 && opened < 20000; i++, opened++) {
			deadlines[opened] = now + 1 + random_u64() % 30000;
			ids[opened] = start(opened, now, deadlines[opened])->id;
		}
		for (unsigned i = 0; i < 20; i++) {
			unsigned n = (unsigned)(random_u64() % opened);
			struct call *call = calls_find(&calls, ids[n]);

			if (call)
				assert_int_equal(done[n], 0);
			if (call && i % 3 == 0)
				calls_fail_later(&calls, call, STARLING__CODE__CODE_PEER_LOST, "");
			else if (call)
				calls_complete(&calls, call, &ok, NULL);
		}
		calls_run_failed(&calls);
		now += random_u64() % 40;
		calls_sweep(&calls, now);
	}
	for (unsigned i = 0; i < 20000; i++) {
		assert_int_equal(done[i], 1);
		assert_null(calls_find(&calls, ids[i]));
		timed_out += codes[i] == STARLING__CODE__CODE_TIMEOUT;
	}
	assert_true(timed_out > 100);
	calls_fini(&calls);
}

static void test_deadline(void **state)
{
	uint64_t now = 5000, woken = 0;

	(void)state;
	calls_init(&calls);
	assert_true(calls_next_ms(&calls) == UINT64_MAX);
	start(0, now, now + 60000);
	while (done[0] == 0) {
		uint64_t next = calls_next_ms(&calls);

		assert_true(next > now && next <= 5000 + 60000 + 2 * CALLS_BUCKET_MS);
		now = next;
		calls_sweep(&calls, now);
		woken++;
	}
	assert_in_range(now, 65000, 65000 + CALLS_BUCKET_MS);
	assert_in_range(woken, 1, 20);
	calls_fini(&calls);
}

static void test_sweep_after_stall(void **state)
{
	(void)state;
	calls_init(&calls);
	for (uintptr_t i = 0; i < 1000; i++)
		start(i, 0, i * 37);
	assert_int_equal(calls_sweep(&calls, 100000), 1000);
	assert_int_equal(calls.open, 0);
	calls_fini(&calls);
}

static void reopen(const struct ipc_result *result, const ProtobufCMessage *reply, void *ctx)
{
	(void)reply;
	(void)ctx;
	if (++done[0] < 3)
		calls_fail_later(&calls, calls_open(&calls, NULL, 0, reopen, NULL, 0, 10), result->code, "again");
}

/* A completion that calls again is not run again in the same turn. */
static void test_again(void **state)
{
	(void)state;
	calls_init(&calls);
	done[0] = 0;
	calls_fail_later(&calls, calls_open(&calls, NULL, 0, reopen, NULL, 0, 10), STARLING__CODE__CODE_UNAVAILABLE, "");
	for (unsigned i = 1; i <= 3; i++) {
		assert_true(calls_run_failed(&calls));
		assert_int_equal(done[0], i);
	}
	assert_false(calls_run_failed(&calls));
	calls_fini(&calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exactly_once),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_sweep_after_stall),
		cmocka_unit_test(test_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
