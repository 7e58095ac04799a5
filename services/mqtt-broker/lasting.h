/* SPDX-License-Identifier: Apache-2.0
 *
 * lasting: what a session that outlives its connections has beside the others: its row in the store, its queue there, and what is being written about it. One
 * that does not, but leaves a will, has a row for that alone. The store is the truth; this is what must be known to write it. Every write is tried again until
 * the store has it or says that the session is another's. */
#ifndef MQTT_BROKER_LASTING_H
#define MQTT_BROKER_LASTING_H

#include "common/net/loop.h"
#include "ipc/proto/mqtt_store.pb-c.h"
#include "services/mqtt-broker/mq.h"
#include "services/mqtt-broker/outbox.h"
#include "services/mqtt-broker/route.h"

struct mq_intake;
struct mq_subscribing;
struct mq_target;

/* Its row, and the owner's number. session 0: it has none yet. */
struct mq_fence {
	uint64_t session, epoch;
};

/* Numbers that are to be told to the store, and those that it is being told. */
struct mq_news {
	uint64_t *items;
	uint32_t n, cap;
};

enum mq_lasting_state {
	MQ_LASTING_OPENING, /* the store is asked for it */
	MQ_LASTING_READY,
	MQ_LASTING_CLOSING, /* it ends: the store is told */
};

struct mq_lasting {
	struct mq_session *session;
	struct mq_broker *broker;
	struct list_node node;    /* of the broker's */
	struct mq_client *opener; /* waits for it; NULL: nobody */
	struct mq_fence fence;
	uint8_t state;
	bool saving, dirty;       /* away.c: MqttSessionSet is on its way, and what it says is old */
	bool unsaved;             /* it failed */
	bool fetching;            /* stored.c: a page is being read, up to */
	uint64_t fetch_to;        /* this seq, at most; 0: it is of no use any more */
	bool doubt;               /* open.c: the answer to a call was lost */
	bool known;               /* who had it has let it go for us, or may have */
	bool counted;             /* in mq_several.opening */
	bool exists;              /* another broker has it: it is claimed anew */
	uint64_t asked_for;       /* open.c: mq_client.number of whom the store is asked for */
	struct wheel_timer retry; /* for what failed last, by the state */
	struct wheel_timer due;   /* its end, or its will's, whichever comes first */
	uint32_t expiry_s, will_delay_s;
	int64_t disconnected_us, will_due_us; /* 0: it has a client; no will waits */

	struct mq_outbox box;
	uint64_t queued;          /* rows that are not complete */
	uint64_t sent;            /* the highest seq that a client may have seen */
	uint64_t sent_known;      /* the highest one that certainly was sent; all below were as well */
	uint64_t passed;          /* full.c: all up to this seq may be under way to the client, or is no longer wanted */
	struct list_node pending; /* struct mq_target.node by rising seq: on its way to the store */

	struct mq_arrival *arrival; /* NULL: all have heard of it */

	struct mq_news done, got;      /* done.c: complete; PUBREC */
	struct mq_news told, told_got; /* of the call that is on its way */
	bool telling;
	struct net_task tell_task;
	struct wheel_timer tell_timer;

	struct list_node intakes;      /* intake.c: struct mq_intake.node: incoming QoS 2, in order */
	struct mq_received unsure;     /* packet identifiers that the store had at start: maybe routed, maybe not */
	struct list_node releases;     /* release.c: struct mq_release.node: PUBREL has come, */
	struct list_node releasing;    /* and the store is told */
	struct list_node subscribings; /* subscribing.c: struct mq_subscribing.node: those that wait to be tried again */
	struct wheel_timer release_timer;
};

/* --- lasting.c ------------------------------------------------------------------------------------------------------- */

/* Gives the session what it needs to last. */
struct mq_lasting *mq_lasting_new(struct mq_session *s);
/* Of a session that ends. */
void mq_lasting_free(struct mq_lasting **l);
/* The store says that it is not ours: its client goes (0x8E), and nothing is written any more. */
void mq_lasting_lost(struct mq_session *s);
/* What the store has of it. */
void mq_lasting_load(struct mq_session *s, const Starling__MqttSession *row);
void mq_news_add(struct mq_news *n, uint64_t item);
void mq_news_move(struct mq_news *to, struct mq_news *from, uint32_t most); /* the oldest ones */
void mq_news_fini(struct mq_news *n);

/* --- away.c ---------------------------------------------------------------------------------------------------------- */

/* The store is told what the session is now; who waits for it (opener) is told when it has it. */
void mq_lasting_save(struct mq_session *s);
/* It has no client any more: expiry, will. */
void mq_lasting_leave(struct mq_session *s);
/* From now on: the timers, by what is set. */
void mq_lasting_wait(struct mq_session *s);
/* Its end: everything goes, in the store first. */
void mq_lasting_close(struct mq_session *s);
void mq_lasting_close_call(struct mq_session *s);
void mq_away_on_due(struct wheel_timer *t);

/* --- open.c ---------------------------------------------------------------------------------------------------------- */

void mq_open_call(struct mq_session *s);
/* The store has what the opener changed about it. */
void mq_open_saved(struct mq_session *s);
/* It is here now, or never will be. */
void mq_open_over(struct mq_lasting *l);

/* --- full.c ---------------------------------------------------------------------------------------------------------- */

/* limits.queue_full: is there room for one more message, or may there be? Otherwise it is dropped, and counted. */
bool mq_full_has_room(struct mq_session *s);
/* It has been read from the store. */
void mq_full_begin(struct mq_session *s);
/* With drop-old: the oldest go, as far as there are more than may be, and they are known to be in the store. */
void mq_full_trim(struct mq_session *s);

/* --- stored.c, done.c ------------------------------------------------------------------------------------------------ */

/* What is next goes out, as far as there is room. */
void mq_stored_more(struct mq_session *s);
/* A client has come: from the beginning. */
void mq_stored_begin(struct mq_session *s);
/* The row is complete, or the client has it (PUBREC). */
void mq_done(struct mq_session *s, uint64_t seq);
void mq_got(struct mq_session *s, uint64_t seq);
void mq_done_on_task(struct net_task *t);
void mq_done_on_timer(struct wheel_timer *t);
/* queueing.c: the lowest seq that is on its way to the store; the next one when there is none. */
uint64_t mq_pending_first(const struct mq_lasting *l);

/* --- intake.c -------------------------------------------------------------------------------------------------------- */

/* A message with QoS 2, not known yet; its answer comes later. The caller ends p. */
void mq_intake(struct mq_client *c, struct mq_publication *p, uint16_t packet_id);
/* It is known: if it is on its way, its answer goes to this client, later; true. */
bool mq_intake_again(struct mq_client *c, uint16_t packet_id);
void mq_intakes_end(struct mq_lasting *l);

/* --- release.c ------------------------------------------------------------------------------------------------------- */

/* PUBREL: PUBCOMP follows when the store has forgotten the packet identifier. c NULL: without. */
void mq_release(struct mq_session *s, struct mq_client *c, uint16_t packet_id);
void mq_release_on_timer(struct wheel_timer *t);
void mq_releases_end(struct mq_lasting *l);

/* --- subscribing.c --------------------------------------------------------------------------------------------------- */

struct mq_subscribing {
	struct list_node node;
	struct mq_session *session;
	struct mq_client *client;
	struct wheel_timer retry;
	char *payload; /* the packet's; owned */
	char *reasons; /* one for each filter, and behind them, whether what is retained is wanted; owned */
	uint32_t payload_n, count, identifier;
	uint16_t packet_id;
	bool remove; /* UNSUBSCRIBE */
};

/* Tells the store, then the client (mq_suback); takes over o, which has all but node and retry. */
void mq_subscribing_begin(struct mq_subscribing *o);
void mq_subscribings_end(struct mq_lasting *l);
/* subscribe.c: SUBACK, and what is retained; UNSUBACK. */
void mq_suback(struct mq_client *c, const struct mq_subscribing *o);

#endif
