/* SPDX-License-Identifier: Apache-2.0
 *
 * rate: see rate.h. */
#include "common/daemon/rate.h"

void rate_sample(struct rate *r, uint64_t now_ms, uint64_t total)
{
	r->samples[r->next].at_ms = now_ms;
	r->samples[r->next].total = total;
	r->next = (r->next + 1) % RATE_SAMPLES;
	if (r->count < RATE_SAMPLES)
		r->count++;
}

double rate_now(const struct rate *r, uint64_t now_ms, uint64_t total)
{
	if (r->count == 0)
		return 0;
	unsigned oldest = r->count < RATE_SAMPLES ? 0 : r->next;
	uint64_t elapsed_ms = now_ms - r->samples[oldest].at_ms;
	/* A total that fell was counted from anew. */
	if (total < r->samples[oldest].total)
		return 0;
	/* Over less than a second a handful would pass for a flood. */
	if (elapsed_ms < 1000)
		elapsed_ms = 1000;
	return (double)(total - r->samples[oldest].total) * 1000 / (double)elapsed_ms;
}
