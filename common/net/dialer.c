/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/dialer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

#define WITHIN_MS 30000u

/* One address being called. Outlives its dialer until libuv has let go of the handle. */
struct attempt {
	uv_poll_t poll;
	struct dialer *dialer;
	struct net_addr addr;
	struct list_node node;
	int fd;
};

struct dialer {
	struct net_loop *loop;
	dialer_fn done;
	void *ctx;
	uv_timer_t timer; /* the next attempt, or the end; the wheel's ticks are too coarse for 250 ms */
	struct list_node attempts;
	uint64_t deadline_ms;
	uint32_t within_ms;
	size_t count, next;
	struct net_addr addrs[DIALER_ADDRS_MAX];
	struct net_addr source4, source6; /* all zero: none */
	char why[160];
};

static void on_attempt_closed(uv_handle_t *h)
{
	mem_free(h->data);
}

/* Returns its descriptor. */
static int attempt_end(struct attempt *a)
{
	int fd = a->fd;

	list_remove(&a->node);
	uv_poll_stop(&a->poll);
	uv_close((uv_handle_t *)&a->poll, on_attempt_closed);
	return fd;
}

static void on_dialer_closed(uv_handle_t *h)
{
	mem_free(h->data);
}

static void dispose(struct dialer *d)
{
	list_for_each_safe (it, &d->attempts) {
		close(attempt_end(list_entry(it, struct attempt, node)));
	}
	uv_timer_stop(&d->timer);
	uv_close((uv_handle_t *)&d->timer, on_dialer_closed);
}

void dialer_cancel(struct dialer **d)
{
	if (*d)
		dispose(*d);
	*d = NULL;
}

static void fail(struct dialer *d)
{
	char why[sizeof(d->why)];
	dialer_fn done = d->done;
	void *ctx = d->ctx;

	memcpy(why, d->why, sizeof(why));
	dispose(d);
	done(-1, NULL, why, ctx);
}

static void note(struct dialer *d, const struct net_addr *addr, const char *what)
{
	char text[NET_ADDR_TEXT_MAX];

	snprintf(d->why, sizeof(d->why), "%s port %u: %s", net_addr_text(addr, text), addr->port, what);
}

static int bind_source(const struct dialer *d, const struct net_addr *to, int fd)
{
	const struct net_addr *source = net_addr_is_v4(to) ? &d->source4 : &d->source6;
	static const struct net_addr none;
	struct sockaddr_storage sa;
	socklen_t n;
	int on = 1;

	if (memcmp(source->ip, none.ip, sizeof(none.ip)) == 0)
		return 0;
	net_addr_to(source, &sa, &n);
	/* The port is chosen by connect: so one may serve connections to several addresses. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&sa, n);
}

/* A descriptor whose connect is under way, or -1 with errno. */
static int open_socket(const struct dialer *d, const struct net_addr *to)
{
	struct sockaddr_storage sa;
	socklen_t n;
	int fd, why;

	net_addr_to(to, &sa, &n);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* What succeeds at once is writable at once: no case of its own. */
	if (bind_source(d, to, fd) == 0 && (connect(fd, (struct sockaddr *)&sa, n) == 0 || errno == EINPROGRESS || errno == EINTR))
		return fd;
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

static void on_poll(uv_poll_t *h, int status, int events);

static bool attempt_start(struct dialer *d, const struct net_addr *to)
{
	int fd = open_socket(d, to);
	struct attempt *a;

	if (fd < 0) {
		note(d, to, strerror(errno));
		return false;
	}
	a = mem_new(struct attempt);
	if (uv_poll_init(d->loop->uv, &a->poll, fd) != 0) {
		note(d, to, "cannot be watched");
		close(fd);
		mem_free(a);
		return false;
	}
	a->poll.data = a;
	a->dialer = d;
	a->addr = *to;
	a->fd = fd;
	list_push_back(&d->attempts, &a->node);
	uv_poll_start(&a->poll, UV_WRITABLE, on_poll);
	return true;
}

static void on_timer(uv_timer_t *t);

/* Calls the next address that can be called; the end when there is none and nobody is left to answer. */
static void go_on(struct dialer *d)
{
	uint64_t now = uv_now(d->loop->uv), wait = d->deadline_ms > now ? d->deadline_ms - now : 0;

	while (d->next < d->count && !attempt_start(d, &d->addrs[d->next++]))
		;
	if (list_empty(&d->attempts)) {
		fail(d);
		return;
	}
	if (d->next < d->count && wait > DIALER_DELAY_MS)
		wait = DIALER_DELAY_MS;
	uv_timer_start(&d->timer, on_timer, wait, 0);
}

static void on_timer(uv_timer_t *t)
{
	struct dialer *d = t->data;

	if (uv_now(d->loop->uv) < d->deadline_ms) {
		go_on(d);
		return;
	}
	if (!list_empty(&d->attempts)) {
		char what[64];

		snprintf(what, sizeof(what), "no answer within %u ms", d->within_ms);
		note(d, &list_entry(d->attempts.next, struct attempt, node)->addr, what);
	}
	fail(d);
}

static void succeed(struct attempt *a)
{
	struct dialer *d = a->dialer;
	struct net_addr addr = a->addr;
	dialer_fn done = d->done;
	void *ctx = d->ctx;
	int fd = attempt_end(a);

	dispose(d);
	done(fd, &addr, "", ctx);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct attempt *a = h->data;
	struct dialer *d = a->dialer;
	int error = 0;
	socklen_t n = sizeof(error);

	(void)events;
	/* libuv reports EPOLLERR alone as an error of its own; the socket knows which. */
	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		error = errno;
	if (error == 0 && status < 0)
		error = -status;
	if (error == 0) {
		succeed(a);
		return;
	}
	note(d, &a->addr, strerror(error));
	close(attempt_end(a));
	go_on(d);
}

struct dialer *dialer_start(struct net_loop *loop, const struct net_addr *addrs, size_t n, const struct dialer_opts *opts, dialer_fn done,
                            void *ctx)
{
	struct dialer *d = mem_new(struct dialer);

	d->loop = loop;
	d->done = done;
	d->ctx = ctx;
	d->count = n < DIALER_ADDRS_MAX ? n : DIALER_ADDRS_MAX;
	if (d->count > 0)
		memcpy(d->addrs, addrs, d->count * sizeof(*addrs));
	for (size_t i = opts->source_count; i-- > 0;)
		*(net_addr_is_v4(&opts->sources[i]) ? &d->source4 : &d->source6) = opts->sources[i];
	d->within_ms = opts->within_ms ? opts->within_ms : WITHIN_MS;
	d->deadline_ms = uv_now(loop->uv) + d->within_ms;
	snprintf(d->why, sizeof(d->why), "no address to connect to");
	list_init(&d->attempts);
	uv_timer_init(loop->uv, &d->timer);
	d->timer.data = d;
	uv_timer_start(&d->timer, on_timer, 0, 0);
	return d;
}
