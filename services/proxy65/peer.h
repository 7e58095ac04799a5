/* SPDX-License-Identifier: Apache-2.0
 *
 * peer: one client's connection: handshake, waiting for activation, then half of a bytestream. */
#ifndef PROXY65_PEER_H
#define PROXY65_PEER_H

#include "services/proxy65/proxy65.h"
#include "services/proxy65/socks5.h"

struct bytestream;

enum peer_state {
	PEER_HANDSHAKE,
	PEER_WAITING,  /* what it sends is ignored (XEP-0065 section 10.1) */
	PEER_RELAYING, /* its stream's */
	PEER_LEAVING,  /* refused: what it still sends is read, or it would not get the refusal */
};

struct peer {
	struct list_node node;
	struct proxy65 *proxy;
	uv_poll_t poll;
	int fd;
	int events; /* that are waited for */
	enum peer_state state;
	bool shared; /* ratelimit.h */
	struct net_addr address;
	struct socks5 *socks; /* during the handshake */
	size_t ignored;       /* bytes */
	struct wheel_timer timer;
	struct bytestream *stream; /* NULL before it asked for one */
};

/* Takes over the descriptor. */
void peer_new(struct proxy65 *proxy, int fd, const struct net_addr *address);
/* UV_READABLE | UV_WRITABLE */
void peer_watch(struct peer *peer, int events);
/* Throws away what came before activation. False: it has gone. */
bool peer_ignore_early(struct peer *peer);
/* From now on the stream says what is watched. */
void peer_relay(struct peer *peer);
/* Closed at once, out of its stream if it still waits there. */
void peer_free(struct peer *peer);

#endif
