/* SPDX-License-Identifier: Apache-2.0
 *
 * later: things to try again, on one timer. At shutdown everything still waiting runs once with sm->stopping set, to free itself. */
#ifndef SESSION_MANAGER_LATER_H
#define SESSION_MANAGER_LATER_H

#include <stdint.h>

struct sm;

void later_init(struct sm *sm);
void later_fini(struct sm *sm);
void later_run(struct sm *sm, uint64_t delay_ms, void (*fn)(void *ctx), void *ctx);
/* What failed so many times before, for want of somebody who answers: after later_backoff_ms, or at the next later_hurry. */
void later_again(struct sm *sm, uint32_t attempts, void (*fn)(void *ctx), void *ctx);
/* Whoever was missing is there: what is to be tried again is tried in the next turn of the loop, in the order in which it would have been. */
void later_hurry(struct sm *sm);
/* Waiting time before try number `attempts` + 1: 50 ms, doubling up to two seconds, with jitter. */
uint64_t later_backoff_ms(uint32_t attempts);

#endif
