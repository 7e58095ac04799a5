/* SPDX-License-Identifier: Apache-2.0
 *
 * cidr: a network of addresses, as an operator writes it: 192.0.2.0/24, 2001:db8::/32, or one address alone (RFC 4632, RFC 4291 section 2.3). */
#ifndef COMMON_NET_CIDR_H
#define COMMON_NET_CIDR_H

#include "common/base/err.h"
#include "common/net/addr.h"

struct cidr {
	uint8_t ip[16]; /* IPv4 mapped, as in net_addr */
	uint8_t bits;   /* of those 128 */
};

/* 0, or -1 with e set: not numeric, more bits than there are, or bits set behind the prefix, which would be a slip of the pen. */
int cidr_parse(const char *text, struct cidr *out, struct err *e);
bool cidr_has(const struct cidr *c, const struct net_addr *a);

#endif
