/* SPDX-License-Identifier: Apache-2.0
 *
 * conn: one TCP connection, whoever opened it, with the layers that a stream puts on it: plain, then TLS, then zlib or WebSocket. Bytes come out of it and go into it as the
 * uppermost layer has them; what they mean is its owner's business.
 *
 * Reading happens only while not paused: a paused connection leaves its bytes in the kernel, which slows the sender down. Writing
 * gathers: what is put into conn_output() during a turn of the loop goes out at its end in one system call. An idle connection
 * holds no buffers.
 *
 * Life: conn_accept() gives it to its owner; it ends by on_end, after which it is gone, or by conn_drop(). All callbacks come from the loop,
 * never from within a function called by the owner. */
#ifndef COMMON_NET_CONN_H
#define COMMON_NET_CONN_H

#include "common/base/buf.h"
#include "common/net/addr.h"
#include "common/net/loop.h"
#include "common/net/tls.h"
#include "common/net/tls_client.h"
#include "common/net/websocket.h"
#include "common/net/websocket_handshake.h"

struct conn;

enum conn_end {
	CONN_END_PEER,      /* the other side closed */
	CONN_END_CLOSED,    /* we did, by conn_close */
	CONN_END_BROKEN,    /* the network, or the other side vanished */
	CONN_END_TLS,       /* the handshake or a record was bad */
	CONN_END_ZLIB,      /* compressed data was bad or beyond the ratio */
	CONN_END_LAYER,     /* bytes in clear behind a request for TLS: an injection, or a client that cannot wait */
	CONN_END_WEBSOCKET, /* no request for one, one that was refused, or a frame that breaks the rules */
};

struct conn_events {
	/* Bytes of the uppermost layer. Returns how many were used; the rest comes again after conn_resume(). Fewer than n only when paused
	 * or closing meanwhile, or when a layer was added, to which the rest then belongs. */
	size_t (*on_data)(struct conn *c, const char *p, size_t n, void *ctx);
	void (*on_secured)(struct conn *c, void *ctx); /* the TLS handshake is done */
	void (*on_written)(struct conn *c, void *ctx); /* conn_written() has risen. May be NULL */
	void (*on_end)(struct conn *c, enum conn_end how, const char *text, void *ctx);
	/* What came cannot be unpacked, and nothing more is heard. The owner may say so, and has then to close; else the connection ends at once. May be NULL. */
	void (*on_garbled)(struct conn *c, const char *why, void *ctx);
};

/* How a connection is a WebSocket (RFC 6455); must last as long as it. */
struct conn_websocket_options {
	/* Messages are text, or binary as MQTT's. */
	enum websocket_opcode type;
	/* True: conn_end_message() says what a message is, as XMPP needs (RFC 7395 section 3.1). False, for binary ones alone: what waits at the end of a turn
	 * goes out as one, whatever it is (MQTT 5 section 6). */
	bool messages;
	uint64_t message_max;         /* of a message from the client, bytes; 0: any, since nothing is gathered here */
	const char *const *protocols; /* as websocket_handshake */
	/* May this client? HTTP_SWITCHING_PROTOCOLS, or the status of the refusal. The request is gone when it returns. NULL: all may. */
	enum http_status (*on_request)(struct conn *c, const struct websocket_request *r, void *ctx);
	/* What on_data had since the last time was one message. May be NULL. */
	void (*on_message)(struct conn *c, void *ctx);
};

/* Takes over the descriptor (non-blocking, connected). NULL when libuv cannot watch it; then it is closed. */
struct conn *conn_accept(struct net_loop *loop, int fd, const struct net_addr *peer, const struct conn_events *events, void *ctx);
/* Gone at once, unflushed, without on_end. */
void conn_drop(struct conn **c);
/* Writes what is queued, then says goodbye on every layer and waits for the other side to do the same, at most `within_ms` in all. Nothing is read
 * any more. on_end follows. */
void conn_close(struct conn *c, uint32_t within_ms);
bool conn_closing(const struct conn *c);
/* By its protocol the other side says nothing more: without TLS conn_close closes when all is written, and waits for nothing of it. */
void conn_parted(struct conn *c);

void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* TLS, as server, once what is queued has been written in clear: nothing more may be put there until on_secured. Arguments as tls_server_new.
 * Fails while bytes are left over that on_data did not use. */
int conn_start_tls(struct conn *c, struct tls_set *set, struct str host, const char *alpn);
/* The same as client. Arguments as tls_client_begin. */
int conn_start_tls_client(struct conn *c, const struct tls_client *client, struct str host, struct str local, const char *alpn);
/* zlib, both ways, from the next byte, at either end. What is queued is written uncompressed first. */
int conn_start_zlib(struct conn *c);
/* After conn_start_zlib: what comes out is limited by conn_set_rate alone, not by a ratio as well. For an other end that passes on what others wrote: one text of
 * one letter would end the connection, and end the next one that carries it. */
void conn_zlib_by_rate(struct conn *c);
/* WebSocket, as server: what comes next is the client's request. It is granted or refused here, pings are answered, and both sides' goodbyes dealt with: of the
 * client's on_end tells when the connection is closed, two seconds later at most. on_data and conn_output are payload alone from then on; nothing may be put
 * into conn_output before on_request said yes. -1: there is a layer already, or text without messages. */
int conn_start_websocket(struct conn *c, const struct conn_websocket_options *options);
/* What was put into conn_output since the last one is one message; nothing of it leaves before. Does nothing to other connections. */
void conn_end_message(struct conn *c);
/* What the Close frame says when conn_close is called; WEBSOCKET_NORMAL unless set. */
void conn_set_close_code(struct conn *c, enum websocket_code code);
bool conn_is_websocket(const struct conn *c); /* asked for and granted */
SSL *conn_tls(const struct conn *c);          /* NULL before the handshake is done */
bool conn_compressed(const struct conn *c);

/* To append to; written at the end of the turn. Not to be kept. */
struct buf *conn_output(struct conn *c);
size_t conn_queued(const struct conn *c);       /* bytes not yet written */
uint64_t conn_output_end(const struct conn *c); /* all bytes ever put into conn_output */
uint64_t conn_written(const struct conn *c);    /* how many of them the kernel has */

/* Bytes a second that are read from it, saved up to burst; 0: as many as come. What zlib makes of them counts as well. */
void conn_set_rate(struct conn *c, uint32_t bytes_per_s, uint32_t burst);
/* The kernel gives up on a peer that acknowledges nothing for so long (TCP_USER_TIMEOUT). */
void conn_set_dead_after(struct conn *c, uint32_t ms);

const struct net_addr *conn_peer(const struct conn *c);
uint64_t conn_last_read_ms(const struct conn *c); /* net_now() of the last byte in */
uint64_t conn_bytes_in(const struct conn *c);     /* on the wire */
uint64_t conn_bytes_out(const struct conn *c);

#endif
