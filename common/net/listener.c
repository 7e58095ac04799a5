/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/mem.h"

#define BACKLOG         4096 /* of thousands who come at once, those for whom there is no room try again after 1, 3, 7, 15 s (RFC 6298) */
#define ACCEPTS_A_TURN  256
#define OUT_OF_FILES_MS 500 /* pause when the process or the system has no descriptor left */

struct listener {
	struct net_loop *loop;
	const struct listener_events *events;
	void *ctx;
	struct ratelimit *limits;
	struct proxy_acceptor *acceptor; /* NULL: clients connect themselves */
	const struct listener_proxy *proxy;
	uv_poll_t poll;
	struct wheel_timer pause;
	int fd;
	uint16_t port;
	bool wanted; /* by the owner */
	bool closed;
};

static void on_poll(uv_poll_t *h, int status, int events);

static void watch(struct listener *l)
{
	bool on = l->wanted && list_unlinked(&l->pause.node);

	/* Owners ask with each connection; libuv would make two system calls of it. */
	if (on == (bool)uv_is_active((uv_handle_t *)&l->poll))
		return;
	if (on)
		uv_poll_start(&l->poll, UV_READABLE, on_poll);
	else
		uv_poll_stop(&l->poll);
}

static void on_pause_over(struct wheel_timer *t)
{
	watch(list_entry(t, struct listener, pause));
}

/* header: NULL when there was to be none. */
static void admit(struct listener *l, int fd, const struct net_addr *peer, const struct proxy_header *header)
{
	enum ratelimit_verdict verdict = l->limits ? ratelimit_take(l->limits, peer, net_now(l->loop)) : RATELIMIT_OK;

	if (verdict != RATELIMIT_OK) {
		close(fd);
		if (l->events->on_refused)
			l->events->on_refused(l, peer, verdict, l->ctx);
	} else if (header && l->proxy->on_accept) {
		l->proxy->on_accept(l, fd, peer, header, l->ctx);
	} else {
		l->events->on_accept(l, fd, peer, l->ctx);
	}
}

static void on_header(int fd, const struct net_addr *from, const struct proxy_header *header, void *ctx)
{
	admit(ctx, fd, header->told ? &header->source : from, header);
}

static void on_unproxied(const struct net_addr *from, const char *why, void *ctx)
{
	struct listener *l = ctx;

	if (l->proxy->on_refused)
		l->proxy->on_refused(l, from, why, l->ctx);
}

/* False: no more for now. */
static bool accept_one(struct listener *l)
{
	struct sockaddr_storage from;
	socklen_t n = sizeof(from);
	struct net_addr peer;
	int fd = accept4(l->fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			net_timer_set(l->loop, &l->pause, OUT_OF_FILES_MS);
			watch(l);
		}
		return errno == ECONNABORTED || errno == EINTR;
	}
	net_addr_from((struct sockaddr *)&from, &peer);
	if (l->acceptor)
		proxy_acceptor_take(l->acceptor, fd, &peer);
	else
		admit(l, fd, &peer, NULL);
	return true;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct listener *l = h->data;

	(void)events;
	if (status < 0)
		return;
	for (int i = 0; i < ACCEPTS_A_TURN && l->wanted && !l->closed; i++) {
		if (!accept_one(l))
			return;
	}
}

/* Bound; nobody can connect to it yet. */
static int open_socket(const char *address, uint16_t port, bool shared, struct err *e)
{
	struct sockaddr_storage sa;
	socklen_t n;
	int fd, on = 1;

	if (net_addr_parse(address, port, &sa, &n, e) < 0)
		return -1;
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, "%s port %u: %s", address, port, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, n) < 0) {
		int why = errno;

		err_set(e, "cannot listen on %s port %u: %s", address, port, strerror(why));
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

static struct listener *listener_of(int fd, struct net_loop *loop, struct ratelimit *limits, const struct listener_events *events,
                                    void *ctx)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	struct net_addr bound;
	struct listener *l;

	if (fd < 0)
		return NULL;
	l = mem_new(struct listener);
	l->loop = loop;
	l->events = events;
	l->ctx = ctx;
	l->limits = limits;
	l->fd = fd;
	if (getsockname(fd, (struct sockaddr *)&sa, &n) == 0) {
		net_addr_from((struct sockaddr *)&sa, &bound);
		l->port = bound.port;
	}
	wheel_timer_init(&l->pause, on_pause_over);
	uv_poll_init(loop->uv, &l->poll, fd);
	l->poll.data = l;
	return l;
}

int listener_listen(struct listener *l, struct err *e)
{
	int why;

	if (listen(l->fd, BACKLOG) == 0)
		return 0;
	why = errno;
	err_set(e, "cannot listen on port %u: %s", l->port, strerror(why));
	errno = why;
	return -1;
}

/* NULL where it does not. */
static struct listener *listening(struct listener *l, struct err *e)
{
	if (l && listener_listen(l, e) < 0) {
		int why = errno;

		listener_free(&l);
		errno = why;
	}
	return l;
}

struct listener *listener_new_bound(struct net_loop *loop, const char *address, uint16_t port, struct ratelimit *limits,
                                    const struct listener_events *events, void *ctx, struct err *e)
{
	return listener_of(open_socket(address, port, true, e), loop, limits, events, ctx);
}

struct listener *listener_new(struct net_loop *loop, const char *address, uint16_t port, struct ratelimit *limits,
                              const struct listener_events *events, void *ctx, struct err *e)
{
	return listening(listener_new_bound(loop, address, port, limits, events, ctx, e), e);
}

struct listener *listener_new_alone(struct net_loop *loop, const char *address, uint16_t port, struct ratelimit *limits,
                                    const struct listener_events *events, void *ctx, struct err *e)
{
	return listening(listener_of(open_socket(address, port, false, e), loop, limits, events, ctx), e);
}

static void on_closed(uv_handle_t *h)
{
	mem_free(h->data);
}

void listener_free(struct listener **l)
{
	struct listener *it = *l;

	if (!it)
		return;
	it->closed = true;
	net_timer_cancel(it->loop, &it->pause);
	proxy_acceptor_free(&it->acceptor);
	uv_poll_stop(&it->poll);
	close(it->fd);
	uv_close((uv_handle_t *)&it->poll, on_closed);
	*l = NULL;
}

void listener_expect_proxy(struct listener *l, const struct listener_proxy *proxy)
{
	static const struct proxy_events events = { on_header, on_unproxied };

	l->proxy = proxy;
	l->acceptor = proxy_acceptor_new(l->loop, &proxy->options, &events, l);
}

void listener_accept(struct listener *l, bool on)
{
	l->wanted = on;
	watch(l);
}

uint16_t listener_port(const struct listener *l)
{
	return l->port;
}
