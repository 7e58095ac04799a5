/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/proxy_protocol_accept.h"

#include <errno.h>
#include <unistd.h>

#include "common/base/mem.h"

#define PEEK_BYTES 1024u /* longer headers take several turns */

struct waiting {
	struct list_node node;
	struct proxy_acceptor *a;
	struct proxy_reader reader;
	struct net_addr from;
	struct wheel_timer timer;
	uv_poll_t poll;
	int fd;
	bool polled; /* the handle is libuv's until it is closed */
};

struct proxy_acceptor {
	struct net_loop *loop;
	struct proxy_options options;
	const struct proxy_events *events;
	void *ctx;
	struct list_node all;
	uint32_t count;
};

static void on_closed(uv_handle_t *h)
{
	mem_free(h->data);
}

/* The descriptor stays open, and is no longer watched. */
static void forget(struct waiting *w)
{
	list_remove(&w->node);
	w->a->count--;
	net_timer_cancel(w->a->loop, &w->timer);
	proxy_reader_fini(&w->reader);
	if (!w->polled) {
		mem_free(w);
		return;
	}
	uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, on_closed);
}

static void refuse(struct waiting *w, const char *why)
{
	struct proxy_acceptor *a = w->a;
	struct net_addr from = w->from;
	int fd = w->fd;

	forget(w);
	close(fd);
	a->events->on_refused(&from, why, a->ctx);
}

static void done(struct waiting *w)
{
	struct proxy_reader reader = w->reader;
	struct proxy_acceptor *a = w->a;
	struct net_addr from = w->from;
	struct proxy_header header;
	int fd = w->fd;

	if (!proxy_reader_parse(&w->reader, &header)) {
		refuse(w, w->reader.why);
		return;
	}
	/* The header's views are of the reader: it outlives what waited. */
	w->reader = (struct proxy_reader){ 0 };
	forget(w);
	a->events->on_header(fd, &from, &header, a->ctx);
	proxy_reader_fini(&reader);
}

/* Looks at what is there and takes no more of it than belongs to the header. False: it is no longer waiting. */
static bool read_some(struct waiting *w)
{
	uint8_t peek[PEEK_BYTES];
	enum proxy_verdict verdict;
	ssize_t n = recv(w->fd, peek, sizeof(peek), MSG_PEEK);
	size_t used;

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return true;
	if (n <= 0) {
		refuse(w, n == 0 ? "it closed without a PROXY header" : strerror(errno));
		return false;
	}
	used = proxy_reader_feed(&w->reader, peek, (size_t)n, &verdict);
	if (recv(w->fd, peek, used, 0) != (ssize_t)used) {
		refuse(w, "what was there could not be read");
		return false;
	}
	if (verdict == PROXY_MORE)
		return true;
	if (verdict == PROXY_DONE)
		done(w);
	else
		refuse(w, w->reader.why);
	return false;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct waiting *w = h->data;

	(void)events;
	if (status < 0)
		refuse(w, uv_strerror(status));
	else
		read_some(w);
}

static void on_timer(struct wheel_timer *t)
{
	refuse(list_entry(t, struct waiting, timer), "no PROXY header in time");
}

struct proxy_acceptor *proxy_acceptor_new(struct net_loop *loop, const struct proxy_options *options, const struct proxy_events *events,
                                          void *ctx)
{
	struct proxy_acceptor *a = mem_new(struct proxy_acceptor);

	a->loop = loop;
	a->options = *options;
	a->events = events;
	a->ctx = ctx;
	list_init(&a->all);
	return a;
}

void proxy_acceptor_free(struct proxy_acceptor **a)
{
	if (!*a)
		return;
	list_for_each_safe (n, &(*a)->all) {
		struct waiting *w = list_entry(n, struct waiting, node);
		int fd = w->fd;

		forget(w);
		close(fd);
	}
	mem_free(*a);
	*a = NULL;
}

static bool is_trusted(const struct proxy_acceptor *a, const struct net_addr *from)
{
	for (size_t i = 0; i < a->options.trusted_count; i++) {
		if (cidr_has(&a->options.trusted[i], from))
			return true;
	}
	return false;
}

void proxy_acceptor_take(struct proxy_acceptor *a, int fd, const struct net_addr *from)
{
	const char *why = !is_trusted(a, from)            ? "it is no trusted proxy"
	                  : a->count >= PROXY_WAITING_MAX ? "too many connections wait for their PROXY header"
	                                                  : NULL;
	struct waiting *w;

	if (why) {
		close(fd);
		a->events->on_refused(from, why, a->ctx);
		return;
	}
	w = mem_new(struct waiting);
	w->a = a;
	w->fd = fd;
	w->from = *from;
	wheel_timer_init(&w->timer, on_timer);
	list_push_back(&a->all, &w->node);
	a->count++;
	/* Most often it is there already. */
	if (!read_some(w))
		return;
	if (uv_poll_init(a->loop->uv, &w->poll, fd) != 0) {
		refuse(w, "it cannot be watched");
		return;
	}
	w->poll.data = w;
	w->polled = true;
	net_timer_set(a->loop, &w->timer, a->options.timeout_ms);
	uv_poll_start(&w->poll, UV_READABLE, on_poll);
}
