/* SPDX-License-Identifier: Apache-2.0
 *
 * sniff: connections on a port that takes TLS and clear text alike (tls.port is port), until their first byte has come. It says which: 22 begins a TLS record of a handshake (RFC 8446
 * section 5.1), and no STUN message or ChannelData begins so (RFC 7983). The byte is only looked at; whoever gets the connection reads it. */
#include <errno.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "services/turn-relay/worker.h"

#define TLS_HANDSHAKE 22u

struct sniff {
	struct worker *worker;
	struct list_node node;
	uv_poll_t poll;
	struct wheel_timer timer;
	struct net_addr peer;
	int fd;
};

static void on_closed(uv_handle_t *h)
{
	mem_free(h->data);
}

/* The descriptor remains, and can be watched by somebody else at once. */
static int end(struct sniff *s)
{
	struct worker *w = s->worker;

	net_timer_cancel(w->net, &s->timer);
	list_remove(&s->node);
	w->stream_count--;
	uv_poll_stop(&s->poll);
	uv_close((uv_handle_t *)&s->poll, on_closed);
	return s->fd;
}

static void on_timeout(struct wheel_timer *t)
{
	struct sniff *s = list_entry(t, struct sniff, timer);
	struct worker *w = s->worker;

	close(end(s));
	stream_gate(w);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct sniff *s = h->data;
	struct worker *w = s->worker;
	struct net_addr peer = s->peer;
	uint8_t first = 0;
	ssize_t n = status < 0 ? 0 : recv(s->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
	int fd;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	fd = end(s);
	if (n == 1)
		stream_begin(w, fd, &peer, first == TLS_HANDSHAKE);
	else
		close(fd);
	stream_gate(w);
}

void sniff_begin(struct worker *w, int fd, const struct net_addr *peer)
{
	struct sniff *s = mem_new(struct sniff);

	s->worker = w;
	s->fd = fd;
	s->peer = *peer;
	if (uv_poll_init(&w->uv, &s->poll, fd) != 0) {
		close(fd);
		mem_free(s);
		return;
	}
	s->poll.data = s;
	wheel_timer_init(&s->timer, on_timeout);
	net_timer_set(w->net, &s->timer, (uint64_t)w->shared->config->early_ms);
	list_push_back(&w->sniffs, &s->node);
	w->stream_count++; /* under the same limit */
	uv_poll_start(&s->poll, UV_READABLE, on_poll);
	stream_gate(w);
}

void sniff_close_all(struct worker *w)
{
	while (!list_empty(&w->sniffs))
		close(end(list_entry(w->sniffs.next, struct sniff, node)));
}
