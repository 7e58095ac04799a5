/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MQTT_GATEWAY_METRICS_H
#define MQTT_GATEWAY_METRICS_H

#include "common/daemon/metrics.h"

struct gateway;

struct gateway_metrics {
	struct metric connected, waiting_to_user, waiting_to_topic;
	struct metric connects, failed;
	struct metric to_user, to_topic;
	struct metric no_rule, empty, payload, too_large, address, slow, refused;
	struct metric refused_forbidden, refused_unknown, refused_size, refused_topic, refused_encrypted, refused_busy, refused_timeout,
	        refused_broker;
};

extern struct gateway_metrics gateway_metrics;
void gateway_metrics_register(struct gateway *g);

#endif
