/* SPDX-License-Identifier: Apache-2.0
 *
 * stall: finds turns of the event loop that take too long, and what they were doing. Private to daemon.
 *
 * A turn is what runs from one poll to the next, without the waiting in it. The loop measures each turn; a thread beside it looks at the
 * loop now and then (seldom when it is idle) and, while a turn is too long, takes a backtrace of it that the warning names. That thread
 * also speaks up when a turn does not end at all. */
#ifndef COMMON_DAEMON_STALL_H
#define COMMON_DAEMON_STALL_H

#include <stdint.h>
#include <uv.h>

struct stall;

/* Before anything runs on the loop. warn_ms 0: no watch; returns NULL. */
struct stall *stall_new(uv_loop_t *loop, int64_t warn_ms);
void stall_set_limit(struct stall *s, int64_t warn_ms); /* both may be nothing: s NULL, warn_ms 0 */
/* Closes; freed when the loop has run the close callbacks. */
void stall_free(struct stall **s);

#endif
