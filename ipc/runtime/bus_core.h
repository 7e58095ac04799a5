/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_core: the bus's inside, shared by the files of ipc/runtime that make it up:
 *   bus.c         builds and ends it; the loop's handles
 *   membership.c  joining routers, heartbeats, the directory's events
 *   registration.c  what we say of ourselves
 *   send.c        from a target to a frame: resolving, credit, queues
 *   way.c         which frame: of a router or of a direct connection; keeps order between the two (path.h)
 *   pair.c, direct.c, admit.c  direct connections: one, the socket that others connect to, who may
 *   losses.c      what breaks end: calls, credit
 *   receive.c     from a frame to whoever it is for
 *   serve.c       calls and events that we answer */
#ifndef IPC_RUNTIME_BUS_CORE_H
#define IPC_RUNTIME_BUS_CORE_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/list.h"
#include "ipc/runtime/bus.h"
#include "ipc/runtime/calls.h"
#include "ipc/runtime/codec.h"
#include "ipc/runtime/direct.h"
#include "ipc/runtime/directory.h"
#include "ipc/runtime/discover.h"
#include "ipc/runtime/keys.h"
#include "ipc/runtime/link.h"
#include "ipc/runtime/pair.h"

#define BUS_INTERFACES  256u
#define BUS_DEADLINE_MS 5000u
/* Of a call, beside the indexes of routers' links. */
#define ROUTE_NONE   (-1) /* it still waits, or is held */
#define ROUTE_DIRECT 64   /* by the direct connection */
_Static_assert(ROUTE_DIRECT >= DIRECTORY_LINKS, "a router's link has this index");

/* A hook that waits until the directory is consistent again. */
struct bus_news {
	enum { NEWS_LOST, NEWS_RESET } kind;
	uint64_t instance;
	char *role;
};

struct ipc_bus {
	uv_loop_t *loop;
	struct ipc_bus_hooks hooks;
	void *ctx;
	void *zmq;
	bool debug;
	bool ending; /* no hook and no handler runs any more */
	bool closing;

	/* us */
	Starling__Registration self;
	uint64_t instance;
	bool announce; /* the registration changed since it was sent */
	uint32_t window, queue_limit;

	/* routers */
	struct keypair key;
	struct allow allow;
	char *allow_file;
	struct link_base base;
	struct link *links[DIRECTORY_LINKS];
	struct discover *discover;
	uint32_t heartbeat_ms;
	uint64_t heartbeat_at_ms;
	bool was_joined;

	/* direct connections */
	char *link_endpoint; /* to bind; NULL: none, or it was done */
	struct direct *direct;

	/* peers */
	struct directory directory;
	struct bus_news *news;
	uint32_t news_count;
	struct list_node owing; /* peers that get credit at the end of this turn */
	char **held;            /* roles */
	uint32_t held_count;

	/* records */
	struct arena *arena; /* of the message being handled */
	struct buf local;    /* frame of records to ourselves, for the next turn */
	uint32_t local_count;
	struct buf scratch;
	struct calls calls;
	uint64_t deadlines_armed_ms;
	const struct ipc_interface *serves[BUS_INTERFACES];
	struct list_node serving;
	struct ipc_call *spare; /* ended calls, for use again */

	struct ipc_stats stats;
	uint64_t closed_frames_in, closed_frames_out, closed_bytes_in, closed_bytes_out; /* of links that are gone */

	uv_prepare_t prepare;
	uv_idle_t later;
	uv_timer_t tick, deadlines;
	int handles;
};

static inline uint64_t bus_now(const struct ipc_bus *bus)
{
	return uv_now(bus->loop);
}
void bus_later(struct ipc_bus *bus); /* something waits for the next turn */
void bus_tick_soon(struct ipc_bus *bus);

/* Records to or from a peer may be lost. */
struct breach {
	uint64_t links; /* of the routers, on the way through them, */
	bool direct;    /* or by the direct connection */
	bool out;       /* what we sent was on that way: so all that we gave to the bus since is lost with it (order) */
};

/* membership.c */
extern const struct link_events membership_link_events;
extern const struct directory_events membership_directory_events;
void membership_found(const char *const *endpoints, uint32_t count, void *bus);
void membership_tick(struct ipc_bus *bus, uint64_t now_ms);
bool membership_complete(const struct ipc_bus *bus); /* every wanted link is joined */
void membership_announce(struct ipc_bus *bus);
void membership_record(struct ipc_bus *bus, struct link *l, const struct envelope *e, const struct frame_record *r);
void membership_leave(struct ipc_bus *bus);
/* The daemon hears what happened: hooks first, then the calls that failed by it. */
void membership_report(struct ipc_bus *bus);
void membership_reset(struct ipc_bus *bus, struct peer *p, const struct breach *b);

/* registration.c */
void registration_init(struct ipc_bus *bus, const struct ipc_config *config);
void registration_fini(struct ipc_bus *bus);
void registration_set_link(struct ipc_bus *bus, const char *endpoint);

/* send.c */
struct post {
	struct envelope envelope;        /* source and destination are filled in */
	const ProtobufCMessage *message; /* or NULL */
	struct str payload;
	struct call *call; /* a CALL's, else NULL */
	bool in_line;      /* as in struct ipc_opts */
};
int send_post(struct ipc_bus *bus, struct peer *p, struct post *post);
/* A record to the router at the other end of a link. */
void send_router(struct ipc_bus *bus, struct link *l, int kind, uint32_t method, uint64_t call, const ProtobufCMessage *message);
void send_pump(struct ipc_bus *bus, struct peer *p); /* what waited goes out as far as credit reaches */
void send_consumed(struct ipc_bus *bus, uint64_t source);
void send_owing(struct ipc_bus *bus); /* grants, at the end of a turn */
void send_tick(struct ipc_bus *bus, uint64_t now_ms);
void send_held(struct ipc_bus *bus, struct peer *p);
void send_arm_deadlines(struct ipc_bus *bus);
void send_tell_pressure(struct ipc_bus *bus, const struct peer *p, enum flow_pressure pressure);

/* losses.c */
void losses_broken(struct ipc_bus *bus, struct peer *p, const struct breach *b);
void losses_gone(struct ipc_bus *bus, struct peer *p);
void losses_undeliverable(struct ipc_bus *bus, const Starling__UndeliverableEvent *event);

/* way.c */
struct way {
	struct buf *out;   /* the next record is written here, then way_wrote() */
	int route;         /* for the call */
	struct link *link; /* to a router */
	struct pair *pair; /* direct */
};
bool way_find(struct ipc_bus *bus, struct peer *p, struct way *out); /* false: none now */
void way_wrote(const struct way *w);
void way_event(struct ipc_bus *bus, struct peer *p, enum path_event event);
void way_remind(struct ipc_bus *bus, struct peer *p);
/* Our records to the peer take a way that leads through one of these routers. */
bool way_leads_through(const struct peer *p, uint64_t links);
void way_broken(struct ipc_bus *bus, struct peer *p, uint64_t links);
/* Of what is held only answers and credit are left. */
void way_drop_held(struct peer *p);

/* receive.c */
struct origin {
	struct link *link; /* a router's */
	struct pair *pair; /* both NULL: ourselves */
};
void receive_frame(struct ipc_bus *bus, struct origin o, struct str frame);
void receive_refused(struct ipc_bus *bus, const char *why, uint64_t source);
void receive_local(struct ipc_bus *bus);

/* serve.c */
void serve_record(struct ipc_bus *bus, const struct envelope *e, const struct frame_record *r);
void serve_fini(struct ipc_bus *bus);

/* debug.c */
void debug_message(const struct ipc_bus *bus, const char *arrow, const char *via, const struct envelope *e, const ProtobufCMessage *message,
                   size_t payload);
void debug_record(const struct ipc_bus *bus, const char *arrow, const char *via, const struct envelope *e, const struct frame_record *r);

#endif
