/* SPDX-License-Identifier: Apache-2.0
 *
 * proxy_protocol_accept: reads the PROXY header of connections just accepted, and not one byte behind it: what follows may be for TLS. Only from trusted addresses, only
 * within the time, and so many at once. */
#ifndef COMMON_NET_PROXY_PROTOCOL_ACCEPT_H
#define COMMON_NET_PROXY_PROTOCOL_ACCEPT_H

#include "common/net/cidr.h"
#include "common/net/loop.h"
#include "common/net/proxy_protocol.h"

#define PROXY_WAITING_MAX 1024u /* connections whose header has not come yet; more are closed */

struct proxy_acceptor;

struct proxy_options {
	const struct cidr *trusted; /* the caller's, as long as the acceptor */
	size_t trusted_count;
	uint32_t timeout_ms; /* from accepting to the header's last byte; the specification wants 3 s at least */
};

struct proxy_events {
	/* The descriptor is the receiver's; header is gone when it returns. `from` is the proxy. */
	void (*on_header)(int fd, const struct net_addr *from, const struct proxy_header *header, void *ctx);
	/* It has been closed. why: for a person. */
	void (*on_refused)(const struct net_addr *from, const char *why, void *ctx);
};

struct proxy_acceptor *proxy_acceptor_new(struct net_loop *loop, const struct proxy_options *options, const struct proxy_events *events,
                                          void *ctx);
/* Closes those that wait. */
void proxy_acceptor_free(struct proxy_acceptor **a);
/* Takes over the descriptor (non-blocking, connected). One of the events follows, perhaps before it returns. */
void proxy_acceptor_take(struct proxy_acceptor *a, int fd, const struct net_addr *from);

#endif
