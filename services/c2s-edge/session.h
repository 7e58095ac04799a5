/* SPDX-License-Identifier: Apache-2.0
 *
 * session: a bound resource towards its owner, and what its files call of each other. Included by c2s.h.
 *
 *   session.c  numbering, sending, acceptance, backpressure
 *   owner.c    which session-manager it belongs to now, and Attach and Close
 *   acked.c    which deliveries the client has
 *   sm.c       stream management (XEP-0198); resume.c: taking a session over by a new stream */
#ifndef C2S_EDGE_SESSION_H
#define C2S_EDGE_SESSION_H

#include "common/net/addr.h"
#include "common/net/wheel.h"
#include "ipc/proto/edge.pb-c.h"
#include "ipc/proto/session.pb-c.h"
#include "services/c2s-edge/unacked.h"
#include "services/c2s-edge/window.h"

struct c2s_edge;
struct c2s_stream;
struct c2s_sm;

#define C2S_RECORD_MAX 65536u /* edge.proto, Remember */

enum c2s_link {
	C2S_LINK_DETACHED, /* no owner, or waiting to attach */
	C2S_LINK_QUEUED,   /* in the queue of those to attach */
	C2S_LINK_ATTACHING,
	C2S_LINK_ATTACHED,
	C2S_LINK_CLOSING, /* attached; Close is on the way */
};

/* What the owner wants to hear again at Attach. */
struct c2s_record {
	size_t n;
	uint8_t data[];
};

struct c2s_session {
	uint64_t id; /* stream number, in the contract's sense */
	struct c2s_edge *edge;
	struct c2s_stream *stream; /* NULL: the client is gone; Close has to be said */
	struct list_node node;     /* in its slot */
	struct list_node queue;    /* in edge->attach_queue */
	struct list_node report;   /* in edge->reports: Acked has to be said */
	struct wheel_timer timer;
	struct c2s_window window;
	struct c2s_unacked *unacked; /* deliveries acked + 1 to sent */
	struct c2s_record *record;
	struct c2s_sm *sm; /* NULL: without stream management */
	char *jid;
	char *close_text;
	uint64_t owner;       /* instance; 0 while detached */
	uint64_t sent, acked; /* deliveries */
	uint64_t handed;      /* highest position in the log that was delivered */
	uint64_t stalled_at;  /* window.accepted when last looked at */
	uint64_t ended_ms;
	struct net_addr peer;
	uint16_t slot;
	uint8_t link; /* enum c2s_link: set in owner.c alone */
	uint8_t attempts;
	uint8_t close_reason;
	uint8_t claims; /* Resume calls on the way for it: until they are answered nothing of the old connection's may go out */
	bool encrypted;
	bool calling;   /* an Attach or Close is on the way: the session must stay */
	bool counted;   /* the owner counts deliveries: its version of the interface has Acked */
	bool resumable; /* when it has ended: the client is only away */
	bool forgotten; /* it lives elsewhere now; only waits for the call that is on the way */
};

struct c2s_slot {
	struct list_node sessions;
	uint64_t owner, epoch;
};

/* session.c */
/* s: NULL where the client has left already. */
struct c2s_session *c2s_session_new(struct c2s_edge *edge, struct c2s_stream *s, uint64_t id, const char *jid, uint64_t owner);
struct c2s_session *c2s_session_find(struct c2s_edge *edge, uint64_t id);
/* The stream is gone: what it left unaccepted is still handed over, then Close is said. */
void c2s_session_end(struct c2s_session *ss, Starling__CloseReason reason, const char *text, bool resumable);
/* It has been resumed by another connection: this end of it goes without Close, and the stream that had it with an error. */
void c2s_session_forget(struct c2s_session *ss);
void c2s_session_free(struct c2s_session *ss);
/* Sends what has not been sent, as far as it goes, and sets the stream's holds. */
void c2s_session_push(struct c2s_session *ss);
void c2s_session_accept(struct c2s_session *ss, uint64_t number);
void c2s_session_remember(struct c2s_session *ss, ProtobufCBinaryData record);

/* owner.c */
bool c2s_owner_counts(const struct c2s_edge *edge, uint64_t instance); /* it knows Acked and Remember */
void c2s_owner_start(struct c2s_session *ss, uint64_t owner);          /* just opened there */
void c2s_owner_detach(struct c2s_session *ss);                         /* and look for the owner again */
void c2s_owner_close(struct c2s_session *ss);
void c2s_owner_claim(struct c2s_session *ss);   /* a Resume for it goes out */
void c2s_owner_unclaim(struct c2s_session *ss); /* it failed */
void c2s_owner_on_timer(struct wheel_timer *t);
/* owner_bus.c: what the bus tells */
void c2s_owner_on_directory(struct c2s_edge *edge);
void c2s_owner_on_lost(struct c2s_edge *edge, uint64_t instance, const char *role);
void c2s_owner_on_reset(struct c2s_edge *edge, uint64_t instance);
void c2s_owner_on_pressure(struct c2s_edge *edge, uint64_t instance, bool high);
bool c2s_owner_pressed(const struct c2s_edge *edge, uint64_t instance);
void c2s_owner_lose(struct c2s_session *ss);   /* its owner is gone */
void c2s_owner_renew(struct c2s_session *ss);  /* its slot has another owner */
void c2s_owner_repair(struct c2s_session *ss); /* something may be lost on the way */

/* acked.c */
void c2s_acked_delivered(struct c2s_session *ss, const Starling__DeliverEvent *event); /* it is in the stream's output */
void c2s_acked_written(struct c2s_session *ss);                                        /* the kernel has taken more */
void c2s_acked_up_to(struct c2s_session *ss, uint64_t number);
void c2s_acked_flush(struct c2s_edge *edge); /* tells the owners now */

#endif
