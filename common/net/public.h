/* SPDX-License-Identifier: Apache-2.0
 *
 * public: whether an address may be reached over the internet, or is of this machine, of the network it is in, or of nobody. For those who connect to
 * where somebody else says: what is not public may be the operator's own, which outsiders are not to reach through us. */
#ifndef COMMON_NET_PUBLIC_H
#define COMMON_NET_PUBLIC_H

#include "common/net/addr.h"

/* By IANA's special-purpose registries (RFC 6890), which are strict where it does not matter: also what no server could have, such as addresses for
 * documentation, is not public. An IPv6 address that only carries an IPv4 address is what that one is (net_addr_inner). */
bool net_addr_is_public(const struct net_addr *a);
/* The IPv4 address within one of NAT64 (64:ff9b::/96, RFC 6052) or 6to4 (2002::/16, RFC 3056), else the address itself. A translator or a relay in this
 * network would bring us there. */
struct net_addr net_addr_inner(const struct net_addr *a);

#endif
