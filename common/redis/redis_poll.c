/* SPDX-License-Identifier: Apache-2.0
 *
 * redis_poll: hiredis' event hooks on libuv handles, which live until their close callbacks; the context may go before. What is to be written is written in
 * the next turn of the loop; only when the socket has no room is it asked for any: that would be four system calls and a turn more for each batch. */
#include "common/base/mem.h"
#include "common/redis/redis_private.h"

struct redis_poll {
	uv_poll_t handle;
	uv_idle_t writer; /* active: write in the next turn */
	struct redis *owner;
	redisAsyncContext *ac; /* NULL once hiredis has let go */
	int events;
	bool writing;
};

static void on_events(uv_poll_t *handle, int status, int events)
{
	struct redis_poll *p = handle->data;

	/* An error of the descriptor shows when it is read, behind what came before it; libuv has stopped to watch it meanwhile. */
	if (p->ac && status < 0)
		uv_poll_start(handle, p->events, on_events);
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

static void on_turn(uv_idle_t *writer)
{
	struct redis_poll *p = writer->data;

	uv_idle_stop(writer);
	p->writing = true;
	redisAsyncHandleWrite(p->ac);
	p->writing = false;
}

static void add_write(void *data)
{
	struct redis_poll *p = data;

	/* While it connects, and when it could not write all, the socket has to say when it is ready. */
	if (p->writing || !(p->ac->c.flags & REDIS_CONNECTED))
		set_events(p, p->events | UV_WRITABLE);
	else if (!(p->events & UV_WRITABLE))
		uv_idle_start(&p->writer, on_turn);
}

static void del_write(void *data)
{
	struct redis_poll *p = data;

	uv_idle_stop(&p->writer);
	set_events(p, p->events & ~UV_WRITABLE);
}

static void on_closed(uv_handle_t *handle)
{
	struct redis_poll *p = handle->data;
	struct redis *r = p->owner;

	r->open_handles--;
	if (handle == (uv_handle_t *)&p->handle)
		uv_close((uv_handle_t *)&p->writer, on_closed);
	else
		mem_free(p);
	redis_free_when_closed(r);
}

static void clean_up(void *data)
{
	struct redis_poll *p = data;

	p->ac = NULL;
	uv_idle_stop(&p->writer);
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
	uv_idle_init(r->loop, &p->writer);
	r->open_handles += 2;
	p->handle.data = p->writer.data = p;
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
