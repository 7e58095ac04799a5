/* SPDX-License-Identifier: Apache-2.0
 *
 * xmpp_override: what an operator says about where a domain's server is, in place of the DNS. */
#ifndef COMMON_DNS_XMPP_OVERRIDE_H
#define COMMON_DNS_XMPP_OVERRIDE_H

#include "common/base/err.h"
#include "common/dns/dns_name.h"
#include "common/net/addr.h"

#define XMPP_PORT        5269 /* RFC 6120 section 14.7 */
#define XMPP_PORT_DIRECT 5270 /* by custom */

struct xmpp_override {
	char domain[DNS_NAME_MAX + 1]; /* A-labels */
	char host[DNS_NAME_MAX + 1];   /* the same, or an address as xmpp_literal takes it */
	uint16_t port;
	bool direct_tls;
};

/* "example.org=xmpp.example.net", "example.org=192.0.2.1:5269", "example.org=tls://[2001:db8::1]:5270"; tls:// is TLS from the first byte, not
 * STARTTLS. A domain may be said several times: its servers are tried in the order given. 0, or -1 with e set. */
int xmpp_override_parse(const char *text, struct xmpp_override *out, struct err *e);

/* Domain as people and JIDs write it -> A-labels with a NUL, or an address: IPv4, or IPv6 in brackets. */
bool xmpp_domain_ascii(struct str domain, char out[DNS_NAME_MAX + 1]);
/* Whether host is an address, then out is it. */
bool xmpp_literal(const char *host, uint16_t port, struct net_addr *out);

#endif
