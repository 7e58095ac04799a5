/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/metrics.h"

#include "services/mqtt-gateway/gateway.h"

#define COUNT(metric_name, metric_labels, metric_help)                                                                                     \
	{                                                                                                                                  \
		.name = metric_name, .labels = metric_labels, .help = metric_help, .type = METRIC_COUNTER                                  \
	}
#define GAUGE(metric_name, metric_labels, metric_help)                                                                                     \
	{                                                                                                                                  \
		.name = metric_name, .labels = metric_labels, .help = metric_help, .type = METRIC_GAUGE                                    \
	}
#define WAITING    "starling_mqtt_gateway_unacknowledged"
#define WAITING_IS "Messages that are on their way"
#define CONNECTS   "starling_mqtt_gateway_connects_total"
#define MESSAGES   "starling_mqtt_gateway_messages_total"
#define DROPPED    "starling_mqtt_gateway_dropped_total"
#define DROPPED_IS "Messages from topics that did not become messages to users, or were not taken"
#define REFUSED    "starling_mqtt_gateway_refused_total"
#define REFUSED_IS "Users' messages that were answered with an error"

struct gateway_metrics gateway_metrics = {
	.connected = GAUGE("starling_mqtt_gateway_connected", NULL, "Whether it is connected with the broker"),
	.waiting_to_user = GAUGE(WAITING, "direction=\"to-user\"", WAITING_IS),
	.waiting_to_topic = GAUGE(WAITING, "direction=\"to-topic\"", WAITING_IS),
	.connects = COUNT(CONNECTS, "result=\"ok\"", "Attempts to connect, and connections that ended"),
	.failed = COUNT(CONNECTS, "result=\"failed\"", "Attempts to connect, and connections that ended"),
	.to_user = COUNT(MESSAGES, "direction=\"to-user\"", "Messages that were taken at the other side"),
	.to_topic = COUNT(MESSAGES, "direction=\"to-topic\"", "Messages that were taken at the other side"),
	.no_rule = COUNT(DROPPED, "reason=\"no-rule\"", DROPPED_IS),
	.empty = COUNT(DROPPED, "reason=\"empty\"", DROPPED_IS),
	.payload = COUNT(DROPPED, "reason=\"payload\"", DROPPED_IS),
	.too_large = COUNT(DROPPED, "reason=\"too-large\"", DROPPED_IS),
	.address = COUNT(DROPPED, "reason=\"address\"", DROPPED_IS),
	.slow = COUNT(DROPPED, "reason=\"slow\"", DROPPED_IS),
	.refused = COUNT(DROPPED, "reason=\"refused\"", DROPPED_IS),
	.refused_forbidden = COUNT(REFUSED, "reason=\"forbidden\"", REFUSED_IS),
	.refused_unknown = COUNT(REFUSED, "reason=\"unknown\"", REFUSED_IS),
	.refused_size = COUNT(REFUSED, "reason=\"too-large\"", REFUSED_IS),
	.refused_topic = COUNT(REFUSED, "reason=\"topic\"", REFUSED_IS),
	.refused_encrypted = COUNT(REFUSED, "reason=\"encrypted\"", REFUSED_IS),
	.refused_busy = COUNT(REFUSED, "reason=\"busy\"", REFUSED_IS),
	.refused_timeout = COUNT(REFUSED, "reason=\"timeout\"", REFUSED_IS),
	.refused_broker = COUNT(REFUSED, "reason=\"broker\"", REFUSED_IS),
};

static double read_to_user(void *ctx)
{
	return ((const struct gateway *)ctx)->intake.count;
}

static double read_to_topic(void *ctx)
{
	return ((const struct gateway *)ctx)->orders.count;
}

/* The struct holds nothing but metrics, in the order in which they are to be written. */
void gateway_metrics_register(struct gateway *g)
{
	struct metric *m = (struct metric *)&gateway_metrics;

	gateway_metrics.waiting_to_user.read = read_to_user;
	gateway_metrics.waiting_to_topic.read = read_to_topic;
	gateway_metrics.waiting_to_user.ctx = gateway_metrics.waiting_to_topic.ctx = g;
	for (size_t i = 0; i < sizeof(gateway_metrics) / sizeof(*m); i++)
		metrics_register(&m[i]);
}
