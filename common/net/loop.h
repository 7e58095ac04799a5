/* SPDX-License-Identifier: Apache-2.0
 *
 * loop: what all connections of one libuv loop share: the buffers that bytes are read into, the end-of-turn queue and the wheel of
 * time-outs. One per daemon. So an idle connection holds neither a read buffer nor a timer of libuv. */
#ifndef COMMON_NET_LOOP_H
#define COMMON_NET_LOOP_H

#include <uv.h>

#include "common/base/list.h"
#include "common/net/wheel.h"

#define NET_READ_BYTES    32768u
#define NET_COSTLY_A_TURN 32u /* handshakes take up to a millisecond each, and the loop must not stand still for seconds */

/* Work for the end of this turn of the loop (of the next one, when queued from such work). Embedded; init before use. */
struct net_task {
	struct list_node node;
	void (*fn)(struct net_task *t);
};

struct net_loop {
	uv_loop_t *uv;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t idle;   /* active while tasks wait, so that the loop does not sleep on them */
	uv_timer_t timer; /* active while time-outs are armed */
	uint32_t closing; /* handles not yet closed */
	struct list_node tasks, costly;
	struct wheel wheel;
	char *read_buf;  /* NET_READ_BYTES; contents last until the reading function returns */
	char *plain_buf; /* NET_READ_BYTES; decompressed */
};

struct net_loop *net_loop_new(uv_loop_t *uv);
/* All connections and listeners must be gone. The memory goes when libuv has closed the handles, one turn later. */
void net_loop_free(struct net_loop **l);
static inline uint64_t net_now(const struct net_loop *l)
{
	return uv_now(l->uv);
}

void net_task_init(struct net_task *t, void (*fn)(struct net_task *t));
void net_defer(struct net_loop *l, struct net_task *t); /* once, however often it is asked for */
/* The same for work of which only so much is done in a turn; the rest waits in line. */
void net_defer_costly(struct net_loop *l, struct net_task *t);
void net_task_cancel(struct net_task *t);

void net_timer_set(struct net_loop *l, struct wheel_timer *t, uint64_t in_ms);
void net_timer_cancel(struct net_loop *l, struct wheel_timer *t);

#endif
