/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#define FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK;
}

static enum flow_state write_held(struct flow *f, struct pipe_pool *pool)
{
	while (f->held > 0) {
		ssize_t n = splice(f->pipe.out, NULL, f->to, NULL, f->held, FLAGS);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && would_block() ? FLOW_WRITE : FLOW_BROKEN_TO;
		f->held -= (size_t)n;
		if (f->held == 0)
			pipe_pool_give(pool, &f->pipe);
	}
	return FLOW_READ;
}

/* FLOW_WRITE: something is in the pipe now. */
static enum flow_state read_some(struct flow *f, struct pipe_pool *pool, size_t budget)
{
	ssize_t n;

	if (budget == 0)
		return FLOW_TOKENS;
	if (!pipe_pool_take(pool, &f->pipe))
		return FLOW_NO_PIPE;
	do
		n = splice(f->from, NULL, f->pipe.in, NULL, budget < PIPE_BYTES ? budget : PIPE_BYTES, FLAGS);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		f->held = (size_t)n;
		return FLOW_WRITE;
	}
	pipe_pool_give(pool, &f->pipe);
	if (n < 0)
		return would_block() ? FLOW_READ : FLOW_BROKEN_FROM;
	f->eof = true;
	return FLOW_WRITE;
}

enum flow_state flow_run(struct flow *f, struct pipe_pool *pool, size_t budget, size_t *out_moved)
{
	*out_moved = 0;
	while (f->state != FLOW_DONE) {
		f->state = write_held(f, pool);
		if (f->state != FLOW_READ)
			break;
		if (f->eof) {
			shutdown(f->to, SHUT_WR);
			f->state = FLOW_DONE;
			break;
		}
		f->state = read_some(f, pool, budget - *out_moved);
		if (f->state != FLOW_WRITE)
			break;
		*out_moved += f->held;
	}
	return f->state;
}

void flow_end_from(struct flow *f)
{
	f->eof = true;
}

void flow_end_to(struct flow *f)
{
	if (f->held > 0)
		pipe_ends_close(&f->pipe);
	f->held = 0;
	f->eof = true;
	f->state = FLOW_DONE;
}
