/* SPDX-License-Identifier: Apache-2.0
 *
 * config: services.mqtt-bridge in starling.yml. */
#ifndef MQTT_BRIDGE_CONFIG_H
#define MQTT_BRIDGE_CONFIG_H

#include "common/daemon/config.h"

struct bridge_config {
	char *bridges;
	char *address, *name, *user, *password_file, *trust;
	bool tls;
	int64_t window, output_bytes;
	int64_t retry_min_ms, retry_max_ms, connect_ms, close_ms;
	char *dns_servers;
};

extern const struct config_option bridge_config_options[];
/* What the options mean together; the file of bridges, certificates and passwords included. */
int bridge_config_check(const struct config_shared *shared, const void *config, struct err *e);

#endif
