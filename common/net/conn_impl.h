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

/* What most connections most of the time do without. */
struct conn_spare {
	struct buf held;   /* uppermost layer's bytes that the owner left over */
	struct buf packed; /* compressed or framed bytes not yet unpacked: it paused, the rate is used up, or others have their turn */
	struct buf wire;   /* compressed or framed bytes not yet written */
	uint64_t marked;   /* bytes of conn_output that are out when the next `mark` bytes of wire are */
	size_t mark;
	struct bucket bucket;
	uint32_t rate, burst;
};

struct conn {
	struct net_loop *loop;
	const struct conn_events *events;
	void *ctx;
	uv_poll_t poll;
	struct net_task flush_task, read_task;
	struct wheel_timer timer; /* open: end of the throttling; closing: end of patience */
	SSL *ssl;
	struct zlayer *z;
	struct conn_websocket *ws;
	struct conn_spare *spare;
	struct buf out;
	uint64_t done;  /* bytes of conn_output that the kernel has */
	uint64_t taken; /* the same and those that wait compressed or framed in spare->wire */
	uint64_t bytes_in, bytes_out, last_read_ms;
	struct net_addr peer;
	int fd;
	uint8_t state, tls; /* enum conn_state, conn_tls */
	uint8_t watching;   /* events asked of libuv */
	bool paused, throttled;
	bool want_write;
	bool parted; /* the other side has said its last word */
};

struct conn_spare *conn_spare(struct conn *c);
/* Tells libuv what to look for now. */
void conn_watch(struct conn *c);
/* The one way to the end that the owner hears of. */
void conn_finish(struct conn *c, enum conn_end how, const char *text);
void conn_handshake(struct conn *c);
void conn_read(struct conn *c);
void conn_discard(struct conn *c);
void conn_flush(struct conn *c);
void conn_on_read_task(struct net_task *t);
void conn_on_flush_task(struct net_task *t);

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
