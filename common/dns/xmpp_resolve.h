/* SPDX-License-Identifier: Apache-2.0
 *
 * xmpp_resolve: from a domain to the addresses at which its XMPP server may be, in the order in which to try them.
 *
 * SRV records for direct TLS and for STARTTLS are asked for at once and mixed (XEP-0368); then the addresses of each target, IPv6 and IPv4 in turn
 * (RFC 8305 section 4). Without any SRV record the domain's own addresses count, port 5269 (RFC 6120 section 3.2.2). A domain that is an address is
 * taken as it is. What the operator said (xmpp_override.h) goes before the DNS. A name that an SRV record points to is asked for addresses only, so
 * there are two steps and no third, whatever is answered.
 *
 * Where a hostile domain points is its own affair: also at 127.0.0.1. Who connects decides whether that may be. */
#ifndef COMMON_DNS_XMPP_RESOLVE_H
#define COMMON_DNS_XMPP_RESOLVE_H

#include "common/dns/dns.h"
#include "common/dns/srv.h"
#include "common/dns/xmpp_override.h"

#define XMPP_ENDPOINTS_MAX 64u
#define XMPP_ADDRS_MAX     8u /* of one target, so that one cannot crowd out the others */

enum xmpp_found {
	XMPP_FOUND,
	XMPP_BAD_DOMAIN, /* that is no domain */
	XMPP_NO_DOMAIN,  /* the DNS does not know it */
	XMPP_NO_SERVER,  /* it says that there is none, or names hosts that have no address */
	XMPP_NO_ANSWER,  /* the DNS failed: another time it may go */
};

struct xmpp_endpoint {
	struct net_addr addr; /* with the port */
	const char *host;     /* for logs */
	bool direct_tls;      /* TLS from the first byte; else STARTTLS */
};

struct xmpp_endpoints {
	enum xmpp_found code;
	bool overridden; /* the operator said so, not the domain */
	size_t count;    /* 0 unless XMPP_FOUND */
	struct xmpp_endpoint list[XMPP_ENDPOINTS_MAX];
};

/* What all lookups share. The caller's; outlives them. */
struct xmpp_resolver {
	struct net_loop *loop;
	struct dns *dns;
	const struct xmpp_override *overrides; /* of a domain the first SRV_TARGETS_MAX count */
	size_t override_count;
	uint32_t step_ms;  /* after that, each of the two steps goes on with what has been answered; 0: 5000 */
	srv_chance chance; /* NULL: random */
	void *chance_ctx;
};

struct xmpp_resolve;

/* Runs once and never before xmpp_resolve has returned. found and its texts last until it returns; then the lookup is gone. */
typedef void (*xmpp_resolve_fn)(const struct xmpp_endpoints *found, void *ctx);

/* domain: UTF-8 or A-labels; copied. The handle is for xmpp_resolve_cancel and good until fn runs. Has to have ended or been
 * cancelled before dns_free. */
struct xmpp_resolve *xmpp_resolve(const struct xmpp_resolver *resolver, struct str domain, xmpp_resolve_fn fn, void *ctx);
/* fn is not called any more. */
void xmpp_resolve_cancel(struct xmpp_resolve **r);
/* "the domain has no XMPP server" */
const char *xmpp_found_text(enum xmpp_found code);

#endif
