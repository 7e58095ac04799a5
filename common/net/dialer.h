/* SPDX-License-Identifier: Apache-2.0
 *
 * dialer: opens a TCP connection to the first of several addresses that answers (RFC 8305 section 5): the next one is tried when the one before has failed, or has
 * not answered for DIALER_DELAY_MS, while that one goes on. Nothing blocks; names were resolved by somebody else. */
#ifndef COMMON_NET_DIALER_H
#define COMMON_NET_DIALER_H

#include "common/net/addr.h"
#include "common/net/loop.h"

#define DIALER_DELAY_MS  250u
#define DIALER_ADDRS_MAX 16u /* more are not tried */

struct dialer;

struct dialer_opts {
	uint32_t within_ms; /* for all of it; 0: 30 s */
	const struct net_addr *
	        sources; /* addresses of ours to call from (port 0: any): the first of the same family is bound. None of it: the kernel's choice */
	size_t source_count;
};

/* How it ended, from the loop, never from within dialer_start. fd: connected, non-blocking, the receiver's; addr is where it leads to. Or -1, addr NULL, and why in
 * words. The dialer is gone by then; a pointer kept for dialer_cancel must be forgotten here. */
typedef void (*dialer_fn)(int fd, const struct net_addr *addr, const char *why, void *ctx);

/* addrs: in the order of preference, families interleaved by the caller; copied, like the sources (the first of each family). None: it fails. */
struct dialer *dialer_start(struct net_loop *loop, const struct net_addr *addrs, size_t n, const struct dialer_opts *opts, dialer_fn done,
                            void *ctx);
/* Gone at once, without a call of done. May be called at any time before that, with *d NULL at any time. */
void dialer_cancel(struct dialer **d);

#endif
