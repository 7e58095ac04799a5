/* SPDX-License-Identifier: Apache-2.0
 *
 * config: services.turn-relay in starling.yml. */
#ifndef TURN_CONFIG_H
#define TURN_CONFIG_H

#include "common/daemon/config.h"
#include "common/net/cidr.h"

#define TURN_NETWORKS_MAX 256u

struct turn_config {
	struct config_list addresses, relay_addresses, external_addresses;
	int64_t port, tls_port, port_min, port_max, workers;
	bool udp, tcp, dtls;
	char *tls_dir, *realm, *secrets_file, *users_file;
	struct config_list peers_allow, peers_deny, alternates;
	char *discovery_address, *public_address;
	int64_t discovery_port;
	bool strict_expiry, legacy_channels, tcp_relay, mobility;
	int64_t allocation_max_ms, nonce_ms, early_ms;
	int64_t allocations, per_user, per_address, permissions, channels, tcp_connections, bytes_a_second, packets_a_second;
	int64_t failures_a_minute, unauthenticated_rate, unauthenticated_burst;
	int64_t connections, connect_rate, connect_burst, output_bytes, socket_bytes;
};

extern const struct config_option turn_config_options[];
/* What the options mean together, credentials and certificates included. */
int turn_config_check(const struct config_shared *shared, const void *config, struct err *e);

/* Networks of a list into out, which holds TURN_NETWORKS_MAX. How many; -1 with e set. allowed: for the list of peers that are allowed. */
int turn_config_networks(const struct config_list *list, struct cidr *out, bool allowed, struct err *e);
/* The realm, or the first host. */
const char *turn_config_realm(const struct config_shared *shared, const struct turn_config *c);

#endif
