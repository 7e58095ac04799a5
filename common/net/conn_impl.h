/* SPDX-License-Identifier: Apache-2.0
 *
 * conn_impl: what conn.c (life and orders), conn_read.c and conn_write.c share. Nobody else includes it. */
#ifndef COMMON_NET_CONN_IMPL_H
#define COMMON_NET_CONN_IMPL_H

#include "common/net/conn.h"
#include "common/net/ratelimit.h"
#include "common/net/zlayer.h"

enum conn_state {
	CONN_OPEN,
	CONN_FLUSHING,  /* conn_close was called; output is still going out */
	CONN_LINGERING, /* our end is shut; waiting for the other, so that nothing we wrote is lost by a reset */
	CONN_DEAD,
};

enum conn_tls { CONN_TLS_NONE, CONN_TLS_WANTED, CONN_TLS_SHAKING, CONN_TLS_DONE };

/* What waits for the end of the turn, or for its turn in the line of what costs much. */
enum conn_due { CONN_DUE_READ = 1, CONN_DUE_FLUSH = 2 };

/* What most connections most of the time do without. */
struct conn_spare {
	struct conn *conn;
	struct wheel_timer timer; /* open: end of the throttling; closing: end of patience */
	struct zlayer *z;
	struct conn_websocket *ws;
	/* Of a connection with one of these two; what others have written is all that they have put into conn_output. */
	uint64_t done;     /* bytes of conn_output that the kernel has */
	uint64_t taken;    /* the same and those that wait compressed or framed in wire */
	struct buf held;   /* uppermost layer's bytes that the owner left over */
	struct buf packed; /* compressed or framed bytes not yet unpacked: it paused, the rate is used up, or others have their turn */
	struct buf wire;   /* compressed or framed bytes not yet written */
	uint64_t marked;   /* bytes of conn_output that are out when the next `mark` bytes of wire are */
	size_t mark;
	struct bucket bucket;
	uint32_t rate, burst;
};

/* There are very many of them, most of them idle: every field counts. */
struct conn {
	struct net_loop *loop;
	const struct conn_events *events;
	uv_poll_t poll; /* its data is the owner's ctx */
	struct net_task task;
	SSL *ssl;
	struct conn_spare *spare; /* NULL: not needed yet */
	struct buf out;
	uint64_t bytes_in, bytes_out, last_read_ms;
	struct net_addr peer;
	uint16_t state : 2, tls : 2; /* enum conn_state, conn_tls */
	uint16_t watching : 2;       /* events asked of libuv */
	uint16_t due : 2;            /* enum conn_due, for task */
	uint16_t paused : 1, throttled : 1;
	uint16_t want_write : 1;
	uint16_t parted : 1; /* the other side has said its last word */
	int fd;
};

struct conn_spare *conn_spare(struct conn *c);
/* zlib or WebSocket begins: what is written from now on is counted in spare. */
struct conn_spare *conn_spare_layer(struct conn *c);
static inline struct zlayer *conn_z(const struct conn *c)
{
	return c->spare ? c->spare->z : NULL;
}
static inline struct conn_websocket *conn_ws(const struct conn *c)
{
	return c->spare ? c->spare->ws : NULL;
}
/* At the end of the turn, once. */
void conn_defer(struct conn *c, enum conn_due what);
/* Tells libuv what to look for now. */
void conn_watch(struct conn *c);
/* The one way to the end that the owner hears of. */
void conn_finish(struct conn *c, enum conn_end how, const char *text);
void conn_handshake(struct conn *c);
void conn_read(struct conn *c);
void conn_discard(struct conn *c);
void conn_flush(struct conn *c);
/* What is left over, then what else there is. */
void conn_read_on(struct conn *c);

/* websocket_conn.c. What is said of frames is true once the request is granted; before that, of the request. */
void conn_websocket_free(struct conn_websocket **ws);
/* Payload of the client, in its bytes, perhaps none; moves *p and *n. False: all is used, or the connection ends. */
bool conn_websocket_next(struct conn *c, char **p, size_t *n, struct str *out);
/* The owner has had what there was: tells it when that was the end of a message. */
void conn_websocket_had(struct conn *c);
/* Frames what is to be written next. True: there is more behind it. */
bool conn_websocket_pack(struct conn *c);
/* conn_close was called: our last frame. */
void conn_websocket_goodbye(struct conn *c);
/* What the end of the socket means, if frames decided it before. */
void conn_websocket_outcome(const struct conn *c, enum conn_end *how, const char **text);
/* Our Close frame is on its way, the other side's has not come: section 7.1.2. */
bool conn_websocket_waits(const struct conn *c);

#endif
