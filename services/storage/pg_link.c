/* SPDX-License-Identifier: Apache-2.0
 *
 * While connecting, libpq may close its socket and open another (next host, no TLS). So watching stops before every step of
 * PQconnectPoll and begins anew after it, on a new handle if the descriptor is another. */
#include "services/storage/pg_link.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "services/storage/pg_resolve.h"

#define READS_MAX 1000u /* of what a connection that has ended left; some 16 KiB each */

enum link_state { LINK_STARTING, LINK_CONNECTING, LINK_UP, LINK_BROKEN };

struct pg_link {
	enum link_state state;
	const struct pg_dsn *dsn;
	struct pg_link_hooks hooks;
	void *ctx;
	uv_timer_t timer; /* start, then time limit of connecting, then the deferred on_down */
	uint32_t timeout_ms;
	struct pg_resolve *resolve;
	PGconn *pg;
	uv_poll_t *poll; /* of its own life: closed asynchronously */
	int fd;
	bool want_write;
	char notice[256]; /* the server's last words, such as "terminating connection due to administrator command" */
	char why[512];
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_broken(uv_timer_t *timer);

static void on_poll_closed(uv_handle_t *handle)
{
	mem_free(handle);
}

static void unwatch(struct pg_link *l)
{
	if (!l->poll)
		return;
	uv_poll_stop(l->poll);
	l->poll->data = NULL;
	uv_close((uv_handle_t *)l->poll, on_poll_closed);
	l->poll = NULL;
}

static void watch(struct pg_link *l, int events)
{
	int fd = PQsocket(l->pg);

	if (l->poll && fd != l->fd)
		unwatch(l);
	if (!l->poll) {
		l->poll = mem_new(uv_poll_t);
		l->fd = fd;
		if (fd < 0 || uv_poll_init(l->timer.loop, l->poll, fd) < 0) {
			mem_free(l->poll);
			l->poll = NULL;
			pg_link_break(l, NULL);
			return;
		}
		l->poll->data = l;
	}
	uv_poll_start(l->poll, events, on_poll);
}

/* libpq's messages have several lines; the first says what happened, the others guess why. */
static void first_line(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
}

void pg_link_break(struct pg_link *l, const char *why)
{
	if (l->state == LINK_BROKEN)
		return;
	if (!why)
		why = *l->notice ? l->notice : l->pg ? PQerrorMessage(l->pg) : "";
	first_line(l->why, sizeof l->why, *why ? why : "connection lost");
	l->state = LINK_BROKEN;
	unwatch(l);
	uv_timer_start(&l->timer, on_broken, 0, 0);
}

static void on_broken(uv_timer_t *timer)
{
	struct pg_link *l = timer->data;

	l->hooks.on_down(l->why, l->ctx);
}

static void on_notice(void *arg, const char *message)
{
	struct pg_link *l = arg;

	first_line(l->notice, sizeof l->notice, message);
}

static void on_timeout(uv_timer_t *timer)
{
	pg_link_break(timer->data, "no connection within the time limit");
}

static void up(struct pg_link *l)
{
	uv_timer_stop(&l->timer);
	if (PQsetnonblocking(l->pg, 1) < 0) {
		pg_link_break(l, NULL);
		return;
	}
	l->state = LINK_UP;
	watch(l, UV_READABLE);
	l->hooks.on_up(l->ctx);
}

static void connect_step(struct pg_link *l)
{
	if (l->poll)
		uv_poll_stop(l->poll);
	switch (PQconnectPoll(l->pg)) {
	case PGRES_POLLING_READING:
		watch(l, UV_READABLE);
		break;
	case PGRES_POLLING_WRITING:
		watch(l, UV_WRITABLE);
		break;
	case PGRES_POLLING_OK:
		up(l);
		break;
	default:
		pg_link_break(l, NULL);
	}
}

static void begin(struct pg_link *l, const char *host, const char *hostaddr, const char *port)
{
	struct err e;

	l->pg = pg_dsn_connect(l->dsn, host, hostaddr, port, &e);
	if (!l->pg) {
		pg_link_break(l, e.text);
		return;
	}
	PQsetNoticeProcessor(l->pg, on_notice, l);
	l->state = LINK_CONNECTING;
	watch(l, UV_WRITABLE); /* as if PQconnectPoll had said so: libpq's manual */
}

static void on_resolved(const char *host, const char *hostaddr, const char *port, const char *why, void *ctx)
{
	struct pg_link *l = ctx;

	l->resolve = NULL;
	if (why)
		pg_link_break(l, why);
	else if (l->state == LINK_STARTING)
		begin(l, host, hostaddr, port);
}

static void on_start(uv_timer_t *timer)
{
	struct pg_link *l = timer->data;

	uv_timer_start(&l->timer, on_timeout, l->timeout_ms, 0);
	l->resolve = pg_resolve_start(timer->loop, l->dsn, on_resolved, l);
	if (!l->resolve)
		begin(l, NULL, NULL, NULL);
}

void pg_link_flush(struct pg_link *l)
{
	int left;

	if (l->state != LINK_UP)
		return;
	left = PQflush(l->pg);
	if (left < 0) {
		pg_link_break(l, NULL);
	} else if ((left > 0) != l->want_write) {
		l->want_write = left > 0;
		watch(l, UV_READABLE | (left > 0 ? UV_WRITABLE : 0));
	}
}

static void read_rest(struct pg_link *l)
{
	for (unsigned i = 0; i < READS_MAX && PQconsumeInput(l->pg); i++)
		;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct pg_link *l = poll->data;
	bool alive;

	if (!l)
		return;
	if (l->state == LINK_CONNECTING) {
		connect_step(l);
		return;
	}
	if (events & UV_WRITABLE)
		pg_link_flush(l);
	if (l->state != LINK_UP)
		return;
	alive = status == 0 && (!(events & UV_READABLE) || PQconsumeInput(l->pg));
	/* An error of the descriptor: libuv watches it no more, so nobody would come again for what is left. */
	if (status < 0)
		read_rest(l);
	/* What arrived before the end counts: a commit may be among it. */
	l->hooks.on_readable(l->ctx);
	if (!alive)
		pg_link_break(l, NULL);
}

struct pg_link *pg_link_new(uv_loop_t *loop, const struct pg_dsn *dsn, uint32_t timeout_ms, const struct pg_link_hooks *hooks, void *ctx)
{
	struct pg_link *l = mem_new(struct pg_link);

	l->dsn = dsn;
	l->hooks = *hooks;
	l->ctx = ctx;
	l->timeout_ms = timeout_ms;
	l->fd = -1;
	uv_timer_init(loop, &l->timer);
	l->timer.data = l;
	uv_timer_start(&l->timer, on_start, 0, 0);
	return l;
}

static void on_timer_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

void pg_link_free(struct pg_link **link)
{
	struct pg_link *l = *link;

	if (!l)
		return;
	*link = NULL;
	pg_resolve_cancel(&l->resolve);
	unwatch(l);
	PQfinish(l->pg);
	l->pg = NULL;
	l->state = LINK_BROKEN;
	uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}

PGconn *pg_link_pg(struct pg_link *l)
{
	return l->pg;
}
