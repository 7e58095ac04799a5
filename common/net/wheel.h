/* SPDX-License-Identifier: Apache-2.0
 *
 * wheel: many coarse time-outs for the price of one timer. Setting and cancelling cost a list operation each; a time-out fires up to one tick
 * late, never early. Made for connections: each embeds the few timers that it needs. Times are the caller's monotonic milliseconds. */
#ifndef COMMON_NET_WHEEL_H
#define COMMON_NET_WHEEL_H

#include <stdint.h>

#include "common/base/list.h"

#define WHEEL_TICK_MS 256u
#define WHEEL_SLOTS   512u

struct wheel_timer {
	struct list_node node;
	uint64_t due_ms;
	void (*fn)(struct wheel_timer *t);
};

struct wheel {
	struct list_node slots[WHEEL_SLOTS];
	uint64_t tick;  /* last tick that was run */
	uint64_t armed; /* timers waiting: 0 means that nobody needs to call wheel_run */
};

void wheel_init(struct wheel *w, uint64_t now_ms);
void wheel_timer_init(struct wheel_timer *t, void (*fn)(struct wheel_timer *t));
/* Also moves one that is armed already. */
void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t due_ms);
void wheel_cancel(struct wheel *w, struct wheel_timer *t);
/* Fires what is due. A timer's function may set, cancel and free any timer, its own included. */
void wheel_run(struct wheel *w, uint64_t now_ms);

#endif
