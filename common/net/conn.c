/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/net/conn_impl.h"

static void teardown(struct conn *c);

static void on_closed(uv_handle_t *h)
{
	mem_free(list_entry((uv_poll_t *)h, struct conn, poll));
}

static void ask(struct conn *c, int events);

static int wanted(const struct conn *c)
{
	bool shaking = c->tls == CONN_TLS_SHAKING;
	int events = 0;

	if (c->state == CONN_OPEN && c->tls != CONN_TLS_WANTED && (shaking || (!c->paused && !c->throttled)))
		events |= UV_READABLE;
	if (c->state == CONN_LINGERING || conn_websocket_waits(c))
		events |= UV_READABLE;
	if (c->want_write)
		events |= UV_WRITABLE;
	return events;
}

/* The socket has an error, and libuv has stopped to watch it. What came before the error is still to be had. */
static void broken(struct conn *c, const char *why)
{
	uint64_t before;

	do {
		before = c->bytes_in;
		if (c->state == CONN_OPEN && c->tls != CONN_TLS_SHAKING)
			conn_read(c); /* which finds the end, and its reason */
	} while (c->bytes_in > before);
	conn_finish(c, CONN_END_BROKEN, why);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct conn *c = list_entry(h, struct conn, poll);

	if (status < 0) {
		broken(c, uv_strerror(status));
		return;
	}
	if (c->tls == CONN_TLS_SHAKING && c->state == CONN_OPEN) {
		if (c->due & CONN_DUE_READ)
			ask(c, 0); /* it has to wait in line */
		c->due |= CONN_DUE_READ;
		net_defer_costly(c->loop, &c->task);
		return;
	}
	if (events & ~wanted(c))
		ask(c, wanted(c));
	events &= wanted(c);
	if (events & UV_WRITABLE)
		conn_flush(c);
	if ((c->state == CONN_OPEN || conn_websocket_waits(c)) && (events & UV_READABLE))
		conn_read(c);
	else if (c->state == CONN_LINGERING)
		conn_discard(c);
}

static void ask(struct conn *c, int events)
{
	c->watching = (unsigned)events & 3u;
	if (events == 0)
		uv_poll_stop(&c->poll);
	else
		uv_poll_start(&c->poll, events, on_poll);
}

/* Off and on again are three system calls, and who pauses mostly goes on before anything comes: bytes that are not wanted any more are seen to in on_poll. Room
 * to write is there at once. */
void conn_watch(struct conn *c)
{
	int events = wanted(c);

	if (c->state != CONN_DEAD && ((events & ~c->watching) || (c->watching & ~events & UV_WRITABLE)))
		ask(c, events);
}

static void on_timer(struct wheel_timer *t)
{
	struct conn *c = list_entry(t, struct conn_spare, timer)->conn;

	if (c->state != CONN_OPEN) {
		conn_finish(c, CONN_END_CLOSED, "");
		return;
	}
	c->throttled = false;
	if (!c->paused)
		conn_defer(c, CONN_DUE_READ);
	conn_watch(c);
}

void conn_defer(struct conn *c, enum conn_due what)
{
	c->due |= what;
	net_defer(c->loop, &c->task);
}

/* What is read now may be answered at once, and what was to be written goes with that. */
static void on_task(struct net_task *t)
{
	struct conn *c = list_entry(t, struct conn, task);
	unsigned due = c->due;

	c->due = 0;
	if (due & CONN_DUE_READ)
		conn_read_on(c);
	if (due & CONN_DUE_FLUSH)
		conn_flush(c);
}

struct conn *conn_accept(struct net_loop *loop, int fd, const struct net_addr *peer, const struct conn_events *events, void *ctx)
{
	struct conn *c = mem_new(struct conn);
	int on = 1;

	c->loop = loop;
	c->events = events;
	c->fd = fd;
	c->peer = *peer;
	c->last_read_ms = net_now(loop);
	if (uv_poll_init(loop->uv, &c->poll, fd) != 0) {
		close(fd);
		mem_free(c);
		return NULL;
	}
	c->poll.data = ctx;
	net_task_init(&c->task, on_task);
	/* Writes are gathered already; waiting for more (RFC 896) would only add delay. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	conn_watch(c);
	return c;
}

static void free_spare(struct conn *c)
{
	struct conn_spare *s = c->spare;

	if (!s)
		return;
	c->spare = NULL;
	net_timer_cancel(c->loop, &s->timer);
	zlayer_free(&s->z);
	conn_websocket_free(&s->ws);
	buf_fini(&s->held);
	buf_fini(&s->packed);
	buf_fini(&s->wire);
	mem_free(s);
}

static void teardown(struct conn *c)
{
	c->state = CONN_DEAD;
	c->due = 0;
	net_task_cancel(&c->task);
	uv_close((uv_handle_t *)&c->poll, on_closed); /* stops watching; while the descriptor is open still */
	if (c->ssl) {
		tls_server_settled(c->ssl);
		SSL_free(c->ssl);
		c->ssl = NULL;
	}
	close(c->fd);
	buf_fini(&c->out);
	free_spare(c);
}

void conn_drop(struct conn **c)
{
	if (*c && (*c)->state != CONN_DEAD)
		teardown(*c);
	*c = NULL;
}

void conn_finish(struct conn *c, enum conn_end how, const char *text)
{
	if (c->state == CONN_DEAD)
		return;
	if (conn_ws(c))
		conn_websocket_outcome(c, &how, &text);
	teardown(c);
	c->events->on_end(c, how, text, c->poll.data);
}

void conn_close(struct conn *c, uint32_t within_ms)
{
	if (c->state != CONN_OPEN)
		return;
	c->state = CONN_FLUSHING;
	c->due = 0;
	net_task_cancel(&c->task);
	if (conn_ws(c))
		conn_websocket_goodbye(c);
	net_timer_set(c->loop, &conn_spare(c)->timer, within_ms);
	conn_defer(c, CONN_DUE_FLUSH); /* which sees to what is watched */
}

void conn_parted(struct conn *c)
{
	c->parted = true;
}

bool conn_closing(const struct conn *c)
{
	return c->state != CONN_OPEN;
}

void conn_pause(struct conn *c)
{
	c->paused = true;
	conn_watch(c);
}

void conn_resume(struct conn *c)
{
	if (!c->paused)
		return;
	c->paused = false;
	/* Bytes may wait where libuv cannot see them: left over, or inside OpenSSL. */
	if (c->state == CONN_OPEN && !c->throttled)
		conn_defer(c, CONN_DUE_READ);
	conn_watch(c);
}

/* What came in clear and was not used must not come out as if it had been encrypted. */
static bool can_start_tls(const struct conn *c)
{
	return c->tls == CONN_TLS_NONE && !conn_z(c) && !conn_ws(c) && c->state == CONN_OPEN &&
	       !(c->spare && c->spare->held.n > c->spare->held.start);
}

/* Takes over ssl, which may be NULL. */
static int start_tls(struct conn *c, SSL *ssl)
{
	if (!ssl || SSL_set_fd(ssl, c->fd) != 1) {
		ERR_clear_error();
		if (ssl)
			tls_server_settled(ssl);
		SSL_free(ssl);
		return -1;
	}
	c->ssl = ssl;
	c->tls = CONN_TLS_WANTED;
	conn_defer(c, CONN_DUE_FLUSH);
	conn_watch(c);
	return 0;
}

int conn_start_tls(struct conn *c, struct tls_set *set, struct str host, const char *alpn)
{
	return can_start_tls(c) ? start_tls(c, tls_server_new(set, host, alpn)) : -1;
}

int conn_start_tls_client(struct conn *c, const struct tls_client *client, struct str host, struct str local, const char *alpn)
{
	return can_start_tls(c) ? start_tls(c, tls_client_begin(client, host, local, alpn)) : -1;
}

void conn_handshake(struct conn *c)
{
	char text[160];
	int r;

	ERR_clear_error();
	c->tls = CONN_TLS_SHAKING;
	r = SSL_do_handshake(c->ssl);
	if (r != 1) {
		int why = SSL_get_error(c->ssl, r);

		c->want_write = why == SSL_ERROR_WANT_WRITE;
		if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
			conn_watch(c);
		else if (why == SSL_ERROR_SYSCALL && errno != 0)
			conn_finish(c, CONN_END_BROKEN, strerror(errno));
		else
			conn_finish(c, CONN_END_TLS, tls_error_text(text, sizeof(text)));
		return;
	}
	c->tls = CONN_TLS_DONE;
	c->want_write = false;
	c->last_read_ms = net_now(c->loop);
	tls_server_settled(c->ssl);
	conn_watch(c);
	/* The other side's first bytes may have come in the same packet as its Finished. */
	conn_defer(c, CONN_DUE_READ);
	if (conn_queued(c) > 0)
		conn_defer(c, CONN_DUE_FLUSH);
	c->events->on_secured(c, c->poll.data);
}

int conn_start_zlib(struct conn *c)
{
	struct str queued = buf_str(&c->out);
	struct zlayer *z = NULL;
	struct conn_spare *s;

	if (!conn_z(c) && !conn_ws(c) && c->state == CONN_OPEN)
		z = zlayer_new();
	if (!z)
		return -1;
	s = conn_spare_layer(c);
	s->z = z;
	/* What was said before stays as it is. */
	buf_append_str(&s->wire, queued);
	s->taken += queued.n;
	buf_consume(&c->out, queued.n);
	return 0;
}

void conn_zlib_by_rate(struct conn *c)
{
	if (conn_z(c))
		zlayer_any_ratio(c->spare->z);
}

struct conn_spare *conn_spare(struct conn *c)
{
	if (c->spare)
		return c->spare;
	c->spare = mem_new(struct conn_spare);
	c->spare->conn = c;
	wheel_timer_init(&c->spare->timer, on_timer);
	return c->spare;
}

struct conn_spare *conn_spare_layer(struct conn *c)
{
	struct conn_spare *s = conn_spare(c);

	s->done = s->taken = c->bytes_out;
	return s;
}

SSL *conn_tls(const struct conn *c)
{
	return c->tls == CONN_TLS_DONE ? c->ssl : NULL;
}

bool conn_compressed(const struct conn *c)
{
	return conn_z(c) != NULL;
}

struct buf *conn_output(struct conn *c)
{
	if (c->state == CONN_OPEN)
		conn_defer(c, CONN_DUE_FLUSH);
	return &c->out;
}

size_t conn_queued(const struct conn *c)
{
	return c->out.n - c->out.start + (c->spare ? c->spare->wire.n - c->spare->wire.start : 0);
}

uint64_t conn_output_end(const struct conn *c)
{
	return (conn_z(c) || conn_ws(c) ? c->spare->taken : c->bytes_out) + (c->out.n - c->out.start);
}

uint64_t conn_written(const struct conn *c)
{
	return conn_z(c) || conn_ws(c) ? c->spare->done : c->bytes_out;
}

void conn_set_rate(struct conn *c, uint32_t bytes_per_s, uint32_t burst)
{
	if (bytes_per_s == 0 && (!c->spare || c->spare->rate == 0))
		return;
	conn_spare(c)->rate = bytes_per_s;
	/* Less than one tick's worth could never be used up to the rate. */
	c->spare->burst = burst > bytes_per_s ? burst : bytes_per_s;
	bucket_fill(&c->spare->bucket, c->spare->burst, net_now(c->loop));
}

void conn_set_dead_after(struct conn *c, uint32_t ms)
{
	unsigned int value = ms;

	setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof(value));
}

const struct net_addr *conn_peer(const struct conn *c)
{
	return &c->peer;
}

uint64_t conn_last_read_ms(const struct conn *c)
{
	return c->last_read_ms;
}

uint64_t conn_bytes_in(const struct conn *c)
{
	return c->bytes_in;
}

uint64_t conn_bytes_out(const struct conn *c)
{
	return c->bytes_out;
}
