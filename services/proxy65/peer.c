/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "services/proxy65/bytestream.h"
#include "services/proxy65/metrics.h"

#define READ_BYTES 4096
#define EARLY_MAX  65536 /* bytes before activation: a client that sends more does not know the protocol */
#define LEAVE_MS   2000u

static void on_poll(uv_poll_t *h, int status, int events);

/* --- its end --- */

static void on_closed(uv_handle_t *h)
{
	mem_free(h->data);
}

void peer_free(struct peer *peer)
{
	struct proxy65 *proxy = peer->proxy;

	if (peer->stream && peer->state == PEER_WAITING)
		bytestream_leave(peer);
	peer->stream = NULL;
	net_timer_cancel(proxy->net, &peer->timer);
	list_remove(&peer->node);
	proxy->peer_count--;
	ratelimit_leave(proxy->limits, &peer->address, peer->shared);
	mem_free(peer->socks);
	peer->socks = NULL;
	uv_poll_stop(&peer->poll);
	close(peer->fd);
	uv_close((uv_handle_t *)&peer->poll, on_closed);
	proxy65_look(proxy);
}

static void on_timer(struct wheel_timer *t)
{
	struct peer *peer = list_entry(t, struct peer, timer);

	if (peer->state != PEER_LEAVING)
		metric_inc(&proxy65_metrics.timed_out);
	peer_free(peer);
}

/* --- reading and writing --- */

void peer_watch(struct peer *peer, int events)
{
	if (events == peer->events)
		return;
	peer->events = events;
	if (events)
		uv_poll_start(&peer->poll, events, on_poll);
	else
		uv_poll_stop(&peer->poll);
}

/* Bytes, 0 when there are none now, -1 at the end. */
static ssize_t peer_read(struct peer *peer, uint8_t *out, size_t max)
{
	ssize_t n;

	do
		n = recv(peer->fd, out, max, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	return n > 0 ? n : -1;
}

/* An answer is shorter than any socket's buffer: one that does not go at once never will. */
static bool peer_write(struct peer *peer, const uint8_t *p, size_t n)
{
	return n == 0 || send(peer->fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* --- the handshake --- */

static void refuse(struct peer *peer, const char *why)
{
	char text[NET_ADDR_TEXT_MAX];

	log_debug(peer->proxy->log, "refused address=%s why=\"%s\"", net_addr_text(&peer->address, text), why);
	if (!peer_write(peer, peer->socks->out, peer->socks->out_n)) {
		peer_free(peer);
		return;
	}
	shutdown(peer->fd, SHUT_WR);
	peer->state = PEER_LEAVING;
	net_timer_set(peer->proxy->net, &peer->timer, LEAVE_MS);
}

static void requested(struct peer *peer)
{
	bool joined = bytestream_join(peer->proxy, peer, peer->socks->dst);

	socks5_reply(peer->socks, joined ? SOCKS5_SUCCEEDED : SOCKS5_NOT_ALLOWED);
	if (!joined) {
		metric_inc(&proxy65_metrics.refused_full);
		refuse(peer, "the stream has its two parties");
		return;
	}
	peer->state = PEER_WAITING;
	if (!peer_write(peer, peer->socks->out, peer->socks->out_n)) {
		peer_free(peer);
		return;
	}
	mem_free(peer->socks);
	peer->socks = NULL;
	net_timer_set(peer->proxy->net, &peer->timer, (uint64_t)peer->proxy->config->activation_ms);
}

static void on_handshake(struct peer *peer)
{
	uint8_t bytes[READ_BYTES];
	ssize_t n = peer_read(peer, bytes, sizeof(bytes));
	enum socks5_verdict verdict = SOCKS5_MORE;
	size_t used = 0;

	if (n < 0) {
		peer_free(peer);
		return;
	}
	while (used < (size_t)n && (verdict == SOCKS5_MORE || verdict == SOCKS5_ANSWER)) {
		used += socks5_feed(peer->socks, bytes + used, (size_t)n - used, &verdict);
		if (verdict == SOCKS5_ANSWER && !peer_write(peer, peer->socks->out, peer->socks->out_n)) {
			peer_free(peer);
			return;
		}
	}
	if (verdict == SOCKS5_REFUSE) {
		metric_inc(&proxy65_metrics.refused_socks);
		refuse(peer, peer->socks->why);
	} else if (verdict == SOCKS5_REQUEST) {
		peer->ignored = (size_t)n - used;
		requested(peer);
	}
}

/* --- before and beside a stream --- */

bool peer_ignore_early(struct peer *peer)
{
	uint8_t bytes[READ_BYTES];
	ssize_t n;

	while ((n = peer_read(peer, bytes, sizeof(bytes))) > 0) {
		peer->ignored += (size_t)n;
		if (peer->ignored > EARLY_MAX)
			return false;
	}
	return n == 0;
}

static void on_early(struct peer *peer)
{
	if (peer_ignore_early(peer))
		return;
	if (peer->ignored > EARLY_MAX)
		metric_inc(&proxy65_metrics.refused_early);
	peer_free(peer);
}

static void on_leaving(struct peer *peer)
{
	if (!peer_ignore_early(peer))
		peer_free(peer);
}

void peer_relay(struct peer *peer)
{
	net_timer_cancel(peer->proxy->net, &peer->timer);
	peer->state = PEER_RELAYING;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct peer *peer = h->data;

	(void)events;
	if (status < 0 && peer->state != PEER_RELAYING) {
		peer_free(peer);
		return;
	}
	/* libuv has stopped to watch a descriptor with an error. */
	if (status < 0)
		peer->events = 0;
	switch (peer->state) {
	case PEER_HANDSHAKE:
		on_handshake(peer);
		return;
	case PEER_WAITING:
		on_early(peer);
		return;
	case PEER_RELAYING:
		bytestream_ready(peer, status < 0);
		return;
	case PEER_LEAVING:
		on_leaving(peer);
	}
}

/* --- its beginning --- */

void peer_new(struct proxy65 *proxy, int fd, const struct net_addr *address)
{
	int on = 1, dead_after_ms = (int)proxy->config->dead_after_ms;
	struct peer *peer = mem_new(struct peer);
	bool entered = ratelimit_enter(proxy->limits, address, net_now(proxy->net), &peer->shared) == RATELIMIT_OK;

	if (!entered || uv_poll_init(proxy->net->uv, &peer->poll, fd) != 0) {
		metric_inc(&proxy65_metrics.refused_address);
		if (entered)
			ratelimit_leave(proxy->limits, address, peer->shared);
		close(fd);
		mem_free(peer);
		return;
	}
	metric_inc(&proxy65_metrics.accepted);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_after_ms, sizeof(dead_after_ms));
	peer->proxy = proxy;
	peer->fd = fd;
	peer->address = *address;
	peer->socks = mem_new(struct socks5);
	peer->poll.data = peer;
	wheel_timer_init(&peer->timer, on_timer);
	list_push_back(&proxy->peers, &peer->node);
	proxy->peer_count++;
	net_timer_set(proxy->net, &peer->timer, (uint64_t)proxy->config->handshake_ms);
	peer_watch(peer, UV_READABLE);
	proxy65_look(proxy);
}
