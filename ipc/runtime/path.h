/* SPDX-License-Identifier: Apache-2.0
 *
 * path: the way that records take between us and one other instance: through a router, or by the direct connection, and how one follows the
 * other without a record overtaking another (ipc/proto/link.proto). A state machine alone: who connects is pair.c, what is sent is way.c.
 *
 * Each direction switches by itself. Ours (`out`) holds records back between the marker and its answer. The other's is known from what arrives. */
#ifndef IPC_RUNTIME_PATH_H
#define IPC_RUNTIME_PATH_H

#include <stdbool.h>
#include <stdint.h>

enum path_state {
	PATH_ROUTED,    /* through a router */
	PATH_SWITCHING, /* the marker is on its way through the router; records are held */
	PATH_DIRECT,
};
#define PATH_STATES 3

enum path_event {
	PATH_UP,       /* the connection stands: both know its number */
	PATH_DOWN,     /* it broke, or one end gave it up */
	PATH_ANSWERED, /* the marker arrived */
	PATH_UNROUTED, /* no router leads to the instance any more: what was on that way has arrived, or is lost and reported as that */
	PATH_REMIND,   /* the marker may be lost */
};
#define PATH_EVENTS 5

/* What is to be done, bits. */
enum path_todo {
	PATH_NOTHING = 0,
	PATH_MARK = 1,      /* send the marker */
	PATH_GO_DIRECT = 2, /* what was held goes by the connection */
	PATH_GO_ROUTED = 4, /* what was held goes through a router */
};

/* Zeroed: through a router, no connection. */
struct path {
	enum path_state out;
	bool in_direct;      /* the other's records come by the connection */
	uint64_t connection; /* number of the one that stands; 0: none */
	uint64_t marker;     /* the newest that arrived, perhaps before its connection stood here */
};

unsigned path_event(struct path *p, enum path_event event);
/* The connection stands; true when its marker has come before and is to be answered. The event PATH_UP follows. */
bool path_connected(struct path *p, uint64_t connection);
/* A marker arrived; true: answer it. */
bool path_marked(struct path *p, uint64_t connection);
/* Ends the connection. The event PATH_DOWN follows. */
void path_disconnected(struct path *p);
/* A record came by the connection, or through a router; true: it shows that the other has given the connection up. */
bool path_arrived(struct path *p, bool direct);
/* Nothing is on a way through routers, in either direction: they may break. */
static inline bool path_settled(const struct path *p)
{
	return p->out == PATH_DIRECT && p->in_direct;
}
const char *path_name(const struct path *p); /* of the way out: "router", "held", "direct" */

#endif
