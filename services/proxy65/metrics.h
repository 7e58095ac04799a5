/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY65_METRICS_H
#define PROXY65_METRICS_H

#include "common/daemon/metrics.h"

struct proxy65;

struct proxy65_metrics {
	struct metric connections, streams;
	struct metric accepted, refused_address, refused_socks, refused_full, refused_early, timed_out;
	struct metric activated, not_activated;
	struct metric bytes;
	struct metric ended_done, ended_broken, ended_idle, ended_quota, ended_stop;
};

extern struct proxy65_metrics proxy65_metrics;
void proxy65_metrics_register(struct proxy65 *proxy);

#endif
