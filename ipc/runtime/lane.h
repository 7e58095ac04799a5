/* SPDX-License-Identifier: Apache-2.0
 *
 * lane: things for whoever owns a slot, in order. Some are on the way at a time, all to one owner under one epoch, which each names: so none of those behind a
 * refused one can be taken, and of those behind a lost one none arrives (ipc/README.md, order; they are to be sent with in_line). After a failure the lane waits until all on the way were answered, then sends what is left again, in order, to whoever
 * has the slot then. No I/O: what is sent, and how, is its user's. */
#ifndef IPC_RUNTIME_LANE_H
#define IPC_RUNTIME_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"

#define IPC_LANE_WINDOW 64u /* on the way at a time */

struct ipc_lane;

/* Embedded in what is sent; its user frees it, and takes it off the list for that. */
struct ipc_lane_item {
	struct list_node node;
	bool sent; /* and not known to have failed */
};

enum ipc_lane_sent {
	IPC_LANE_SENT,  /* ipc_lane_answered will be called, later */
	IPC_LANE_STUCK, /* the same; but nothing more can be sent now */
	IPC_LANE_GONE,  /* it was freed instead */
};

enum ipc_lane_answer {
	IPC_LANE_TAKEN,   /* the item is freed */
	IPC_LANE_REFUSED, /* the same: it would never be taken */
	IPC_LANE_FAILED,  /* the item is kept, unless its user gave it up: to be sent again */
};

struct ipc_lane_ops {
	/* Whom they are for now, and under which epoch; 0: nobody. */
	uint64_t (*receiver)(struct ipc_lane *l, uint64_t *out_epoch);
	enum ipc_lane_sent (*send)(struct ipc_lane *l, struct ipc_lane_item *i, uint64_t owner, uint64_t epoch);
	/* ipc_lane_go_on is to be called in a while; attempts: how many pauses there were since something was taken. */
	void (*pause)(struct ipc_lane *l, uint32_t attempts);
	/* May be NULL. Nothing is on the way: what waits may be taken off, since it need not be sent. */
	void (*quiet)(struct ipc_lane *l);
	/* May be NULL. Nobody is there for the first one; it may be given up. */
	void (*stranded)(struct ipc_lane *l, struct ipc_lane_item *first);
};

struct ipc_lane {
	struct list_node items; /* struct ipc_lane_item */
	const struct ipc_lane_ops *ops;
	const bool *stopping;  /* nothing is sent any more; answers still come */
	uint64_t owner, epoch; /* to whom those on the way are */
	uint32_t on_the_way, attempts;
	bool broken; /* something failed: nothing goes out until all was answered and the pause is over */
	bool pausing;
};

/* ops and stopping outlive the lane. */
void ipc_lane_init(struct ipc_lane *l, const struct ipc_lane_ops *ops, const bool *stopping);
void ipc_lane_add(struct ipc_lane *l, struct ipc_lane_item *i);
/* Once for each that was sent, after the item was seen to. */
void ipc_lane_answered(struct ipc_lane *l, enum ipc_lane_answer answer);
void ipc_lane_go_on(struct ipc_lane *l);

#endif
