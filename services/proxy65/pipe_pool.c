/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

bool pipe_pool_take(struct pipe_pool *pool, struct pipe_ends *out)
{
	int ends[2];

	if (pool->count > 0) {
		*out = pool->spare[--pool->count];
		return true;
	}
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
		return false;
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	*out = (struct pipe_ends){ ends[0], ends[1] };
	return true;
}

void pipe_pool_give(struct pipe_pool *pool, const struct pipe_ends *pipe)
{
	if (pool->count < PIPE_POOL_SPARE)
		pool->spare[pool->count++] = *pipe;
	else
		pipe_ends_close(pipe);
}

void pipe_ends_close(const struct pipe_ends *pipe)
{
	close(pipe->out);
	close(pipe->in);
}

void pipe_pool_fini(struct pipe_pool *pool)
{
	while (pool->count > 0)
		pipe_ends_close(&pool->spare[--pool->count]);
}
