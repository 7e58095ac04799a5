/* SPDX-License-Identifier: Apache-2.0
 *
 * redis_poll: hiredis' event hooks on a libuv poll handle. The handle lives until its close callback, the context may go before. */
#include "common/base/mem.h"
#include "common/redis/redis_private.h"

struct redis_poll {
	uv_poll_t handle;
	struct redis *owner;
	redisAsyncContext *ac; /* NULL once hiredis has let go */
	int events;
};

static void on_events(uv_poll_t *handle, int status, int events)
{
	struct redis_poll *p = handle->data;

	/* An error of the descriptor shows when it is read. */
	if (p->ac && (status < 0 || (events & UV_READABLE)))
		redisAsyncHandleRead(p->ac);
	if (p->ac && (events & UV_WRITABLE))
		redisAsyncHandleWrite(p->ac);
}

static void set_events(struct redis_poll *p, int events)
{
	if (events == p->events)
		return;
	p->events = events;
	if (events)
		uv_poll_start(&p->handle, events, on_events);
	else
		uv_poll_stop(&p->handle);
}

static void add_read(void *data)
{
	struct redis_poll *p = data;

	set_events(p, p->events | UV_READABLE);
}

static void del_read(void *data)
{
	struct redis_poll *p = data;

	set_events(p, p->events & ~UV_READABLE);
}

static void add_write(void *data)
{
	struct redis_poll *p = data;

	set_events(p, p->events | UV_WRITABLE);
}

static void del_write(void *data)
{
	struct redis_poll *p = data;

	set_events(p, p->events & ~UV_WRITABLE);
}

static void on_closed(uv_handle_t *handle)
{
	struct redis_poll *p = handle->data;
	struct redis *r = p->owner;

	r->open_handles--;
	mem_free(p);
	redis_free_when_closed(r);
}

static void clean_up(void *data)
{
	struct redis_poll *p = data;

	p->ac = NULL;
	uv_close((uv_handle_t *)&p->handle, on_closed);
	redis_on_gone(p->owner);
}

bool redis_poll_attach(struct redis *r, redisAsyncContext *ac)
{
	struct redis_poll *p = mem_new(struct redis_poll);

	if (uv_poll_init(r->loop, &p->handle, ac->c.fd) < 0) {
		mem_free(p);
		return false;
	}
	r->open_handles++;
	p->handle.data = p;
	p->owner = r;
	p->ac = ac;
	ac->ev.data = p;
	ac->ev.addRead = add_read;
	ac->ev.delRead = del_read;
	ac->ev.addWrite = add_write;
	ac->ev.delWrite = del_write;
	ac->ev.cleanup = clean_up;
	return true;
}
