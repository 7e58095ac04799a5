/* SPDX-License-Identifier: Apache-2.0
 *
 * srv: in which order the targets of SRV records are tried (RFC 2782), those of a service with direct TLS and those of the one with STARTTLS in one list
 * (XEP-0368 section "Requirements", rule 1). No I/O; chance comes from the caller. */
#ifndef COMMON_DNS_SRV_H
#define COMMON_DNS_SRV_H

#include <stdbool.h>

#include "common/dns/dns_result.h"

#define SRV_TARGETS_MAX 30u

struct srv_target {
	const char *host; /* of the result that it was taken from */
	uint16_t priority, weight, port;
	bool direct_tls;
};

struct srv_list {
	struct srv_target targets[SRV_TARGETS_MAX];
	size_t count;
	/* Records there were, be it only "." (RFC 2782: the service is decidedly not available at this domain): then the domain itself must not be tried
	 * in their place (XEP-0368 section "Implementation Notes"). */
	bool said;
};

/* A number in 0 .. below - 1, each as likely as any other. below is at least 1. */
typedef uint32_t (*srv_chance)(void *ctx, uint32_t below);

/* direct and starttls are results of type DNS_SRV. Targets "." and port 0 cannot be connected to and are left out; of the rest the first SRV_TARGETS_MAX. */
void srv_merge(const struct dns_result *direct, const struct dns_result *starttls, srv_chance chance, void *ctx, struct srv_list *out);

#endif
