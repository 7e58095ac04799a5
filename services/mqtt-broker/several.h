/* SPDX-License-Identifier: Apache-2.0
 *
 * several: what makes several brokers one (docs/decisions/0040-mqtt-several-brokers.md). Each knows the filters of all others; who publishes sends a message to
 * those that have somebody for it; who connects takes the client identifier from all; who is left takes over the sessions of who dies. */
#ifndef MQTT_BROKER_SEVERAL_H
#define MQTT_BROKER_SEVERAL_H

#include "common/base/hash.h"
#include "ipc/gen/mqtt.client.h"
#include "services/mqtt-broker/mq.h"
#include "services/mqtt-broker/route.h"

struct mq_arrival;
struct mq_ghost;
struct mq_pass;
struct mq_spread;
struct mq_wait;

#define MQ_BROKERS_MAX 256u
#define MQ_GIVEN_UP    64u

/* --- filters.c: what this broker's sessions subscribed to, counted; and what other brokers know of it ------------------- */

/* A filter, and a share of it. Those without a tenant are marks: what is behind a peer's mark it has not been told. */
struct mq_filter {
	struct str key;        /* as mq_filter_key; in the same block */
	struct list_node node; /* of the log, by rising version */
	struct list_node gone; /* nobody has it any more, and not all peers know that */
	struct mq_tenant *tenant;
	uint64_t version;
	uint32_t members, here;
	uint32_t group_n; /* bytes of the group, at the end of the key; 0: none */
};

/* All changes to subscriptions of sessions go through these. */
enum index_subs_change mq_subs_add(struct mq_session *s, struct str group, struct str filter, const struct index_subscription *options);
enum index_subs_change mq_subs_remove(struct mq_session *s, struct str group, struct str filter);
void mq_subs_remove_all(struct mq_session *s);
/* It has a client now, or none: so many of its groups' members are there. */
void mq_subs_here(struct mq_session *s, bool here);
/* "host/filter", a zero, the group, a zero. The caller frees. */
struct str mq_filter_key(const struct mq_tenant *t, struct str group, struct str filter);
/* What every peer knows is gone is forgotten. */
void mq_filters_forget(struct mq_broker *b, uint64_t told);
void mq_filters_free(struct mq_broker *b);

/* --- places.c: a broker's filters in the indexes of another --------------------------------------------------------------- */

/* A broker as a subscriber of one tenant. */
struct mq_place {
	struct index_subscriber subscriber;
	struct mq_peer *peer;
};

/* A broker's share of a group. */
struct mq_group {
	struct str key; /* owned */
	const char *filter, *group;
	uint32_t id, members, here;
};

/* A session of which all have the filters. The object stands for one stay of it here. */
struct mq_settled {
	char *name;                 /* owned */
	struct mq_session *session; /* a reference */
};

/* Another broker, or, for groups alone, this one. */
struct mq_peer {
	struct list_node node;
	struct mq_broker *broker;
	uint64_t instance;
	struct mq_place *places; /* one for each tenant */
	struct mq_names group_names;
	struct mq_group **groups; /* by id, which is the index's identifier; NULL: free */
	uint32_t group_n;
	uint64_t match_mark; /* spread.c */

	struct mq_filter mark;
	uint64_t told, asked;                /* versions that it has, and that it is being told */
	uint64_t ask_view, ask, answer_told; /* what it asks, and the last that was answered */
	uint64_t answer, ask_told;           /* what it has answered; what it was asked */
	struct mq_settled *names, *telling;  /* to be told; being told */
	uint32_t name_n, telling_n;
	bool asking, all;   /* a call is on its way; the next one is to begin anew, */
	bool parts;         /* of all not every part has been answered */
	bool here, reading; /* we have all of its filters; we are being told them */
	bool given_up;      /* we have adopted its sessions */
	struct wheel_timer retry;

	struct list_node passes; /* struct mq_pass.node, in order */
	struct wheel_timer pass_retry;
	uint32_t pass_wait_ms;
};

struct mq_peer *mq_peer_new(struct mq_broker *b, uint64_t instance);
void mq_peer_free(struct mq_peer *p);
/* It has so many for the filter, or group, now, and so many of these have a client. False: not a filter. */
bool mq_peer_set(struct mq_peer *p, struct mq_tenant *t, struct str group, struct str filter, uint32_t members, uint32_t here);
void mq_peer_clear(struct mq_peer *p);

/* --- peers.c, told.c, exchange.c ------------------------------------------------------------------------------------------------------ */

struct mq_several {
	struct mq_broker *broker;
	struct list_node peers;
	struct mq_peer *self;
	uint32_t peer_n;
	uint64_t view, settled; /* the brokers that take part, as a hash; among whom we have settled; 0: none */
	uint64_t ask;           /* rises with every view: who has answered it has settled since */
	bool unsettled;         /* one has died, and not all have settled since */
	bool doubted;           /* all filters are being said again */
	bool adopts;            /* the start has come so far */
	struct net_task look_task, tell_task;
	uint64_t lost[MQ_GIVEN_UP], given_up[MQ_GIVEN_UP]; /* rings */
	uint32_t lost_n, given_up_n;

	struct mq_names filters;     /* struct mq_filter by key */
	struct list_node log, gone;  /* of them */
	uint64_t version;            /* the last change */
	struct list_node told_waits; /* told.c */

	struct list_node spreads, redo; /* struct mq_spread: all; those that are to be matched anew when all is settled */
	uint32_t spread_n;
	uint32_t pass_n; /* of all peers */
	uint64_t epoch;  /* rises when filters are added: spread.c */
	uint64_t redo_pass;
	uint64_t match_mark; /* of the last matching */
	struct mq_peer *matched[MQ_BROKERS_MAX];
	uint32_t matched_n;

	struct mq_taken *taken;
	struct list_node ghosts;    /* struct mq_ghost.node */
	struct list_node arrivals;  /* struct mq_arrival.node */
	struct list_node claims;    /* struct mq_claim.node: ours */
	struct list_node questions; /* claim.c: what others are asked */
	struct list_node claimed;   /* claims of others that wait, */
	struct list_node yielding;  /* and those whose session is being let go */
	struct list_node singles;   /* adopt_one.c: names that are asked for */
	struct list_node held;      /* hold.c: mq_login.waiting */
	uint32_t opening;           /* open.c: sessions that the store has given us, or may have, and that are not here yet */
	struct list_node retaining; /* retained messages on their way to peers */
	struct net_task claimed_task;

	struct {
		struct wheel_timer timer;
		char *after;            /* the last name that was read; NULL: nothing runs */
		bool again;             /* the view has changed meanwhile */
		bool waits;             /* all is read, and others are on their way from the store (mq_adopt_look) */
		bool slots[SLOT_COUNT]; /* asked for since a pass was last complete: one whose answer was lost may have given them to us */
		uint64_t view;
		uint64_t alive[MQ_BROKERS_MAX];
		uint32_t alive_n, sessions;
	} adopting;
};

void mq_several_new(struct mq_broker *b);
void mq_several_free(struct mq_broker *b);
/* The directory has changed. */
void mq_peers_update(struct mq_broker *b);
/* b->others: whether anything of this is to be looked at when a message is published. */
void mq_several_count(struct mq_broker *b);
/* Something that others may wait for has happened; looked at at the end of the turn. */
void mq_several_look(struct mq_broker *b);
struct mq_peer *mq_peer_find(struct mq_broker *b, uint64_t instance);
/* All peers have our filters, and we theirs. */
bool mq_peers_joined(const struct mq_broker *b);
/* Nobody's sessions are anywhere but in the filters that are known. */
bool mq_several_settled(const struct mq_broker *b);
/* wait is told when all peers have the filters that are there now. */
void mq_told(struct mq_broker *b, struct mq_wait *wait);
/* All have those up to this version. */
void mq_told_end(struct mq_broker *b, uint64_t told, enum mqtt_reason reason);
/* The store says that a session is another's, and nobody has claimed it: filters are said anew before anything is matched again. */
void mq_peers_doubt(struct mq_broker *b);
/* All of ours that live have the session's filters: who had it may forget it. */
void mq_settle_name(struct mq_session *s);
/* Is it to be said? Not of one that another broker has claimed meanwhile: what waits then waits for that one. */
bool mq_settled_holds(const struct mq_settled *one);
void mq_settled_fini(struct mq_settled *one);
void mq_settle_names(struct mq_broker *b, char **names, size_t n);

void mq_exchange_begin(struct mq_peer *p);
void mq_exchange_tell(struct mq_peer *p);
void mq_exchange_names(struct mq_peer *p, const struct mq_settled *one);
void mq_exchange_free(struct mq_peer *p);
/* Why to retry a call to a peer at all. */
bool mq_peer_lost(struct mq_broker *b, uint64_t instance);

/* --- adopt.c ------------------------------------------------------------------------------------------------------------------ */

/* Sessions that nobody alive owns, as far as they are ours to adopt; settled is the view then. */
void mq_adopt_begin(struct mq_broker *b);
/* A session that was on its way from the store is here, or is not ours. */
void mq_adopt_look(struct mq_broker *b);
void mq_adopt_end(struct mq_broker *b);
/* A session that the store has given us; one that is here already is passed over. */
void mq_adopt_load(struct mq_broker *b, const Starling__MqttSession *row);

/* --- adopt_one.c -------------------------------------------------------------------------------------------------------------- */

/* What one name hides: a session that was let go for a client that is gone. */
void mq_adopt_name(struct mq_broker *b, const char *name);
void mq_adopt_names_end(struct mq_broker *b);

/* --- spread.c, pass.c ----------------------------------------------------------------------------------------------------------- */

/* As mq_route, but for what is retained: also to other brokers. */
uint32_t mq_spread(struct mq_tenant *t, struct mq_publication *p, struct mq_wait *wait);
void mq_spread_redo(struct mq_broker *b);
void mq_spreads_end(struct mq_broker *b);

struct mq_pick {
	char *filter, *group; /* owned */
	struct mq_peer *peer; /* that was chosen in this round */
	bool done;
};

struct mq_spread {
	struct list_node node; /* of the publisher's session, in order */
	struct list_node all, again_node;
	struct mq_broker *broker;
	struct mq_tenant *tenant;
	struct mq_message *message;
	struct mq_session *from; /* a reference; NULL: none */
	struct mq_wait *wait, *outer;
	uint64_t key_origin, key_number, epoch;
	uint64_t pass; /* mq_several.redo_pass in which it was last matched anew; 0: none */
	struct mq_pick *picks;
	uint32_t pick_n, round, matched;
	size_t bytes;
	uint8_t qos;
	bool retain, again, held, redo;
	bool open; /* it was matched while not all filters were known: groups may appear later */
};

/* picks: those of this round whose peer it is. */
void mq_pass(struct mq_peer *p, struct mq_spread *s);
void mq_pass_once(struct mq_peer *p, struct mq_tenant *t, struct mq_publication *pub, const struct mq_pick *picks, uint32_t n);
/* The peer is gone. */
void mq_passes_end(struct mq_peer *p);
void mq_passes_on_retry(struct wheel_timer *t);

/* --- taken.c -------------------------------------------------------------------------------------------------------------------- */

struct mq_taken *mq_taken_new(void);
void mq_taken_free(struct mq_taken **t);
/* This broker hands a message out to its own sessions. False: it has before. */
bool mq_taken_own(struct mq_broker *b, uint64_t origin, uint64_t number);
/* Has a member of the group here had it by this name? And: now it has. The filter has its host in front. */
bool mq_taken_group_had(struct mq_broker *b, uint64_t origin, uint64_t number, const char *group, const char *filter);
void mq_taken_group_note(struct mq_broker *b, uint64_t origin, uint64_t number, const char *group, const char *filter);

/* --- ghost.c -------------------------------------------------------------------------------------------------------------------- */

/* What is left of a session that was let go: its filters, until whoever has it now has told them to all. */
struct mq_ghost {
	struct list_node node;
	struct mq_session *session;
	struct mq_waits waits;
	uint64_t claimant;
	int64_t since_us;
	struct wheel_timer overdue;
	bool asked; /* the store said that it is another's */
};

/* The session is over here, but its filters stay. */
void mq_ghost_new(struct mq_session *s, uint64_t claimant, int64_t since_us);
struct mq_ghost *mq_ghost_find(struct mq_tenant *t, struct str id);
/* wait: is told when it is settled, with `moved`. */
void mq_ghost_wait(struct mq_ghost *g, struct mq_wait *wait);
void mq_ghost_settle(struct mq_ghost *g);
/* The store says that it is another's. The second time, what waits is matched anew, when all filters have been said again. */
void mq_ghost_elsewhere(struct mq_ghost *g);
/* Those of claimants that are gone. */
void mq_ghosts_settle_lost(struct mq_broker *b);

/* --- arrival.c ------------------------------------------------------------------------------------------------------------------ */

/* Before its filters are there, and when they are. */
void mq_arrival_begin(struct mq_session *s);
void mq_arrival_ready(struct mq_session *s);
/* True: nothing of who passed this is taken yet; wait is told when all is, with `moved`. */
bool mq_arrival_wait(struct mq_session *s, const struct mq_publication *p, struct mq_wait *wait);
/* All is taken, or it is over; NULL: nothing. */
void mq_arrival_end(struct mq_arrival **a);
/* All peers have filters up to this version. */
void mq_arrivals_told(struct mq_broker *b, uint64_t told);

/* --- claim.c, claimed.c ------------------------------------------------------------------------------------------------------------ */

struct mq_claim {
	struct list_node node;
	struct mq_broker *broker;
	struct mq_client *client; /* a reference; NULL: it is gone, or must go */
	struct mq_tenant *tenant;
	struct str id; /* owned */
	char *name, *user;
	int64_t since_us;
	uint32_t open; /* calls on their way or to be repeated */
	bool known;    /* somebody had it, or may have had */
	bool lost;     /* a later one takes it */
	struct mq_sent sent;
};

/* Has it from all peers, then mq_connect_claimed. */
void mq_claim(struct mq_client *c);
void mq_claim_abandon(struct mq_client *c);
struct mq_claim *mq_claim_find(struct mq_tenant *t, struct str id);
void mq_claims_end(struct mq_broker *b);
/* connect.c: nobody has it but this broker. */
void mq_connect_claimed(struct mq_client *c, bool known, struct mq_sent sent);
/* A session has been opened, closed, or has ended: who waits for it is looked at. */
void mq_claimed_look(struct mq_broker *b);
void mq_claimed_on_task(struct net_task *t);
void mq_claimed_end(struct mq_broker *b);

/* --- hold.c ------------------------------------------------------------------------------------------------------------------------ */

/* True: it waits, and goes on by mq_connect_accept when a death is over. */
bool mq_hold(struct mq_client *c);
void mq_held_go_on(struct mq_broker *b);

/* --- retaining.c ------------------------------------------------------------------------------------------------------------------- */

/* The store has it under this version: to all peers. wait: until they have it; may be NULL. message: with no payload, it is none any more. */
void mq_retained_tell(struct mq_tenant *t, struct mq_message *message, unsigned qos, uint64_t version, struct mq_wait *wait);
void mq_retained_tell_end(struct mq_broker *b);

/* --- choose.c ------------------------------------------------------------------------------------------------------------------- */

/* Whose a subscription in a tenant's `others` is. */
struct mq_peer *mq_place_peer(const struct index_subscription *sub);
/* The message's name is for good: who has sent it and has no answer sends it again, by whatever broker, and it has the same name there (intake.c). */
bool mq_spread_named(const struct mq_spread *s);
/* The broker that is to choose a member of the group; NULL: it has none. Of a message that is named for good all brokers choose the same one, as long as that has members. */
const struct index_subscription *mq_choose(struct index_share *share, const struct mq_spread *s);

#endif
