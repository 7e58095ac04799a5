/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics: counters, gauges and histograms, declared where they are counted, written in Prometheus' text format at GET /metrics.
 * Names follow Prometheus: starling_<what>_<unit>[_total]. Single-threaded: count on the loop only. */
#ifndef COMMON_DAEMON_METRICS_H
#define COMMON_DAEMON_METRICS_H

#include <stdint.h>

#include "common/base/buf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* Static storage; register once at start. */
struct metric {
	const char *name;
	const char *help;
	enum metric_type type;
	const char *labels; /* fixed: reason="policy"; NULL: none. Metrics of one name differ in labels */
	double value;
	/* gauges that are cheaper to read when asked */
	double (*read)(void *ctx);
	void *ctx;
	/* histograms: upper bounds, ascending; counts has bound_count + 1 entries */
	const double *bounds;
	uint32_t bound_count;
	uint64_t *counts;
	double sum;
	struct metric *next;
};

void metrics_register(struct metric *m);
static inline void metric_add(struct metric *m, double v)
{
	m->value += v;
}
static inline void metric_inc(struct metric *m)
{
	m->value += 1;
}
static inline void metric_set(struct metric *m, double v)
{
	m->value = v;
}
void metric_observe(struct metric *m, double v);
void metrics_write(struct buf *out);
/* Every counter and gauge in turn (admin.proto, StatusReply.figures). */
void metrics_each(void (*fn)(const char *name, const char *labels, double value, void *ctx), void *ctx);

#endif
