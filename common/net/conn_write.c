/* SPDX-License-Identifier: Apache-2.0
 *
 * The way out: queue, zlib, TLS, socket, once a turn. */
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

static int write_packed(struct conn *c)
{
	struct buf *wire = &conn_spare(c)->wire;
	struct str out = buf_str(&c->out);
	int r;

	if (out.n > 0) {
		zlayer_deflate(c->z, wire, out);
		c->taken += out.n;
		buf_consume(&c->out, out.n);
		buf_release(&c->out);
	}
	r = write_all(c, wire);
	if (r == 0)
		c->done = c->taken;
	return r;
}

static int write_out(struct conn *c)
{
	size_t before = c->out.n - c->out.start;
	int r;

	if (c->z)
		return write_packed(c);
	r = write_all(c, &c->out);
	if (r >= 0) {
		c->done += before - (c->out.n - c->out.start);
		c->taken = c->done;
	}
	return r;
}

/* Our last word on every layer. Unread input would make the kernel send a reset, which may overtake what we wrote: hence the lingering. */
static void goodbye(struct conn *c)
{
	if (c->tls == CONN_TLS_DONE) {
		ERR_clear_error();
		SSL_shutdown(c->ssl);
		ERR_clear_error();
	}
	shutdown(c->fd, SHUT_WR);
	c->state = CONN_LINGERING;
	c->want_write = false;
	conn_watch(c);
	conn_discard(c);
}

void conn_flush(struct conn *c)
{
	uint64_t before = c->done;
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
	conn_watch(c);
	if (c->done != before && c->events->on_written) {
		c->events->on_written(c, c->ctx);
		if (c->state == CONN_DEAD)
			return;
	}
	if (r == 1 || conn_queued(c) > 0)
		return;
	if (c->state == CONN_FLUSHING)
		goodbye(c);
	else if (c->tls == CONN_TLS_WANTED)
		conn_handshake(c);
}

void conn_on_flush_task(struct net_task *t)
{
	conn_flush(list_entry(t, struct conn, flush_task));
}
