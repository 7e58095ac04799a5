/* SPDX-License-Identifier: Apache-2.0
 *
 * prefix: a network, as operators write it: 10.0.0.0/8, 2001:db8::/32, or one address. */
#ifndef COMMON_NET_PREFIX_H
#define COMMON_NET_PREFIX_H

#include "common/net/addr.h"

struct net_prefix {
	uint8_t ip[16]; /* as in net_addr: IPv4 mapped; zero behind the first `bits` */
	uint8_t bits;   /* of these 16 bytes: for IPv4 96 more than was written */
};

/* 0; or -1 with e set: no address, too many bits, or bits that are set behind the prefix, since then one of the two is a mistake. */
int net_prefix_parse(const char *text, struct net_prefix *out, struct err *e);
/* The port does not matter. */
bool net_prefix_has(const struct net_prefix *p, const struct net_addr *a);

#endif
