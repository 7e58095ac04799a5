/* SPDX-License-Identifier: Apache-2.0
 *
 * The way in: socket, TLS, zlib or WebSocket, owner. */
#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "common/net/conn_impl.h"

#define READS_A_TURN 4 /* then the others get their turn */

static bool any(const struct buf *b)
{
	return b->n > b->start;
}

static void hold(struct buf *b, const char *p, size_t n)
{
	buf_append(b, p, n);
}

/* The owner takes nothing now: it has paused, or did, left some over, and went on at once; then those come first (conn_read_on). */
static bool owner_waits(const struct conn *c)
{
	return c->paused || (c->spare && any(&c->spare->held));
}

/* How many bytes the rate allows now; 0 after putting the connection to sleep. */
static size_t allowance(struct conn *c)
{
	double level;

	if (!c->spare || c->spare->rate == 0)
		return NET_READ_BYTES;
	level = bucket_level(&c->spare->bucket, c->spare->rate, c->spare->burst, net_now(c->loop));
	if (level >= 1)
		return level < NET_READ_BYTES ? (size_t)level : NET_READ_BYTES;
	c->throttled = true;
	net_timer_set(c->loop, &c->spare->timer, WHEEL_TICK_MS);
	conn_watch(c);
	return 0;
}

static void charge(struct conn *c, size_t n)
{
	if (c->spare && c->spare->rate)
		c->spare->bucket.tokens -= (double)n;
}

static void unpack(struct conn *c, struct str in);
static void unframe(struct conn *c, char *p, size_t n);

/* Bytes of the uppermost layer, in a buffer of ours. */
static void deliver(struct conn *c, char *p, size_t n)
{
	bool had_tls = c->tls != CONN_TLS_NONE, had_z = conn_z(c) != NULL, had_ws = conn_ws(c) != NULL;
	size_t used = c->events->on_data(c, p, n, c->poll.data);

	if (c->state != CONN_OPEN || used >= n)
		return;
	if (c->tls != CONN_TLS_NONE && !had_tls)
		conn_finish(c, CONN_END_LAYER, "bytes in clear behind the request for TLS");
	else if (conn_z(c) && !had_z)
		unpack(c, str_make(p + used, n - used));
	else if (conn_ws(c) && !had_ws)
		unframe(c, p + used, n - used);
	else
		hold(&conn_spare(c)->held, p + used, n - used);
}

static void garbled(struct conn *c, const char *why)
{
	if (c->events->on_garbled)
		c->events->on_garbled(c, why, c->poll.data);
	if (c->state == CONN_OPEN)
		conn_finish(c, CONN_END_ZLIB, why);
}

/* A few bytes may become a thousand times as many: they count, too, and others get their turn in between. */
static void unpack(struct conn *c, struct str in)
{
	char *out = c->loop->plain_buf;

	for (int i = 0;; i++) {
		bool turn_over = i == READS_A_TURN;
		long n;

		if (turn_over)
			conn_defer(c, CONN_DUE_READ);
		if (turn_over || owner_waits(c) || allowance(c) == 0) {
			hold(&conn_spare(c)->packed, in.p, in.n);
			return;
		}
		n = zlayer_inflate(c->spare->z, &in, out, NET_READ_BYTES);
		if (n < 0) {
			garbled(c, n == -2 ? "compressed beyond the allowed ratio" : "compressed data is broken");
			return;
		}
		if (n == 0)
			return;
		charge(c, (size_t)n);
		deliver(c, out, (size_t)n);
		if (c->state != CONN_OPEN)
			return;
	}
}

/* Until the end, also when we are the ones who close: then for the other side's goodbye. */
static void unframe(struct conn *c, char *p, size_t n)
{
	struct str data;

	for (;;) {
		if (c->state == CONN_OPEN && owner_waits(c)) {
			hold(&conn_spare(c)->packed, p, n);
			return;
		}
		if (!conn_websocket_next(c, &p, &n, &data))
			return;
		if (data.n > 0)
			deliver(c, p - data.n, data.n);
		conn_websocket_had(c);
	}
}

static void input(struct conn *c, char *p, size_t n)
{
	if (conn_z(c))
		unpack(c, str_make(p, n));
	else if (conn_ws(c))
		unframe(c, p, n);
	else
		deliver(c, p, n);
}

/* Bytes, 0 when there are none now; -1 when the connection ended. *out_more: there may be more without a look at the socket. */
static ssize_t read_tls(struct conn *c, size_t want, bool *out_more)
{
	char text[160];
	int n, why;

	ERR_clear_error();
	errno = 0;
	n = SSL_read(c->ssl, c->loop->read_buf, (int)want);
	if (n > 0) {
		*out_more = SSL_has_pending(c->ssl);
		return n;
	}
	why = SSL_get_error(c->ssl, n);
	if (why == SSL_ERROR_WANT_READ)
		return 0;
	if (why == SSL_ERROR_WANT_WRITE) {
		c->want_write = true;
		conn_watch(c);
		return 0;
	}
	if (why == SSL_ERROR_ZERO_RETURN)
		conn_finish(c, CONN_END_PEER, "");
	else if (why == SSL_ERROR_SYSCALL)
		conn_finish(c, errno ? CONN_END_BROKEN : CONN_END_PEER, errno ? strerror(errno) : "");
	else
		conn_finish(c, CONN_END_TLS, tls_error_text(text, sizeof(text)));
	return -1;
}

static ssize_t read_plain(struct conn *c, size_t want, bool *out_more)
{
	ssize_t n = recv(c->fd, c->loop->read_buf, want, 0);

	if (n > 0) {
		*out_more = (size_t)n == want;
		return n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	if (n == 0)
		conn_finish(c, CONN_END_PEER, "");
	else
		conn_finish(c, CONN_END_BROKEN, strerror(errno));
	return -1;
}

/* Are bytes wanted, by the owner or for the other side's goodbye? */
static bool hears(const struct conn *c)
{
	return c->state == CONN_OPEN ? !c->paused && !c->throttled : conn_websocket_waits(c);
}

/* Bytes that came before those in the socket, and that the owner is to have: conn_read_on sees to them, however soon the socket is looked at after conn_resume. */
static bool waiting(const struct conn *c)
{
	return c->state == CONN_OPEN && c->spare && (any(&c->spare->held) || any(&c->spare->packed));
}

void conn_read(struct conn *c)
{
	bool more = true;

	for (int i = 0; i < READS_A_TURN && more; i++) {
		size_t want;
		ssize_t n;

		if (!hears(c) || waiting(c) || c->tls == CONN_TLS_WANTED || c->tls == CONN_TLS_SHAKING)
			return;
		want = allowance(c);
		if (want == 0)
			return;
		more = false;
		n = c->ssl ? read_tls(c, want, &more) : read_plain(c, want, &more);
		if (n <= 0)
			return;
		c->bytes_in += (uint64_t)n;
		c->last_read_ms = net_now(c->loop);
		charge(c, (size_t)n);
		input(c, c->loop->read_buf, (size_t)n);
	}
	/* What OpenSSL holds already, libuv does not see. */
	if (more && (c->state == CONN_OPEN || conn_websocket_waits(c)))
		conn_defer(c, CONN_DUE_READ);
}

void conn_read_on(struct conn *c)
{
	struct buf held = { 0 }, packed = { 0 };

	if (c->state == CONN_OPEN && c->tls == CONN_TLS_SHAKING) {
		conn_handshake(c);
		return;
	}
	if (conn_websocket_waits(c))
		conn_read(c);
	if (c->state != CONN_OPEN || c->paused || c->throttled)
		return;
	if (c->spare) {
		held = c->spare->held;
		packed = c->spare->packed;
		c->spare->held = c->spare->packed = (struct buf){ 0 };
	}
	if (any(&held))
		deliver(c, held.p + held.start, held.n - held.start);
	buf_fini(&held);
	conn_websocket_had(c);
	if (any(&packed) && (c->state == CONN_OPEN || conn_websocket_waits(c))) {
		/* The owner may have paused again, or the rate is used up: then it is held again. */
		input(c, packed.p + packed.start, packed.n - packed.start);
	} else if (c->state == CONN_OPEN && conn_z(c) && !c->paused) {
		unpack(c, str_make("", 0)); /* zlib may have stopped with its output full */
	}
	buf_fini(&packed);
	if (c->state == CONN_OPEN && !c->paused)
		conn_read(c);
}

/* Reads what the other side still sends after the goodbye, until it closes too. */
void conn_discard(struct conn *c)
{
	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n = recv(c->fd, c->loop->read_buf, NET_READ_BYTES, 0);

		if (n > 0)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return;
		conn_finish(c, CONN_END_CLOSED, "");
		return;
	}
}
