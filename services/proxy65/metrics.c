/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/metrics.h"

#include "services/proxy65/proxy65.h"

#define COUNT(metric_name, metric_labels, metric_help)                                                                                     \
	{                                                                                                                                  \
		.name = metric_name, .labels = metric_labels, .help = metric_help, .type = METRIC_COUNTER                                  \
	}
#define GAUGE(metric_name, metric_help)                                                                                                    \
	{                                                                                                                                  \
		.name = metric_name, .help = metric_help, .type = METRIC_GAUGE                                                             \
	}
#define REFUSED "starling_proxy65_refused_total"
#define ENDED   "starling_proxy65_ended_total"

struct proxy65_metrics proxy65_metrics = {
	.connections = GAUGE("starling_proxy65_connections", "Connections now"),
	.streams = GAUGE("starling_proxy65_streams", "Active streams now"),
	.accepted = COUNT("starling_proxy65_connections_total", NULL, "Connections of clients"),
	.refused_address = COUNT(REFUSED, "reason=\"address\"", "Connections that were closed before a stream"),
	.refused_socks = COUNT(REFUSED, "reason=\"socks\"", "Connections that were closed before a stream"),
	.refused_full = COUNT(REFUSED, "reason=\"full\"", "Connections that were closed before a stream"),
	.refused_early = COUNT(REFUSED, "reason=\"early\"", "Connections that were closed before a stream"),
	.timed_out = COUNT(REFUSED, "reason=\"timeout\"", "Connections that were closed before a stream"),
	.activated = COUNT("starling_proxy65_activations_total", "result=\"ok\"", "Requests to activate a stream"),
	.not_activated = COUNT("starling_proxy65_activations_total", "result=\"refused\"", "Requests to activate a stream"),
	.bytes = COUNT("starling_proxy65_bytes_total", NULL, "Bytes moved from one client to another"),
	.ended_done = COUNT(ENDED, "reason=\"done\"", "Active streams that ended"),
	.ended_broken = COUNT(ENDED, "reason=\"broken\"", "Active streams that ended"),
	.ended_idle = COUNT(ENDED, "reason=\"idle\"", "Active streams that ended"),
	.ended_quota = COUNT(ENDED, "reason=\"quota\"", "Active streams that ended"),
	.ended_stop = COUNT(ENDED, "reason=\"stop\"", "Active streams that ended"),
};

static double read_connections(void *ctx)
{
	return ((const struct proxy65 *)ctx)->peer_count;
}

static double read_streams(void *ctx)
{
	return ((const struct proxy65 *)ctx)->active;
}

/* The struct holds nothing but metrics, in the order in which they are to be written. */
void proxy65_metrics_register(struct proxy65 *proxy)
{
	struct metric *m = (struct metric *)&proxy65_metrics;

	proxy65_metrics.connections.read = read_connections;
	proxy65_metrics.streams.read = read_streams;
	proxy65_metrics.connections.ctx = proxy65_metrics.streams.ctx = proxy;
	for (size_t i = 0; i < sizeof(proxy65_metrics) / sizeof(*m); i++)
		metrics_register(&m[i]);
}
