/* SPDX-License-Identifier: Apache-2.0
 *
 * pace: when a thread that is woken for every few datagrams rests for a moment instead, so that the next ones come together. A wake-up costs as much as
 * relaying a datagram does. Who is woken seldom never rests, nor does anybody behind a turn that had much to do: a few calls that have a relay for themselves
 * lose no time, and those at a busy one a tenth of a millisecond. Pure. */
#ifndef TURN_RELAY_PACE_H
#define TURN_RELAY_PACE_H

#include <stdint.h>

#define PACE_REST_US 100u

/* Of one thread; zeroed at first. */
struct pace {
	uint64_t last_us;   /* end of the last turn */
	uint32_t apart_us8; /* eight times the time between turns, on average */
};

/* A turn of the loop is over, at now_us of a clock that does not go back, and had so many datagrams. µs to rest before the next one; 0: do not. */
unsigned pace_turn(struct pace *p, uint64_t now_us, unsigned datagrams);

#endif
