/* SPDX-License-Identifier: Apache-2.0
 *
 * conn: one TCP connection, whoever opened it, with the layers that a stream puts on it: plain, then TLS, then zlib. Bytes come out of it and go into it as the
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

struct conn;

enum conn_end {
	CONN_END_PEER,   /* the other side closed */
	CONN_END_CLOSED, /* we did, by conn_close */
	CONN_END_BROKEN, /* the network, or the other side vanished */
	CONN_END_TLS,    /* the handshake or a record was bad */
	CONN_END_ZLIB,   /* compressed data was bad or beyond the ratio */
	CONN_END_LAYER,  /* bytes in clear behind a request for TLS: an injection, or a client that cannot wait */
};

struct conn_events {
	/* Bytes of the uppermost layer. Returns how many were used; the rest comes again after conn_resume(). Fewer than n only when paused
	 * or closing meanwhile, or when a layer was added, to which the rest then belongs. */
	size_t (*on_data)(struct conn *c, const char *p, size_t n, void *ctx);
	void (*on_secured)(struct conn *c, void *ctx); /* the TLS handshake is done */
	void (*on_written)(struct conn *c, void *ctx); /* conn_written() has risen. May be NULL */
	void (*on_end)(struct conn *c, enum conn_end how, const char *text, void *ctx);
};

/* Takes over the descriptor (non-blocking, connected). NULL when libuv cannot watch it; then it is closed. */
struct conn *conn_accept(struct net_loop *loop, int fd, const struct net_addr *peer, const struct conn_events *events, void *ctx);
/* Gone at once, unflushed, without on_end. */
void conn_drop(struct conn **c);
/* Writes what is queued, then says goodbye on every layer and waits for the other side to do the same, at most `within_ms` in all. Nothing is read
 * any more. on_end follows. */
void conn_close(struct conn *c, uint32_t within_ms);
bool conn_closing(const struct conn *c);

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
SSL *conn_tls(const struct conn *c); /* NULL before the handshake is done */
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
