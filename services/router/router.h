/* SPDX-License-Identifier: Apache-2.0
 *
 * router: the flock's meeting point. Files: router.c (building up and ending), socket.c (ROUTER socket, frames in and out), peers.c
 * (who is connected), join.c (the bus interface), forward.c (records from one to another), admin.c, figures.c (metrics).
 * It keeps nothing that matters: every service joins every router and says again what it is. */
#ifndef SERVICES_ROUTER_ROUTER_H
#define SERVICES_ROUTER_ROUTER_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/daemon/daemon.h"
#include "ipc/runtime/codec.h"
#include "ipc/runtime/idmap.h"
#include "ipc/runtime/keys.h"
#include "ipc/runtime/zap.h"
#include "ipc/runtime/zsock.h"

#define ROUTER_ID_MAX 255u

struct router_config {
	struct config_list bind;
	int64_t heartbeat_ms;
};

/* A connection over which an instance joined. */
struct peer {
	uint64_t instance;
	uint64_t id_hash;          /* key in router.by_id */
	uint8_t id[ROUTER_ID_MAX]; /* ZeroMQ routing id */
	size_t id_n;
	char *user; /* its public key, as ZAP found it listed */
	Starling__Registration *registration;
	unsigned silent_ticks;
	struct buf out;         /* frame under construction */
	struct list_node dirty; /* in router.dirty when out holds something */
};

struct router {
	struct daemon *daemon;
	const struct router_config *config;
	const struct config_shared *shared;
	uv_loop_t *loop;
	void *zmq;
	struct zsock *socket, *monitor;
	struct zap *zap;
	uint64_t instance;
	char **unlink_paths; /* ipc sockets that we made */
	size_t unlink_count;
	bool touched;

	struct keypair key;
	struct allow allow;
	uint64_t hash_seed;

	struct idmap by_instance, by_id;
	struct list_node dirty;
	struct arena *arena;
	bool directory_changed;
	uint64_t directory_revision;

	struct ipc_bus *bus; /* to ourselves: for what is asked of any daemon */
	struct ipc_method admin_methods[16];
	struct ipc_interface admin;

	uv_prepare_t prepare;
	uv_timer_t tick, probe;
};

/* Where a record came from. */
struct router_origin {
	const uint8_t *id;
	size_t id_n;
	const char *user;  /* public key */
	struct peer *peer; /* NULL: not joined (yet) */
};

/* router.c */
extern const struct daemon_spec router_spec;

/* socket.c */
int socket_open(struct router *r, struct err *e);
void socket_close(struct router *r);
/* The frame under construction goes out. False when the peer turned out to be gone; it is dropped then. */
bool socket_flush(struct router *r, struct peer *p);
/* One record to a connection that has not joined. */
void socket_reply(struct router *r, const struct router_origin *o, const struct envelope *e, const ProtobufCMessage *message);

/* peers.c */
struct peer *peers_by_id(const struct router *r, const uint8_t *id, size_t n);
struct peer *peers_by_instance(const struct router *r, uint64_t instance);
struct peer *peers_add(struct router *r, const struct router_origin *o, const Starling__Registration *reg);
void peers_update(struct router *r, struct peer *p, const Starling__Registration *reg);
void peers_drop(struct router *r, struct peer *p, const char *why);
void peers_revoke(struct router *r); /* drops whose key the list does not name any more */
void peers_free(struct router *r);
void peers_broadcast(struct router *r); /* the directory, if it changed */
void peers_heartbeat(struct router *r);
void peers_dirty(struct router *r, struct peer *p);

/* join.c: records whose destination is the router */
void join_record(struct router *r, struct router_origin *o, const struct envelope *e, const struct frame_record *rec);

/* forward.c */
void forward_frame(struct router *r, struct router_origin *o, struct str frame);
void forward_undeliverable(struct router *r, struct peer *to, const struct envelope *e);
/* A peer is gone with records in its frame: their senders hear of it. */
void forward_return(struct router *r, struct str frame);

/* admin.c */
int admin_open(struct router *r, struct err *e);
void admin_close(struct router *r);

/* figures.c */
extern struct metric figure_records, figure_bytes, figure_undeliverable;
void figures_register(struct router *r);
void figures_refused(struct router *r, const char *why, const struct router_origin *o);
void figures_denied(const char *address, void *router);
uint64_t figures_work(void);

#endif
