/* SPDX-License-Identifier: Apache-2.0
 *
 * mobility: allocations that follow their clients to another address (RFC 8016), within a thread or to another one. The kernel gives a client's new 5-tuple to any thread; the one that has
 * the allocation decides. Until the client sends something on the new path the old one is served (section 3.2.2).
 *
 *   the new path's thread                                 the allocation's thread
 *   a Refresh with a ticket: a claim      -- ask -->      is the ticket good, and this user's? Then the claim is the heir
 *   answers the client                    <- answer --
 *   data, or a request: keeps it          -- call -->     takes the allocation apart
 *   puts it together, and takes up        <- arrival --
 *   what it has kept
 *   or drops the claim                    <- withdrawn -- another claim, or the allocation has ended
 *   the client has gone                   -- release -->  has no heir any more
 *
 * Mail is a struct move, and belongs to who has it. Both threads may be the same one. */
#ifndef TURN_MOBILITY_H
#define TURN_MOBILITY_H

#include "services/turn-relay/request.h"

#define CLAIMS_MAX        4096u /* of a thread */
#define CLAIM_HELD_MAX    32u   /* messages that wait for the allocation */
#define CLAIM_HELD_BYTES  32768u
#define MOBILITY_ALONE_MS 60000u /* how long a mobile allocation outlives its client's connection */
#define MOBILITY_LOST_MS  30000u /* how long an answer may be found to be lost, when there is no old path to tell by */

enum claim_kind { CLAIM_MESSAGE, CLAIM_DATA };

struct held {
	struct held *next;
	enum claim_kind kind;
	uint16_t channel;
	size_t n;
	char bytes[];
};

/* A client who has shown a ticket, and has not yet got his allocation. */
struct claim {
	struct claim *next; /* in its bucket */
	struct worker *worker;
	uint32_t number; /* the lower part is its bucket's */
	struct client client;
	uint64_t serial; /* of the allocation */
	char *account;
	bool asking, granted, called;
	/* The Refresh, for the answer to it and to repetitions. */
	uint8_t id[STUN_ID_SIZE];
	struct stun_key key;
	bool sha256, fingerprint;
	uint32_t seconds, issued;
	uint64_t until_ms;
	struct held *first, **last;
	unsigned held_count;
	size_t held_bytes;
};

struct move {
	uint64_t serial;
	struct worker *by; /* whose claim it is */
	uint32_t claim;
	struct net_addr client; /* where he is now */
	/* Asked. */
	char *account;
	uint32_t generation, seconds;
	int family; /* -1: all */
	/* Answered. */
	enum stun_code code; /* 0: granted */
	bool over;           /* ended, as was asked for */
	uint32_t issued;
	uint64_t until_ms;
	/* On its way. */
	struct allocation *a;
	struct reserved sockets[RELAYED_FAMILIES]; /* fd -1: none */
	uint64_t socket_until_ms[RELAYED_FAMILIES];
	uint32_t kicks;
};
struct move *move_new(uint64_t serial, struct worker *by, uint32_t claim);
void move_free(struct move *m); /* not the allocation */

/* claim.c: the new path's thread. */
struct claim *claim_of(const struct worker *w, const struct client *c);
/* Keeps a message until the allocation is here. False: the client has no claim. */
bool claim_hold(struct worker *w, const struct client *c, enum claim_kind kind, uint16_t channel, struct str bytes);
bool claim_is_granted(const struct worker *w, const struct client *c);
bool claim_is_of(const struct worker *w, const struct client *c, struct str account);
void claim_client_gone(struct worker *w, const struct client *c);
void claim_drop_all(struct worker *w);
/* Out of the table, the caller's. NULL: is no more. */
struct claim *claim_take(struct worker *w, uint32_t number);
/* One that has been taken: what it has kept is looked at as if it came now. */
void claim_end(struct claim *c);
void claim_on_answer(struct worker *w, void *move);
void claim_on_withdrawn(struct worker *w, void *move);

/* mobility.c: the allocation's thread. */
struct roaming {
	uint32_t confirmed, issued; /* tickets of these generations, and those between, are good: the client may have got any of them */
	uint32_t before;            /* and from this one on, for a while */
	uint64_t before_until_ms;
	struct {
		struct worker *by; /* NULL: none */
		uint32_t claim;
		struct net_addr addr; /* counted by the quota */
	} heir;
	bool moved;
	uint8_t id[STUN_ID_SIZE]; /* of the request that moved it */
};
void mobility_begin(struct allocation *a);
void mobility_end(struct allocation *a);
void mobility_alone(struct allocation *a); /* without a client; it may be gone when this returns */
void mobility_put_ticket(struct request *r, const struct allocation *a, uint64_t until_ms);
void mobility_put(struct request *r, uint64_t serial, uint32_t generation, uint64_t until_ms);
bool mobility_read_ticket(const struct request *r, struct ticket *out);
void mobility_on_ask(struct worker *w, void *move);
void mobility_on_call(struct worker *w, void *move);
void mobility_on_release(struct worker *w, void *move);
void mobility_on_arrival(struct worker *w, void *move);

#endif
