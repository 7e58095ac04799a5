/* SPDX-License-Identifier: Apache-2.0
 *
 * mq: what the parts of the daemon share. A broker has tenants, one for each host; a client is a connection; a session is what a client subscribed to and is
 * owed: it ends with its connection, or it lasts and is in the store (lasting.h). */
#ifndef MQTT_BROKER_MQ_H
#define MQTT_BROKER_MQ_H

#include "common/base/buf.h"
#include "common/daemon/daemon.h"
#include "common/mqtt/index_retained.h"
#include "common/mqtt/index_subs.h"
#include "common/mqtt/mqtt_decode.h"
#include "common/mqtt/mqtt_encode.h"
#include "common/net/conn.h"
#include "common/net/listener.h"
#include "common/net/tls_trust.h"
#include "services/mqtt-broker/access.h"
#include "services/mqtt-broker/acks.h"
#include "services/mqtt-broker/alias.h"
#include "services/mqtt-broker/bans.h"
#include "services/mqtt-broker/config.h"
#include "services/mqtt-broker/inflight.h"
#include "services/mqtt-broker/names.h"
#include "services/mqtt-broker/queue.h"
#include "services/mqtt-broker/received.h"

#define MQ_LISTENERS_MAX 64u
#define MQ_PORTS         4u

struct mq_broker;
struct mq_claim;
struct mq_client;
struct mq_fanout;
struct mq_flapping;
struct mq_ghost;
struct mq_lasting;
struct mq_retained_gone;
struct mq_several;
struct mq_start;
struct mq_sys;
struct mq_token;
struct mq_user;
struct mq_wait;

/* A kind of listener. */
struct mq_port {
	struct mq_broker *broker;
	bool tls, websocket;
	bool relaxed; /* what comes here is acknowledged before it is in the store */
};

/* A host: its clients know no others. */
struct mq_tenant {
	struct mq_broker *broker;
	struct str name;
	struct mq_names sessions; /* struct mq_session by client identifier */
	struct index_subs *subs;
	struct index_subs *others;       /* what other brokers have, struct mq_place; of groups, this one as well */
	struct index_retained *retained; /* struct mq_retained */
	uint64_t retained_bytes;
	struct mq_retained_gone *retained_gone; /* NULL: none yet */
	struct mq_names retaining;              /* struct mq_retaining by topic: retained messages on their way to the store */
};

struct mq_broker {
	struct daemon *daemon;
	const struct mq_config *config;
	const struct log_ctx *log;
	struct net_loop *net;
	struct ipc_bus *bus; /* NULL until run */
	struct tls_set *tls;
	struct jwt_keys *jwt_keys;      /* of tokens; NULL: none are taken */
	struct tls_trust *client_trust; /* what clients' certificates are believed by; NULL: they are not asked for */
	struct mq_access *access;
	struct mq_bans bans;
	struct mq_names users; /* struct mq_user by bare JID, of those who are connected, if there are limits for them */
	struct mq_port ports[MQ_PORTS];
	struct listener *listeners[MQ_LISTENERS_MAX];
	uint32_t listener_count;
	bool listening;
	struct cidr *proxies;
	struct listener_proxy proxy;
	struct ratelimit *connects;
	struct mq_tenant *tenants;
	uint32_t tenant_count;
	struct list_node clients;
	uint32_t client_count, client_max;
	struct list_node logins;  /* mq_login.waiting: for their turn at auth */
	uint32_t logins_inside;   /* asked, not answered */
	struct list_node replays; /* struct mq_replays.node: retained messages to be read */
	struct net_task replay_task;
	struct mq_fanout *fanout;
	struct mq_start *start; /* NULL: what was in the store is here */
	struct mq_several *several;
	struct mq_flapping *flapping; /* NULL: nobody is counted */
	uint32_t others;              /* 0: nothing of several.h matters to a message */
	struct list_node lasting;     /* struct mq_lasting.node, */
	uint32_t lasting_count;       /* so many */
	struct list_node queueings;   /* struct mq_queueing.node: messages on their way to the store */
	struct list_node retainings;  /* struct mq_retaining.node */
	struct list_node held;        /* mq_client_more.held: publishers that wait until less is on its way to the store */
	uint64_t storing_bytes;       /* of those two */
	uint64_t key;                 /* the last number that a message was named with (mqtt_store.proto, MqttQueueRequest) */
	struct mq_sys *sys;
	struct buf scratch;
	struct wheel_timer drain_timer;
	uint64_t drain_until_ms;
	uint32_t elsewhere;
	uint64_t trace;
	uint16_t port_offset;
	bool draining, stopped;
};

struct mq_will {
	struct mq_message *message;
	uint32_t expiry_s; /* with expires: seconds from its publication on */
	uint8_t qos;
	bool retain, expires;
};

/* A retained message that is handed out to a new subscription, in parts. */
struct mq_replay {
	struct list_node node; /* of the session's */
	struct index_retained_cursor *cursor;
	uint32_t identifier;
	uint8_t qos;
};

/* Retained messages that are being handed out to one session: only while they are. */
struct mq_replays {
	struct mq_session *session;
	struct list_node all;  /* struct mq_replay */
	struct list_node node; /* in broker->replays */
};

/* As many as connections, most of them idle: every field counts. */
struct mq_session {
	struct str id; /* client identifier; in the same block */
	struct index_subscriber subscriber;
	struct mq_client *client; /* NULL: it has none now */
	struct mq_tenant *tenant;
	char *user;                 /* bare JID; NULL: anonymous; in the same block */
	struct mq_lasting *lasting; /* its row in the store; NULL: it has none */
	struct mq_will *will;       /* NULL: none */
	struct mq_inflight inflight;
	struct mq_queue queue; /* unless it lasts */
	struct mq_received received;
	struct mq_replays *replays; /* NULL: none */
	uint64_t fan_mark;          /* fanout.c: the last publication that it was matched for, */
	uint32_t fan_at;            /* and where */
	uint32_t refs;              /* of who waits for the store */
	uint16_t receive_max;       /* the client's Receive Maximum, no more than ours */
	bool lasts;                 /* beyond its connection, and its queue is the store's; otherwise its row has no more than the will */
	bool ended;                 /* nothing is left of it but references, */
	bool elsewhere;             /* and another broker has it, or may have */
	bool spreading;             /* spread.c: held messages are being begun */
	uint32_t redo_n;            /* spread.c: of them, those that are to be matched anew */
	bool here;                  /* filters.c: counted as having a client */
	struct list_node spreads;   /* struct mq_spread.node: messages of this publisher, in order */
	struct mq_ghost *ghost;     /* its filters are still here; NULL: not */
};

enum mq_state {
	MQ_FRESH,   /* CONNECT is awaited */
	MQ_LOGIN,   /* auth was asked; nothing is read */
	MQ_AUTH,    /* the client's next AUTH is awaited */
	MQ_LIVE,    /* CONNACK is sent */
	MQ_CLOSING, /* nothing it says is heard any more */
	MQ_STATES,
};

/* Why a client is not read. */
enum mq_hold { MQ_HOLD_LOGIN = 1, MQ_HOLD_RATE = 2, MQ_HOLD_STORE = 4, MQ_HOLD_ACKS = 8, MQ_HOLD_SUBSCRIBE = 16 };

/* Between CONNECT and CONNACK, and during a re-authentication (MQTT 5.0 section 4.12.1). */
/* Which messages of a session its client has been sent, says the broker that had it: MqttSent. */
struct mq_sent {
	bool told;
	uint64_t perhaps, certainly;
};

struct mq_login {
	struct mq_client *client;
	struct list_node waiting; /* for its turn at auth (login.c), or for a death to be over (hold.c) */
	struct str id;            /* client identifier, and */
	char *user;               /* bare JID; NULL: anonymous, or not known yet; both owned, of a CONNECT: later they are the session's */
	struct mq_session *opening; /* that the client waits for; NULL: none */
	struct mq_claim *claim;     /* on its client identifier, that it waits for; NULL: none */
	char *method;               /* NULL: user name and password */
	uint8_t *input, *state;     /* for auth: what the client said, what auth remembers */
	size_t input_n, state_n;
	bool gated, again; /* counted in logins_inside; a re-authentication */
	struct mq_will *will;
	struct mq_sent sent;
	uint32_t session_expiry;
	uint32_t will_delay;
	uint16_t keep_alive, receive_max, alias_max;
	bool assigned;      /* the client identifier is ours */
	bool response_info; /* Request Response Information */
	bool clean, expiry_lowered;
};

/* What most clients most of the time do without. */
struct mq_client_more {
	struct mq_client *client;
	struct list_node held;
	struct net_task end_task;
	struct buf in; /* of a packet that is not all there */
	struct mq_aliases aliases_in, aliases_out;
	struct bucket bucket;   /* of limits.message_rate, */
	bool rated;             /* if it has been filled */
	uint8_t end_reason;     /* for end_task */
	struct mq_token *token; /* that it logged in with; NULL: none */
	char *method;           /* of 5.0's enhanced authentication; NULL: none */
};

/* There are very many, most of them idle: every field counts. */
struct mq_client {
	struct mq_broker *broker;
	struct conn *conn;
	struct mq_tenant *tenant;    /* from CONNECT on */
	struct mq_session *session;  /* while MQ_LIVE */
	struct mq_login *login;      /* may be NULL */
	struct mq_client_more *more; /* NULL: not needed yet */
	struct list_node node;
	struct wheel_timer timer;
	struct mqtt_peer peer;
	struct mq_acks acks;
	struct mq_user *quota; /* its user's; NULL: not counted */
	uint64_t number, last_packet_ms;
	uint32_t since_s;       /* of net_now() */
	uint32_t refs, counted; /* counted: subscriptions, in quota */
	uint16_t keepalive_s;   /* 0: off */
	uint16_t alias_max;     /* of ours towards it */
	uint8_t state, holds;
	uint8_t port; /* of the broker's */
	bool websocket : 1, encrypted : 1;
	bool bridge : 1; /* see mqtt_connect.bridge */
};

/* Where it may be logged about. */
#define mq_log(c) (&(const struct log_ctx){ .parent = (c)->broker->log, .key = "client", .number = (c)->number })

/* Its client identifier: from CONNECT on, until its session is gone. */
static inline struct str mq_client_id(const struct mq_client *c)
{
	return c->session ? c->session->id : c->login ? c->login->id : (struct str){ 0 };
}

/* Its bare JID; NULL: anonymous, or not known (yet). */
static inline const char *mq_client_user(const struct mq_client *c)
{
	return c->session ? c->session->user : c->login ? c->login->user : NULL;
}

static inline const struct mq_port *mq_client_port(const struct mq_client *c)
{
	return &c->broker->ports[c->port];
}

/* --- broker.c, ports.c, drain.c ------------------------------------------------------------------------------------ */

struct mq_broker *mq_broker_new(struct daemon *d, struct err *e);
void mq_broker_run(struct mq_broker *b);
void mq_broker_reload(struct mq_broker *b);
void mq_broker_free(struct mq_broker **b);
uint64_t mq_trace(struct mq_broker *b);
/* The host of a user name ("user@host", "user", empty); the rest of it into *out_user. */
struct mq_tenant *mq_tenant_of(struct mq_broker *b, struct str username, struct str *out_user);
/* Takes connections, as many as it may. */
void mq_gate(struct mq_broker *b);
void mq_drain(struct mq_broker *b);
void mq_drain_check(struct mq_broker *b);

/* --- client.c, client_io.c, end.c ---------------------------------------------------------------------------------- */

/* False: *e says what is wrong, and the connection ends. */
typedef bool (*mq_handler)(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e);
extern const mq_handler mq_client_table[MQ_STATES][MQTT_AUTH + 1];

/* Takes over the descriptor. */
void mq_client_new(const struct mq_port *port, int fd, const struct net_addr *peer, bool encrypted);
struct mq_client *mq_client_ref(struct mq_client *c);
struct mq_client_more *mq_client_more(struct mq_client *c); /* makes it, if there is none */
void mq_client_unref(struct mq_client *c);
void mq_client_set_state(struct mq_client *c, enum mq_state state);
void mq_client_hold(struct mq_client *c, enum mq_hold why, bool on);
/* limits.message_rate: one more message came. */
void mq_client_count_message(struct mq_client *c);
/* So many bytes came, in a packet. */
void mq_client_count_bytes(struct mq_client *c, size_t n);
void mq_client_limits(struct mq_client *c);
extern const struct conn_events mq_conn_events;
extern const struct conn_websocket_options mq_websocket;
/* Ends its connection, with DISCONNECT where the version has it; before CONNACK with that. text: for 5.0; "": none. The will goes out, unless the client
 * took it back. */
void mq_client_end(struct mq_client *c, enum mqtt_reason reason, const char *text);
/* At the end of the turn, from where clients must not end, such as a fan-out. */
void mq_client_end_later(struct mq_client *c, enum mqtt_reason reason);
/* Its own DISCONNECT has come, or the socket is gone. */
void mq_client_close(struct mq_client *c);
void mq_client_on_end_task(struct net_task *t);

/* --- session.c ------------------------------------------------------------------------------------------------------- */

/* Without a client, known by its identifier. */
struct mq_session *mq_session_new(struct mq_tenant *t, struct str id, const char *user);
struct mq_session *mq_session_ref(struct mq_session *s);
void mq_session_unref(struct mq_session **s);
bool mq_session_is_of(const struct mq_session *s, const char *user); /* it is this user's; NULL: anonymous */
/* They belong together from now on. */
void mq_session_attach(struct mq_session *s, struct mq_client *c);
/* The client is gone: the session with it, unless it lasts. */
void mq_session_detach(struct mq_client *c);
/* Another broker has it: as its end, but its subscriptions stay, with a ghost (several.h). */
void mq_session_leave(struct mq_session *s);
/* Subscriptions, queue and all; the will is lost unless somebody took it before. In the store nothing changes. */
void mq_session_end(struct mq_session *s);

/* --- connect.c, login.c, open.c ------------------------------------------------------------------------------------- */

bool mq_on_connect(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e);
bool mq_on_auth(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e);
/* CONNACK with a reason code that refuses, and the end. text as mq_client_end. */
void mq_connect_refuse(struct mq_client *c, enum mqtt_reason reason, const char *text);
/* Who it is is known: takeover, session, CONNACK. Again, when a session that was in the way is gone. */
void mq_connect_accept(struct mq_client *c);
/* It has its session: CONNACK. */
void mq_connect_done(struct mq_client *c, struct mq_session *s, bool present);
/* What it asks for is in the store, or has to be. stored: it may be, though it is not known here. */
void mq_open(struct mq_client *c, bool stored);
/* The client waits no more. */
void mq_open_abandon(struct mq_client *c);
/* Other brokers that live, as far as the directory knows. How many. */
uint32_t mq_alive(struct mq_broker *b, uint64_t *out, uint32_t max);
void mq_login_begin(struct mq_client *c);
void mq_login_free(struct mq_login **login);
/* The client is gone: its place in line, and what it said. */
void mq_login_abandon(struct mq_client *c);
void mq_logins_next(struct mq_broker *b);

/* --- publish.c, ack.c, subscribe.c --------------------------------------------------------------------------------- */

bool mq_on_publish(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e);
bool mq_on_ack(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e); /* PUBACK, PUBREC, PUBCOMP */
bool mq_on_pubrel(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e);
bool mq_on_subscribe(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e);
/* As mqtt_subscribe_next; for a bridge of 3.x with the options that it cannot ask for. */
bool mq_subscription_next(const struct mq_client *c, struct str *rest, struct mqtt_subscription *out);
bool mq_on_unsubscribe(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e);
/* A message with QoS 1 or 2 is where it must be: its answer goes out in its turn. */
void mq_publish_done(struct mq_client *c, uint64_t number, enum mqtt_reason reason);
/* An answer that is known at once; those before it may have to go first. */
void mq_answer(struct mq_client *c, enum mqtt_type type, uint16_t packet_id, enum mqtt_reason reason);

/* --- fanout.c, deliver.c, retained.c ------------------------------------------------------------------------------- */

struct mq_fanout *mq_fanout_new(void);
void mq_fanout_free(struct mq_fanout **f);
/* To all who subscribed. How many it was for. The caller ends p. wait, unless NULL: also for those whose sessions last, once they have it in the store. */
uint32_t mq_publish(struct mq_tenant *t, struct mq_publication *p, struct mq_wait *wait);
/* To one member of a group. False: it has none here, or another broker is about to have them. */
bool mq_publish_group(struct mq_tenant *t, struct mq_publication *p, struct mq_wait *wait, struct str group, struct str filter);

/* To one session; tmpl: the same without aliases and identifiers, may be NULL. d without packet_id and alias. */
void mq_deliver(struct mq_session *s, struct mq_publication *p, const struct mqtt_delivery *d, struct mqtt_template *tmpl);
/* There may be room again: what waits goes out. */
void mq_deliver_more(struct mq_session *s);
/* The window, or the connection, is full, or there is none. */
bool mq_deliver_blocked(const struct mq_session *s);
/* Into the connection. False: larger than what the client takes; it then counts as sent ([MQTT-3.1.2-25]). */
bool mq_deliver_write(struct mq_session *s, const struct mqtt_message *m, struct mqtt_delivery *d, const struct mqtt_template *tmpl);

/* The topic's retained message is this one now; with an empty payload it has none. False: there is no room for one more. */
bool mq_retained_set(struct mq_tenant *t, struct mq_publication *p);
void mq_retained_free(struct mq_tenant *t);
/* It has none, after all. */
void mq_retained_drop(struct mq_tenant *t, struct str topic);
/* From the store at start, or from another broker, unless a later version is here. Takes over the message. */
void mq_retained_load(struct mq_tenant *t, struct mq_message *m, unsigned qos, uint64_t version);
/* The store has what was set last for the topic, or took away (gone), under this version. */
void mq_retained_version(struct mq_tenant *t, struct str topic, uint64_t version, bool gone);
/* The retained messages of a filter are for the session. */
void mq_replay_begin(struct mq_session *s, struct str filter, unsigned qos, uint32_t identifier);
void mq_replay_end(struct mq_session *s);
void mq_replay_wake(struct mq_session *s);
void mq_replay_on_task(struct net_task *t);

/* --- will.c, sys.c --------------------------------------------------------------------------------------------------- */

struct mq_will *mq_will_new(struct mq_client *c, const struct mqtt_will *w);
void mq_will_free(struct mq_will **will);
/* Publishes and frees it. wait, unless NULL: for the store. */
void mq_will_send(struct mq_session *s, struct mq_will **will, struct mq_wait *wait);

void mq_sys_start(struct mq_broker *b);
void mq_sys_stop(struct mq_broker *b);
void mq_sys_reload(struct mq_broker *b);

#endif
