/* SPDX-License-Identifier: Apache-2.0
 *
 * request: one request while it is looked at, and the answer to it. */
#ifndef TURN_REQUEST_H
#define TURN_REQUEST_H

#include "services/turn-relay/worker.h"

struct request {
	struct worker *w;
	const struct client *from;
	const struct stun_message *m;
	struct allocation *a; /* of the client, or NULL */
	struct creds_user user;
	struct stun_key key;
	bool proved; /* by whom the key is */
	bool sha256; /* the answer is signed so (RFC 8489 section 9.2.4) */
	struct stun_writer answer;
	uint8_t bytes[TURN_REPLY_MAX];
};

/* auth.c: true when the request may go on; otherwise it has been answered, or deserves no answer. */
bool request_authenticate(struct request *r);

/* Begins a success response; put what it has to say, then request_reply. */
void request_begin(struct request *r);
void request_reply(struct request *r);
/* The whole of an error response. */
void request_refuse(struct request *r, enum stun_code code);
/* 300: elsewhere. */
void request_send_away(struct request *r, const struct net_addr *where);
/* 401 or 438, with what the client needs to do better. */
void request_challenge(struct request *r, enum stun_code code);
/* May one who has not shown who he is get an answer now? Counts, when not. */
bool request_within_budget(struct request *r);

/* The handlers. */
void turn_binding(struct request *r);
void turn_allocate(struct request *r);
void turn_refresh(struct request *r);
void turn_move(struct request *r); /* a Refresh with a ticket */
void turn_create_permission(struct request *r);
void turn_channel_bind(struct request *r);
void turn_connect(struct request *r);
void turn_connection_bind(struct request *r);

/* May the allocation have to do with that peer? 0, or the error's code. A permission is for an address, all else for its port as well. */
enum stun_code request_check_peer(const struct request *r, const struct stun_address *peer, bool with_port);

/* LIFETIME, within what is allowed; 0 only where zero was asked for (RFC 8656 sections 7.2, 8.2). */
uint32_t request_lifetime(const struct request *r);
/* RELAYED_V4 or _V6 of an address family attribute; -1: neither. */
int request_family(const struct request *r, enum stun_attr attr);

#endif
