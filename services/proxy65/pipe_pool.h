/* SPDX-License-Identifier: Apache-2.0
 *
 * pipe_pool: pipes that bytes pass through on their way from one socket to another. A stream holds one only while something is in it, so that a few serve
 * thousands. */
#ifndef PROXY65_PIPE_POOL_H
#define PROXY65_PIPE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#define PIPE_POOL_SPARE 64u
#define PIPE_BYTES      262144 /* asked for; the kernel may give less (fs.pipe-user-pages-soft) */

struct pipe_ends {
	int out, in; /* read from, write to; both non-blocking */
};

/* Zeroed: empty. */
struct pipe_pool {
	struct pipe_ends spare[PIPE_POOL_SPARE];
	uint32_t count;
};

/* False: no descriptor is left. */
bool pipe_pool_take(struct pipe_pool *pool, struct pipe_ends *out);
/* It is empty again. */
void pipe_pool_give(struct pipe_pool *pool, const struct pipe_ends *pipe);
/* What is in it is lost. */
void pipe_ends_close(const struct pipe_ends *pipe);
void pipe_pool_fini(struct pipe_pool *pool);

#endif
