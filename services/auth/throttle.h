/* SPDX-License-Identifier: Apache-2.0
 *
 * throttle: a bounded table of token buckets, one for each client address (IPv6: one /64). It is the only memory that auth has, and each instance has its
 * own: N instances allow N times as much. A text that is no address, as a Unix socket's, is not limited. */
#ifndef SERVICES_AUTH_THROTTLE_H
#define SERVICES_AUTH_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle;

struct throttle *throttle_new(void);
void throttle_free(struct throttle **t);
/* rate: tokens a second, 0: no limit. The table keeps what it knows. */
void throttle_configure(struct throttle *t, double rate, double burst, uint32_t addresses);
/* Takes a token; false when there is none. */
bool throttle_take(struct throttle *t, const char *address, uint64_t now_ms);
/* Would there be one? */
bool throttle_open(struct throttle *t, const char *address, uint64_t now_ms);

#endif
