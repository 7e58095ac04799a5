/* SPDX-License-Identifier: Apache-2.0
 *
 * flow: bytes in one direction, from one socket to another by splice(2): they never come into this process. Nothing is read while something waits to be written, so
 * that a slow reader slows its writer down and no queue grows. The end of what comes is passed on (half-close). */
#ifndef PROXY65_FLOW_H
#define PROXY65_FLOW_H

#include <stddef.h>
#include <stdint.h>

#include "services/proxy65/pipe_pool.h"

enum flow_state {
	FLOW_READ,        /* goes on when `from` is readable */
	FLOW_WRITE,       /* goes on when `to` is writable */
	FLOW_TOKENS,      /* goes on when more may be moved */
	FLOW_DONE,        /* all is written, and the end was told */
	FLOW_BROKEN_FROM, /* the reading end failed: flow_end_from() says what then */
	FLOW_BROKEN_TO,
	FLOW_NO_PIPE, /* no descriptor is left */
};

/* Zeroed but for the sockets: the beginning. They are not the flow's to close. */
struct flow {
	int from, to;
	struct pipe_ends pipe; /* while held > 0 */
	size_t held;           /* bytes in the pipe */
	bool eof;              /* nothing more comes */
	enum flow_state state;
};

/* Moves at most `budget` bytes from `from`; *out_moved is how many it took from there. */
enum flow_state flow_run(struct flow *f, struct pipe_pool *pool, size_t budget, size_t *out_moved);
/* What `from` has sent is all there is; what is under way still arrives. */
void flow_end_from(struct flow *f);
/* Nobody is there to read: what is under way is lost. */
void flow_end_to(struct flow *f);

#endif
