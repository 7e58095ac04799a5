/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/pace.h"

#define OFTEN_US (4 * PACE_REST_US) /* between turns, on average: still often when half of them are behind a rest */
#define LONG_US  10000u             /* a longer pause tells no more */
#define MANY     24u                /* datagrams are worth a turn of their own */

unsigned pace_turn(struct pace *p, uint64_t now_us, unsigned datagrams)
{
	uint64_t apart_us = now_us - p->last_us;

	if (datagrams == 0)
		return 0;
	if (p->last_us == 0)
		p->apart_us8 = 8 * LONG_US;
	p->last_us = now_us;
	p->apart_us8 += (uint32_t)(apart_us < LONG_US ? apart_us : LONG_US) - p->apart_us8 / 8;
	return p->apart_us8 < 8 * OFTEN_US && datagrams < MANY ? PACE_REST_US : 0;
}
