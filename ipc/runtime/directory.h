/* SPDX-License-Identifier: Apache-2.0
 *
 * directory: all instances of the flock, merged from what each router says, with the indexes that sending needs. No I/O; time comes in.
 *
 * An instance lives while any router that we have joined lists it. When our own link to a router breaks, what that router listed is not known to
 * be dead: it stays, unreachable, for DIRECTORY_LIMBO_MS, so that a router's restart kills nobody. */
#ifndef IPC_RUNTIME_DIRECTORY_H
#define IPC_RUNTIME_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/hash.h"
#include "common/base/list.h"
#include "common/base/str.h"
#include "ipc/proto/bus.pb-c.h"
#include "ipc/runtime/flow.h"
#include "ipc/runtime/idmap.h"
#include "ipc/runtime/path.h"

#define DIRECTORY_LINKS    64u /* routers at most; a bit each */
#define DIRECTORY_LIMBO_MS 5000u
/* Listed by no router any more, but its direct connection stands: its last records are still coming, and then the connection's end. */
#define DIRECTORY_LINGER_MS 300u

struct pair;
struct peer {
	uint64_t instance;
	Starling__Registration *registration;  /* the newest, on the heap */
	uint64_t routers;                      /* links whose router lists it */
	uint64_t connections[DIRECTORY_LINKS]; /* Registration.connection as each router says */
	uint64_t limbo_until_ms;               /* not 0: no router lists it */
	bool self;
	bool leaving; /* lingers: no router lists it, and that is no router's fault */
	/* owned by the bus: how we talk with it */
	struct flow flow;
	int route; /* router's link in use, -1: none */
	struct path path;
	struct pair *pair;     /* direct connection, or the attempts to make one; NULL: none */
	struct buf hold;       /* frame of what is held while the path switches */
	uint64_t link_refused; /* revision of the registration whose link cannot be used */
	bool lingers;          /* the connection stands */
	bool severed;          /* what we sent was lost, and the daemon has yet to hear of it: what it sends until then is lost, too */
	uint64_t last_sent_ms;
	struct list_node calls; /* open calls to it */
	struct list_node owing; /* in the bus's list of peers that get credit at the end of this turn */
	bool held;              /* its role is held: no credit */
};

struct directory_role {
	char *role;
	struct peer **peers; /* ready ones */
	uint32_t count, next;
};
struct directory_domain {
	uint64_t hash;
	struct str domain; /* in the registration */
	struct peer *peer;
};

struct directory_events {
	void (*on_peer)(struct peer *p, void *ctx); /* new */
	/* Listed by no router any more, or out of limbo; freed when this returns. */
	void (*on_gone)(struct peer *p, void *ctx);
	/* A router lost its connection to the instance, or we to the router: what was on the way by `links` may be lost. The instance itself may live. */
	void (*on_broken)(struct peer *p, uint64_t links, void *ctx);
};

struct directory {
	struct idmap peers;
	struct directory_role *roles;
	uint32_t role_count;
	struct directory_domain *domains;
	uint32_t domain_count, domain_next;
	struct peer *owners[SLOT_COUNT];
	uint64_t epochs[SLOT_COUNT];
	uint32_t limbo; /* peers in limbo */
	bool changed;   /* since directory_index */
	const struct directory_events *events;
	void *ctx;
};

void directory_init(struct directory *d, const struct directory_events *events, void *ctx);
void directory_fini(struct directory *d);
/* Ourselves: always listed, by nobody; a call with a newer registration replaces it. */
void directory_set_self(struct directory *d, const Starling__Registration *r);
/* The whole list of the router behind `link`. first: since the link was joined; then what it does not list yet stays in limbo. */
void directory_merge(struct directory *d, unsigned link, const Starling__DirectoryEvent *event, uint64_t now_ms);
void directory_link_lost(struct directory *d, unsigned link, uint64_t now_ms);
void directory_tick(struct directory *d, uint64_t now_ms);
/* Rebuilds the indexes when something changed; true when it did. */
bool directory_index(struct directory *d);

struct peer *directory_find(const struct directory *d, uint64_t instance);
/* method: that it should know. */
struct peer *directory_any(struct directory *d, const char *role, uint32_t method);
struct peer *directory_slot(const struct directory *d, const char *role, uint32_t slot);
struct peer *directory_domain(struct directory *d, struct str domain);

#endif
