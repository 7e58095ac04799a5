/* SPDX-License-Identifier: Apache-2.0
 *
 * config: services.s2s in starling.yml. */
#ifndef S2S_CONFIG_H
#define S2S_CONFIG_H

#include "common/daemon/config.h"

struct s2s_config {
	struct config_list addresses;
	int64_t port, direct_tls_port;
	char *source_address;
	char *tls_dir, *tls_trust;
	bool require_tls;
	int default_proof; /* index in s2s_config_proofs */
	struct config_list certificate_domains, dialback_domains, deny, allow, overrides, private_networks, dns_servers;
	bool bidi, sm, compression;
	int64_t connections, connect_rate, connect_burst, pairs, verifies;
	int64_t early_stanza_bytes, stanza_bytes, depth, attributes, elements, name_bytes;
	int64_t read_rate, read_burst, output_bytes, unacked;
	int64_t link_stanzas, memory_bytes, window_stanzas;
	int64_t spool_after_ms, spool_age_ms, spool_count, spool_bytes;
	int64_t early_ms, dial_ms, dialback_ms, answer_ms, idle_ms, keepalive_ms, dead_after_ms, close_ms, retry_min_ms, retry_max_ms;
};

enum { S2S_PROOF_BY_DIALBACK_TOO, S2S_PROOF_BY_CERTIFICATE_ONLY };

extern const struct config_option s2s_config_options[];
/* What the options mean together, certificates included. */
int s2s_config_check(const struct config_shared *shared, const void *config, struct err *e);

#endif
