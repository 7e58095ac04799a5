/* SPDX-License-Identifier: Apache-2.0
 *
 * link: one encrypted connection that we make to one endpoint, of a router or of another instance: connects, tells when it stands, passes frames, batches what goes out, comes back with
 * a delay. Every attempt uses a new socket and a new routing id, so that both ends know where one connection ends and the next begins.
 * It knows nothing of what the records say; joining a router is membership.c, opening a direct connection pair.c. */
#ifndef IPC_RUNTIME_LINK_H
#define IPC_RUNTIME_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "ipc/runtime/keys.h"
#include "ipc/runtime/zsock.h"

enum link_state {
	LINK_DOWN, /* waits for its next attempt */
	LINK_CONNECTING,
	LINK_OPEN, /* encrypted and authenticated; not yet joined, or opened */
	LINK_JOINED,
	LINK_DUPLICATE, /* leads to a router that another link has joined */
};

struct link;
struct link_events {
	void (*on_open)(struct link *l, void *ctx);
	void (*on_frame)(struct link *l, struct str frame, void *ctx);
	/* The connection is gone; l->state is still what it was. */
	void (*on_down)(struct link *l, const char *why, void *ctx);
};

/* What all links of a bus have in common; outlives them. */
struct link_base {
	uv_loop_t *loop;
	void *zmq;
	uint64_t instance;
	const struct keypair *key;
	char (*server_keys)[KEYS_Z85 + 1]; /* of who listens; tried in turn: more than one while keys are exchanged */
	size_t server_key_count;
	const char *what; /* is connected to, for the log */
	bool optional;    /* there is another way: a refusal is no warning */
	uint64_t retry_max_ms;
	int heartbeat_ms; /* of ZeroMQ itself, in its own thread; 0: none */
	const struct link_events *events;
	void *ctx;
};

struct link {
	const struct link_base *base;
	unsigned index; /* place in the bus's table; a bit in masks */
	char *endpoint;
	enum link_state state;
	struct zsock *socket, *monitor;
	struct buf out;        /* the frame under construction */
	uint64_t router;       /* instance number of the other end, once joined */
	unsigned silent_ticks; /* heartbeat intervals without a frame from the router */
	unsigned attempts;
	uint64_t next_ms; /* DOWN: when to connect; CONNECTING, OPEN: when to give up */
	bool unwanted;    /* discovery does not name it any more */
	bool complained;  /* a refusal was logged; once is enough until it joins */
	bool touched;     /* the socket was used since the last recheck */
	uint64_t frames_in, frames_out, bytes_in, bytes_out;
};

struct link *link_new(const struct link_base *base, unsigned index, const char *endpoint);
void link_free(struct link **l, int linger_ms);
/* Runs what is due; call it a few times a second. */
void link_tick(struct link *l, uint64_t now_ms);
void link_set_joined(struct link *l, uint64_t router);
/* Reads what has arrived. */
void link_read(struct link *l);
/* Ends the connection; the next attempt follows after a delay, unless it is a duplicate. */
void link_drop(struct link *l, const char *why);
void link_set_duplicate(struct link *l, uint64_t router);
/* Hands the frame under construction to ZeroMQ. */
void link_flush(struct link *l);
/* Before the loop sleeps: flush, and make sure that nothing unread is slept over. */
void link_prepare(struct link *l);

#endif
