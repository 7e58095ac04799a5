/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MQTT_BRIDGE_METRICS_H
#define MQTT_BRIDGE_METRICS_H

#include "common/daemon/metrics.h"

struct hub;

struct bridge_metrics {
	struct metric up, unacknowledged;
	struct metric connected, failed;
	struct metric out, in;
	struct metric no_rule, too_large, slow, refused;
};

extern struct bridge_metrics bridge_metrics;
void bridge_metrics_register(struct hub *hub);

#endif
