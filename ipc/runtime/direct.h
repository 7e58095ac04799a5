/* SPDX-License-Identifier: Apache-2.0
 *
 * direct: our end of direct connections: the ROUTER socket that other instances connect to, who may, and when a connection ended. The connections
 * themselves are pair.h. */
#ifndef IPC_RUNTIME_DIRECT_H
#define IPC_RUNTIME_DIRECT_H

#include "common/base/list.h"
#include "ipc/runtime/bus.h"
#include "ipc/runtime/idmap.h"
#include "ipc/runtime/pair.h"
#include "ipc/runtime/zap.h"

struct direct {
	struct ipc_bus *bus;
	struct zsock *socket, *monitor;
	struct zap *zap;
	char *endpoint; /* as announced */
	struct idmap by_id;
	uint64_t seed;
	struct list_node pairs; /* all, also those that we make */
	bool touched;           /* the socket was used since the last recheck */
	uv_timer_t probe;
};

/* Binds; false, with a line in the log, when that cannot be done: then all goes through routers. */
bool direct_open(struct ipc_bus *bus, const char *endpoint);
/* Flushes, for at most linger_ms. */
void direct_close(struct ipc_bus *bus, int linger_ms);
void direct_prepare(struct direct *d); /* at the end of a turn */
void direct_tick(struct direct *d, uint64_t now_ms);
void direct_settle(struct direct *d); /* ends the connections that have failed */
/* A frame to who has connected; false when it is gone. */
bool direct_send(struct direct *d, const uint8_t *id, size_t id_n, struct str frame);
/* Tells a connection that it is over. */
void direct_refuse(struct direct *d, const uint8_t *id, size_t id_n, uint64_t to, uint64_t call, int code, const char *why);
uint64_t direct_hash(const struct direct *d, const uint8_t *id, size_t n); /* key in by_id */
void direct_forget(struct direct *d, struct pair *c);
/* The list of keys was read again: connections whose key is not listed any more end. */
void direct_revoke(struct direct *d);
void direct_stats(const struct direct *d, struct ipc_stats *out); /* adds its frames */

/* admit.c: a frame of a connection that is not open; its first record opens it, or it is refused. */
void admit_frame(struct direct *d, const uint8_t *id, size_t id_n, const char *user, struct str frame);

#endif
