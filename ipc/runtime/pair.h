/* SPDX-License-Identifier: Apache-2.0
 *
 * pair: the direct connection to one other instance (ipc/proto/link.proto). Of a pair the lower number connects, at the first record between the
 * two; that end keeps its pair as long as the directory has the peer, and connects again after a break. The other end makes one when it is
 * opened and forgets it at its end.
 *
 * The socket that others connect to, which all their connections share, is direct.h. */
#ifndef IPC_RUNTIME_PAIR_H
#define IPC_RUNTIME_PAIR_H

#include "common/base/list.h"
#include "ipc/runtime/bus.h"
#include "ipc/runtime/codec.h"
#include "ipc/runtime/link.h"

#define PAIR_ID_MAX 255u

struct peer;

struct pair {
	struct ipc_bus *bus;
	struct peer *peer;
	struct list_node all; /* in direct.pairs */
	bool up;              /* opened, and not known to be over */
	bool failed;          /* pair_lost() is due */
	/* we connect */
	struct link *link; /* NULL: they have connected */
	struct link_base base;
	char server_key[1][KEYS_Z85 + 1];
	uint64_t connection; /* number of our attempt */
	/* they have connected */
	uint64_t id_hash; /* key in direct.by_id */
	uint8_t id[PAIR_ID_MAX];
	size_t id_n;
	char user[KEYS_Z85 + 1]; /* their public key */
	struct buf out;          /* frame under construction */
	uint64_t frames_in, frames_out, bytes_in, bytes_out;
};

/* A record goes to or came from a peer that has no pair: we connect, if that is ours to do. */
void pair_want(struct ipc_bus *bus, struct peer *p);
/* They have opened one. */
struct pair *pair_accept(struct ipc_bus *bus, struct peer *p, const uint8_t *id, size_t id_n, const char *user, uint64_t connection);
struct buf *pair_out(struct pair *c);
void pair_flush(struct pair *c);
/* Over, by our decision: the other end is told. A pair that was accepted is gone then. */
void pair_drop(struct pair *c, const char *why);
/* Over: what was on the way is lost. A pair that was accepted is gone then; a peer that had left goes soon. */
void pair_lost(struct pair *c, const char *why);
/* The peer is gone or the bus ends: no word to anyone. */
void pair_free(struct pair *c, int linger_ms);
/* A record of the interface Link; c: the connection it came by, NULL: through a router. */
void pair_record(struct ipc_bus *bus, struct pair *c, const struct envelope *e, const struct frame_record *r);

#endif
