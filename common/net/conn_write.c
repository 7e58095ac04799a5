/* SPDX-License-Identifier: Apache-2.0
 *
 * The way out: queue, zlib or WebSocket, TLS, socket, once a turn. */
#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "common/net/conn_impl.h"

#define TLS_WRITE_BYTES (256 * 1024) /* handed to OpenSSL at a time */

/* Bytes written; 0: not now; -1: ended. */
static ssize_t write_some(struct conn *c, const char *p, size_t n)
{
	char text[160];
	ssize_t r;
	int why;

	if (c->tls != CONN_TLS_DONE) {
		r = send(c->fd, p, n, MSG_NOSIGNAL);
		if (r >= 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
			return r < 0 ? 0 : r;
		conn_finish(c, CONN_END_BROKEN, strerror(errno));
		return -1;
	}
	ERR_clear_error();
	errno = 0;
	r = SSL_write(c->ssl, p, (int)(n < TLS_WRITE_BYTES ? n : TLS_WRITE_BYTES));
	if (r > 0)
		return r;
	why = SSL_get_error(c->ssl, (int)r);
	if (why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ)
		return 0;
	if (why == SSL_ERROR_SYSCALL)
		conn_finish(c, CONN_END_BROKEN, errno ? strerror(errno) : "connection closed");
	else
		conn_finish(c, CONN_END_TLS, tls_error_text(text, sizeof(text)));
	return -1;
}

/* 0: all written, 1: the socket is full, -1: ended. */
static int write_all(struct conn *c, struct buf *b)
{
	while (b->n > b->start) {
		ssize_t n = write_some(c, b->p + b->start, b->n - b->start);

		if (n <= 0)
			return n < 0 ? -1 : 1;
		c->bytes_out += (uint64_t)n;
		buf_consume(b, (size_t)n);
	}
	buf_release(b);
	return 0;
}

static void deflate_out(struct conn *c)
{
	struct str out = buf_str(&c->out);

	if (out.n == 0)
		return;
	zlayer_deflate(c->spare->z, &c->spare->wire, out);
	c->spare->taken += out.n;
	buf_consume(&c->out, out.n);
	buf_release(&c->out);
}

/* Which bytes of the wire carry which bytes of conn_output is known at one place at a time only: there `done` rises, and the next place is the end of what
 * waits then. So it rises for a slow reader, too, for whom the queue is never empty. */
static int write_wire(struct conn *c)
{
	struct conn_spare *s = c->spare;
	size_t before = s->wire.n - s->wire.start, after;
	int r;

	if (s->mark == 0) {
		s->mark = before;
		s->marked = s->taken;
	}
	r = write_all(c, &s->wire);
	if (r < 0)
		return r;
	after = s->wire.n - s->wire.start;
	if (before - after < s->mark) {
		s->mark -= before - after;
		return r;
	}
	s->done = after == 0 ? s->taken : s->marked;
	s->mark = after;
	s->marked = s->taken;
	return r;
}

static int write_out(struct conn *c)
{
	bool more;
	int r;

	if (conn_z(c)) {
		deflate_out(c);
		return write_wire(c);
	}
	if (!conn_ws(c))
		return write_all(c, &c->out);
	do {
		more = conn_websocket_pack(c);
		r = write_wire(c);
	} while (more && r == 0);
	return r;
}

/* Our last word on every layer. Unread input would make the kernel send a reset, which may overtake what we wrote: hence the lingering, unless nothing more
 * comes. */
static void goodbye(struct conn *c)
{
	if (c->tls == CONN_TLS_DONE) {
		ERR_clear_error();
		SSL_shutdown(c->ssl);
		ERR_clear_error();
	}
	if (c->parted && c->tls == CONN_TLS_NONE) { /* TLS has a goodbye of its own, which may be on its way */
		conn_finish(c, CONN_END_CLOSED, "");
		return;
	}
	shutdown(c->fd, SHUT_WR);
	c->state = CONN_LINGERING;
	c->want_write = false;
	conn_discard(c);
	conn_watch(c);
}

/* All is out, and the end is near. */
static bool leaves(const struct conn *c, int r)
{
	return c->state == CONN_FLUSHING && r == 0 && conn_queued(c) == 0 && !conn_websocket_waits(c);
}

void conn_flush(struct conn *c)
{
	uint64_t before = conn_written(c);
	int r;

	if (c->state == CONN_DEAD || c->state == CONN_LINGERING)
		return;
	if (c->tls == CONN_TLS_SHAKING) {
		if (c->state == CONN_FLUSHING)
			goodbye(c); /* no common language to say anything in */
		return;
	}
	r = write_out(c);
	if (r < 0)
		return;
	c->want_write = r == 1;
	if (conn_written(c) != before && c->events->on_written) {
		c->events->on_written(c, c->poll.data);
		if (c->state == CONN_DEAD)
			return;
	}
	if (leaves(c, r)) {
		goodbye(c);
		return;
	}
	conn_watch(c);
	if (r == 0 && conn_queued(c) == 0 && !conn_websocket_waits(c) && c->tls == CONN_TLS_WANTED)
		conn_handshake(c);
}
