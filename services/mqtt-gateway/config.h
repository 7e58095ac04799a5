/* SPDX-License-Identifier: Apache-2.0
 *
 * config: services.mqtt-gateway in starling.yml. */
#ifndef MQTT_GATEWAY_CONFIG_H
#define MQTT_GATEWAY_CONFIG_H

#include "common/daemon/config.h"
#include "common/mqtt_link/mqtt_party.h"

struct gateway_config {
	char *rules, *domain;
	char *address, *name, *user, *password_file, *trust;
	bool tls;
	int64_t window, body_bytes, orders, orders_bytes;
	int64_t retry_min_ms, retry_max_ms, connect_ms, close_ms, publish_ms;
	char *dns_servers;
};

extern const struct config_option gateway_config_options[];
/* What the options mean together; the file of rules, certificates and the password included. */
int gateway_config_check(const struct config_shared *shared, const void *config, struct err *e);
/* The domain that users write to; the caller frees. */
char *gateway_config_domain(const struct config_shared *shared, const struct gateway_config *c);
/* Our broker, loaded; in a zeroed struct. 0, or -1 with e set. */
int gateway_config_party(const struct config_shared *shared, const struct gateway_config *c, struct mqtt_party *out, struct err *e);

#endif
