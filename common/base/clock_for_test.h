/* SPDX-License-Identifier: Apache-2.0
 *
 * clock_for_test: lets a test move the monotonic clock of its program forward, for clock.h and libuv alike, so that half a minute need not be waited for.
 * Included once a program: it takes the place of the C library's clock_gettime(). */
#ifndef COMMON_BASE_CLOCK_FOR_TEST_H
#define COMMON_BASE_CLOCK_FOR_TEST_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t clock_moved_ms;
static _Atomic uint32_t clock_reads; /* by all threads */

static inline void clock_move_ms(uint64_t ms)
{
	clock_moved_ms += ms;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
	int failed = (int)syscall(SYS_clock_gettime, id, out);
	uint64_t moved_ms = clock_moved_ms;

	clock_reads++;
	if (!failed && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)) {
		out->tv_sec += (time_t)(moved_ms / 1000);
		out->tv_nsec += (long)(moved_ms % 1000) * 1000000;
		if (out->tv_nsec >= 1000000000) {
			out->tv_nsec -= 1000000000;
			out->tv_sec++;
		}
	}
	return failed;
}

#endif
