/* SPDX-License-Identifier: Apache-2.0
 *
 * rate: units a second over the last ten seconds, from a total that is sampled once a second. Pure. */
#ifndef COMMON_DAEMON_RATE_H
#define COMMON_DAEMON_RATE_H

#include <stdint.h>

#define RATE_SAMPLES 11u /* ten seconds lie between the first and the last */

struct rate {
	struct {
		uint64_t at_ms, total;
	} samples[RATE_SAMPLES];
	unsigned next, count;
};

void rate_sample(struct rate *r, uint64_t now_ms, uint64_t total);
/* Between the oldest sample and this total now. */
double rate_now(const struct rate *r, uint64_t now_ms, uint64_t total);

#endif
