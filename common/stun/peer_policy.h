/* SPDX-License-Identifier: Apache-2.0
 *
 * peer_policy: whom a relay may send to, and hear from. Denied is whatever is not public (common/net/public.h), every address that only carries another one,
 * and this relay itself, unless the operator allows a network. Pure: the same answer wherever it is asked. */
#ifndef COMMON_STUN_PEER_POLICY_H
#define COMMON_STUN_PEER_POLICY_H

#include "common/net/cidr.h"
#include "common/stun/stun_message.h"

/* Memory is the caller's. */
struct peer_policy {
	const struct cidr *allow, *deny;
	size_t allow_count, deny_count;
	const struct net_addr *own; /* addresses and ports where this process listens: never a peer, whatever is allowed */
	size_t own_count;
	const struct net_addr *machine; /* all addresses of this machine; ports do not matter here and in the next one */
	size_t machine_count;
	const struct net_addr *relays; /* of them those with relayed transport addresses, and what peers see in their place */
	size_t relay_count;
	/* Is it the relayed transport address of an allocation that lives? Two clients of this server, both behind a relay. May be NULL: no. */
	bool (*is_relayed)(const struct net_addr *a, void *ctx);
	void *ctx;
};

enum peer_verdict {
	PEER_ALLOWED,
	PEER_NO_ADDRESS,  /* family or length was wrong */
	PEER_DISGUISED,   /* carries another address: mapped, compatible, NAT64, 6to4, Teredo (RFC 8656 section 21, RFC 6156 section 9.1) */
	PEER_UNSPECIFIED, /* no host, or many: 0.0.0.0/8, ::, multicast, broadcast and the rest of 224.0.0.0/3 */
	PEER_OWN,         /* a port where we listen, or an address of ours without a relayed one */
	PEER_DENIED,      /* in the list */
	PEER_PRIVATE,     /* not public */
	PEER_VERDICTS
};
const char *peer_verdict_name(enum peer_verdict v);

/* with_port: false for a permission, which is for an address alone (RFC 8656 section 9). */
enum peer_verdict peer_policy_check(const struct peer_policy *p, const struct stun_address *peer, bool with_port);

/* May a network be allowed at all? 0, or -1 with e set: what no peer can be in, or so wide that a relay would be open to the operator's own networks. */
int peer_policy_check_allow(const struct cidr *c, struct err *e);

#endif
