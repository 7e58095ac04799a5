/* SPDX-License-Identifier: Apache-2.0
 *
 * clock: see clock.h. */
#include "common/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

uint64_t clock_mono_us(void)
{
	return (uint64_t)read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

void clock_format_utc(int64_t wall_us, char out[32])
{
	int64_t seconds = wall_us / 1000000;
	int micros = (int)(wall_us % 1000000);

	/* Division truncates towards zero; times before 1970 must not show a negative fraction. */
	if (micros < 0) {
		micros += 1000000;
		seconds--;
	}
	time_t t = (time_t)seconds;
	struct tm tm;
	if (!gmtime_r(&t, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900) {
		snprintf(out, 32, "1970-01-01T00:00:00Z");
		return;
	}
	size_t n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	if (micros)
		snprintf(out + n, 32 - n, ".%06dZ", micros);
	else
		snprintf(out + n, 32 - n, "Z");
}

void random_bytes(void *out, size_t n)
{
	unsigned char *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		p += got;
		n -= (size_t)got;
	}
}

uint64_t random_u64(void)
{
	uint64_t v;

	do
		random_bytes(&v, sizeof(v));
	while (v == 0);
	return v;
}

void random_token(char *out, size_t n)
{
	static const char symbols[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char raw[64];
	size_t at = 0;

	while (at < n) {
		random_bytes(raw, sizeof(raw));
		/* 252 is the largest multiple of 36 in a byte: what lies above would favour the first symbols. */
		for (size_t i = 0; i < sizeof(raw) && at < n; i++)
			if (raw[i] < 252)
				out[at++] = symbols[raw[i] % 36];
	}
	out[n] = '\0';
}
