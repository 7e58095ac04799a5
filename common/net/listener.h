/* SPDX-License-Identifier: Apache-2.0
 *
 * listener: a TCP port. Several instances may listen on the same one (SO_REUSEPORT): the kernel spreads connections over them. Accepts as long as its
 * limits allow; beyond them connections wait in the kernel (total) or are closed (one address too many, or too fast). */
#ifndef COMMON_NET_LISTENER_H
#define COMMON_NET_LISTENER_H

#include "common/base/err.h"
#include "common/net/loop.h"
#include "common/net/proxy_protocol_accept.h"
#include "common/net/ratelimit.h"

struct listener;

struct listener_events {
	/* The descriptor is the receiver's, non-blocking. */
	void (*on_accept)(struct listener *l, int fd, const struct net_addr *peer, void *ctx);
	/* An address over its limit; may be NULL. */
	void (*on_refused)(struct listener *l, const struct net_addr *peer, enum ratelimit_verdict why, void *ctx);
};

/* Where a proxy stands before a listener: must last as long as it. */
struct listener_proxy {
	struct proxy_options options;
	/* Instead of listener_events.on_accept, with all that the header says; it is gone when this returns. May be NULL. */
	void (*on_accept)(struct listener *l, int fd, const struct net_addr *peer, const struct proxy_header *header, void *ctx);
	/* `from` was no trusted proxy, or sent no header that could be read in time. why: for a person. May be NULL. */
	void (*on_refused)(struct listener *l, const struct net_addr *from, const char *why, void *ctx);
};

/* address: numeric; "::" takes IPv6 only, so that 0.0.0.0 can stand beside it. limits: for attempts by one address; may be NULL. The concurrent part is the
 * receiver's to count, since it knows when a connection ends. NULL with e and errno set. */
struct listener *listener_new(struct net_loop *loop, const char *address, uint16_t port, struct ratelimit *limits,
                              const struct listener_events *events, void *ctx, struct err *e);
/* The same in two steps: the port is ours, but others who share it get all connections until listener_listen. */
struct listener *listener_new_bound(struct net_loop *loop, const char *address, uint16_t port, struct ratelimit *limits,
                                    const struct listener_events *events, void *ctx, struct err *e);
int listener_listen(struct listener *l, struct err *e); /* 0, or -1 with e and errno set */
/* For a port that nobody shares: errno is EADDRINUSE where somebody else listens on it. */
struct listener *listener_new_alone(struct net_loop *loop, const char *address, uint16_t port, struct ratelimit *limits,
                                    const struct listener_events *events, void *ctx, struct err *e);
void listener_free(struct listener **l);
/* Every connection must begin with a PROXY header and come from a trusted address. Peer is the address that the header tells, and what the limits are for;
 * where it tells none (the proxy's own checks), the proxy's. Once, before it accepts: the same port cannot serve others as well, or anybody could say whose
 * address to believe. Those whose header was on its way may still come after listener_accept(l, false). */
void listener_expect_proxy(struct listener *l, const struct listener_proxy *proxy);
/* Begin, stop and begin again to accept. A new one does not accept yet. */
void listener_accept(struct listener *l, bool on);
uint16_t listener_port(const struct listener *l);

#endif
