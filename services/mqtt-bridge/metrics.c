/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-bridge/metrics.h"

#include "services/mqtt-bridge/hub.h"

#define COUNT(metric_name, metric_labels, metric_help)                                                                                     \
	{                                                                                                                                  \
		.name = metric_name, .labels = metric_labels, .help = metric_help, .type = METRIC_COUNTER                                  \
	}
#define GAUGE(metric_name, metric_help)                                                                                                    \
	{                                                                                                                                  \
		.name = metric_name, .help = metric_help, .type = METRIC_GAUGE                                                             \
	}
#define CONNECTS   "starling_mqtt_bridge_connects_total"
#define MESSAGES   "starling_mqtt_bridge_messages_total"
#define DROPPED    "starling_mqtt_bridge_dropped_total"
#define DROPPED_IS "Messages that did not arrive at the other side"

struct bridge_metrics bridge_metrics = {
	.up = GAUGE("starling_mqtt_bridge_up", "Links that are connected at both ends"),
	.unacknowledged = GAUGE("starling_mqtt_bridge_unacknowledged", "Messages with QoS 1 and 2 on their way through links"),
	.connected = COUNT(CONNECTS, "result=\"ok\"", "Attempts to connect, and connections that ended"),
	.failed = COUNT(CONNECTS, "result=\"failed\"", "Attempts to connect, and connections that ended"),
	.out = COUNT(MESSAGES, "direction=\"out\"", "Messages that went over links"),
	.in = COUNT(MESSAGES, "direction=\"in\"", "Messages that went over links"),
	.no_rule = COUNT(DROPPED, "reason=\"no-rule\"", DROPPED_IS),
	.too_large = COUNT(DROPPED, "reason=\"too-large\"", DROPPED_IS),
	.slow = COUNT(DROPPED, "reason=\"slow\"", DROPPED_IS),
	.refused = COUNT(DROPPED, "reason=\"refused\"", DROPPED_IS),
};

static double read_unacknowledged(void *ctx)
{
	return hub_unacknowledged(ctx);
}

static double read_count(void *ctx)
{
	return (double)*(const uint64_t *)ctx;
}

static void counts(struct metric *m, uint64_t *value)
{
	m->read = read_count;
	m->ctx = value;
}

/* The struct holds nothing but metrics, in the order in which they are to be written. */
void bridge_metrics_register(struct hub *hub)
{
	struct metric *m = (struct metric *)&bridge_metrics;

	bridge_metrics.unacknowledged.read = read_unacknowledged;
	bridge_metrics.unacknowledged.ctx = hub;
	counts(&bridge_metrics.out, &hub->counts.passed[WAY_OUT]);
	counts(&bridge_metrics.in, &hub->counts.passed[WAY_IN]);
	counts(&bridge_metrics.no_rule, &hub->counts.no_rule);
	counts(&bridge_metrics.too_large, &hub->counts.too_large);
	counts(&bridge_metrics.slow, &hub->counts.slow);
	counts(&bridge_metrics.refused, &hub->counts.refused);
	for (size_t i = 0; i < sizeof(bridge_metrics) / sizeof(*m); i++)
		metrics_register(&m[i]);
}
