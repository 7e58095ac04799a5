/* SPDX-License-Identifier: Apache-2.0
 *
 * counters: what a worker counts. It alone writes; whoever reads adds up all workers. */
#ifndef TURN_COUNTERS_H
#define TURN_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

enum counter {
	COUNT_ALLOCATIONS, /* now: made less ended */
	COUNT_STREAMS,
	COUNT_PAIRS, /* now: connections of peers that clients have fetched */
	COUNT_ALLOCATED,
	COUNT_MOVED, /* to another address of their clients */
	COUNT_BINDINGS,
	COUNT_BYTES_IN, /* from clients to peers */
	COUNT_BYTES_OUT,
	COUNT_PACKETS_IN,
	COUNT_PACKETS_OUT,
	COUNT_DROP_PERMISSION, /* from a peer without one */
	COUNT_DROP_RATE,
	COUNT_DROP_QUEUE, /* a slow TCP client */
	COUNT_DROP_SOCKET,
	COUNT_DROP_BAD, /* neither STUN nor ChannelData, or of no allocation */
	COUNT_REFUSED_PEER,
	COUNT_REFUSED_QUOTA,
	COUNT_REFUSED_CAPACITY,
	COUNT_REFUSED_REQUEST, /* 400, 420, 437, 440 to 447 */
	COUNT_CHALLENGED,
	COUNT_STALE,
	COUNT_WRONG,      /* credentials */
	COUNT_CAPPED,     /* not looked at, since too many were wrong */
	COUNT_UNANSWERED, /* over the budget of those who have not shown who they are */
	COUNTERS
};

struct counters {
	_Atomic uint64_t value[COUNTERS];
};

static inline void count_add(struct counters *c, enum counter which, uint64_t n)
{
	atomic_store_explicit(&c->value[which], atomic_load_explicit(&c->value[which], memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void count(struct counters *c, enum counter which)
{
	count_add(c, which, 1);
}

static inline uint64_t count_get(const struct counters *c, enum counter which)
{
	return atomic_load_explicit(&c->value[which], memory_order_relaxed);
}

#endif
