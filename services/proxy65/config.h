/* SPDX-License-Identifier: Apache-2.0
 *
 * config: services.proxy65 in starling.yml. */
#ifndef PROXY65_CONFIG_H
#define PROXY65_CONFIG_H

#include "common/daemon/config.h"

struct proxy65_config {
	struct config_list addresses;
	int64_t port, ports;
	char *subdomain;
	char *announce_host;
	int64_t announce_port;
	struct config_list allow;
	int64_t connections, address_connections, connect_rate, connect_burst;
	int64_t user_streams, user_rate, stream_rate;
	int64_t quota_bytes, quota_period_ms;
	int64_t handshake_ms, activation_ms, idle_ms, dead_after_ms;
};

extern const struct config_option proxy65_config_options[];
int proxy65_config_check(const struct config_shared *shared, const void *config, struct err *e);

#endif
