/* SPDX-License-Identifier: Apache-2.0
 *
 * proxy65: the daemon's own object: what its parts share, and its life. */
#ifndef PROXY65_PROXY65_H
#define PROXY65_PROXY65_H

#include "common/daemon/daemon.h"
#include "common/net/listener.h"
#include "common/net/loop.h"
#include "services/proxy65/config.h"
#include "services/proxy65/pipe_pool.h"
#include "services/proxy65/user.h"

#define PROXY65_ROLE          "proxy65"
#define PROXY65_LISTENERS_MAX 16u
#define PROXY65_BUCKETS       1024u

struct proxy65 {
	struct daemon *daemon;
	struct ipc_bus *bus;
	const struct proxy65_config *config;
	const struct log_ctx *log;
	struct net_loop *net;
	struct listener *listeners[PROXY65_LISTENERS_MAX];
	uint32_t listener_count;
	uint16_t port;            /* listened on */
	uint16_t offset;          /* of it, from the first of `ports` */
	struct ratelimit *limits; /* by address */
	struct config_list domains;
	struct pipe_pool pipes;
	struct users users;
	uint64_t seed;                             /* of the hash: clients choose what is hashed */
	struct list_node streams[PROXY65_BUCKETS]; /* by destination */
	struct list_node peers;
	uint32_t peer_count; /* connections */
	uint32_t active;     /* streams */
	struct wheel_timer sweep;
	bool serving, draining, stopped;
};

struct proxy65 *proxy65_new(struct daemon *d, struct err *e);
void proxy65_run(struct proxy65 *proxy);
void proxy65_reload(struct proxy65 *proxy);
void proxy65_drain(struct proxy65 *proxy);
void proxy65_free(struct proxy65 **proxy);
/* A connection or stream has gone: there may be room for others, or an end to be told. */
void proxy65_look(struct proxy65 *proxy);

/* Is it one of the relay's addresses in XMPP? */
bool proxy65_serves(const struct proxy65 *proxy, struct str domain);
bool proxy65_local(const struct proxy65 *proxy, struct str domain);
/* Where clients are to connect. */
const char *proxy65_announced_host(const struct proxy65 *proxy, const char *domain);
uint16_t proxy65_announced_port(const struct proxy65 *proxy);

#endif
