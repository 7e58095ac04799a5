/* SPDX-License-Identifier: Apache-2.0
 *
 * addr: an internet address in one form for IPv4 and IPv6: sixteen bytes, IPv4 mapped. Small enough to keep with every connection;
 * text is made when somebody wants to read it. */
#ifndef COMMON_NET_ADDR_H
#define COMMON_NET_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/base/err.h"

#define NET_ADDR_TEXT_MAX 48

struct net_addr {
	uint8_t ip[16];
	uint16_t port;
};

void net_addr_from(const struct sockaddr *sa, struct net_addr *out);
/* For connect and bind: an IPv4 address as one of AF_INET. */
void net_addr_to(const struct net_addr *a, struct sockaddr_storage *out, socklen_t *out_len);
bool net_addr_is_v4(const struct net_addr *a);
/* "192.0.2.1" or "2001:db8::1", without the port. out holds NET_ADDR_TEXT_MAX bytes; returns it. */
const char *net_addr_text(const struct net_addr *a, char *out);
/* What limits count by: the IPv4 address, or the /64 of an IPv6 address, since one subscriber owns all of that. */
void net_addr_key(const struct net_addr *a, uint8_t out[16]);
/* A numeric address and a port, ready for bind. 0, or -1 with e set. */
int net_addr_parse(const char *text, uint16_t port, struct sockaddr_storage *out, socklen_t *out_len, struct err *e);

#endif
