/* SPDX-License-Identifier: Apache-2.0
 *
 * config: services.c2s-edge in starling.yml. */
#ifndef C2S_EDGE_CONFIG_H
#define C2S_EDGE_CONFIG_H

#include "common/daemon/config.h"

struct c2s_config {
	struct config_list addresses;
	struct config_list proxies;
	int64_t proxy_ms;
	int64_t c2s_port, direct_tls_port;
	char *public_address;
	char *tls_dir;
	bool require_tls;
	bool default_host;
	bool compression;
	int64_t sasl_tries;

	int64_t connections, connections_per_address, logins_per_address;
	int64_t connect_rate, connect_burst;
	int64_t login_stanza_bytes, stanza_bytes;
	int64_t depth, attributes, elements, name_bytes;
	int64_t read_rate, read_burst;
	int64_t output_bytes, unacked;
	int64_t login_rate;
	int64_t window_stanzas, window_bytes;

	int64_t login_ms, bind_wait_ms, keepalive_ms, dead_after_ms, close_ms, linger_ms, ack_ms;
	bool sm_enabled;
	int64_t sm_resume_ms, sm_max_ms;
};

extern const struct config_option c2s_config_options[];
/* What the options mean together, certificates included. */
int c2s_config_check(const struct config_shared *shared, const void *config, struct err *e);

#endif
