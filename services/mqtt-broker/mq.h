/* SPDX-License-Identifier: Apache-2.0
 *
 * mq: what the parts of the daemon share. A broker has tenants, one for each host; a client is a connection; a session is what a client subscribed to and is
 * owed, and here it ends with its connection. */
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
#include "services/mqtt-broker/access.h"
#include "services/mqtt-broker/acks.h"
#include "services/mqtt-broker/alias.h"
#include "services/mqtt-broker/config.h"
#include "services/mqtt-broker/inflight.h"
#include "services/mqtt-broker/names.h"
#include "services/mqtt-broker/queue.h"
#include "services/mqtt-broker/received.h"

#define MQ_LISTENERS_MAX 64u
#define MQ_PORTS         4u

struct mq_broker;
struct mq_client;
struct mq_fanout;
struct mq_sys;

/* A kind of listener. */
struct mq_port {
	struct mq_broker *broker;
	bool tls, websocket;
};

/* A host: its clients know no others. */
struct mq_tenant {
	struct mq_broker *broker;
	struct str name;
	struct mq_names clients; /* struct mq_client by client identifier */
	struct index_subs *subs;
	struct index_retained *retained; /* struct mq_retained */
	uint64_t retained_bytes;
};

struct mq_broker {
	struct daemon *daemon;
	const struct mq_config *config;
	const struct log_ctx *log;
	struct net_loop *net;
	struct ipc_bus *bus; /* NULL until run */
	struct tls_set *tls;
	struct mq_access *access;
	struct mq_port ports[MQ_PORTS];
	struct listener *listeners[MQ_LISTENERS_MAX];
	uint32_t listener_count;
	struct cidr *proxies;
	struct listener_proxy proxy;
	struct ratelimit *connects;
	struct mq_tenant *tenants;
	uint32_t tenant_count;
	struct list_node clients;
	uint32_t client_count, client_max;
	struct list_node logins;  /* mq_login.waiting: for their turn at auth */
	uint32_t logins_inside;   /* asked, not answered */
	struct list_node replays; /* mq_session.replay: retained messages to be read */
	struct net_task replay_task;
	struct mq_fanout *fanout;
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

/* The row of a session in the store; session 0: it has none, as all have today. */
struct mq_fence {
	uint64_t session, epoch;
};

/* A retained message that is handed out to a new subscription, in parts. */
struct mq_replay {
	struct list_node node; /* of the session's */
	struct index_retained_cursor *cursor;
	uint32_t identifier;
	uint8_t qos;
};

struct mq_session {
	struct index_subscriber subscriber;
	struct mq_client *client;
	struct mq_tenant *tenant;
	struct mq_fence fence;
	struct mq_will *will; /* NULL: none */
	struct mq_inflight inflight;
	struct mq_queue queue;
	struct mq_received received;
	struct list_node replays; /* struct mq_replay */
	struct list_node replay;  /* in broker->replays */
	uint64_t fan_mark;        /* fanout.c: the last publication that it was matched for, */
	uint32_t fan_at;          /* and where */
	uint16_t receive_max;     /* the client's Receive Maximum, no more than ours */
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
enum mq_hold { MQ_HOLD_LOGIN = 1, MQ_HOLD_RATE = 2 };

/* Between CONNECT and CONNACK, and during a re-authentication (MQTT 5.0 section 4.12.1). */
struct mq_login {
	struct mq_client *client;
	struct list_node waiting;
	char *method;           /* NULL: user name and password */
	uint8_t *input, *state; /* for auth: what the client said, what auth remembers */
	size_t input_n, state_n;
	bool gated, again; /* counted in logins_inside; a re-authentication */
	struct mq_will *will;
	uint32_t session_expiry;
	uint16_t keep_alive, receive_max, alias_max;
	bool assigned; /* the client identifier is ours */
};

struct mq_client {
	struct mq_broker *broker;
	struct conn *conn;
	struct mq_tenant *tenant;   /* from CONNECT on */
	struct mq_session *session; /* while MQ_LIVE */
	struct mq_login *login;     /* may be NULL */
	struct list_node node;
	struct wheel_timer timer;
	struct net_task end_task;
	struct log_ctx log;
	struct mqtt_peer peer;
	struct buf in; /* of a packet that is not all there */
	struct mq_acks acks;
	struct mq_aliases aliases_in, aliases_out;
	struct bucket *bucket; /* of limits.message_rate; NULL: none */
	struct str id;         /* client identifier; owned */
	char *user;            /* bare JID; NULL: anonymous */
	uint64_t number, last_packet_ms;
	uint32_t refs, keepalive_ms; /* 0: off */
	uint8_t state, holds, end_reason;
	bool websocket, encrypted, feeding;
	char *method; /* of 5.0's enhanced authentication; NULL: none */
};

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
void mq_client_new(struct mq_broker *b, int fd, const struct net_addr *peer, bool tls, bool websocket, bool encrypted);
struct mq_client *mq_client_ref(struct mq_client *c);
void mq_client_unref(struct mq_client *c);
void mq_client_set_state(struct mq_client *c, enum mq_state state);
void mq_client_hold(struct mq_client *c, enum mq_hold why, bool on);
/* limits.message_rate: one more message came. */
void mq_client_count_message(struct mq_client *c);
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
/* The session's end: subscriptions, queue, will. */
void mq_session_end(struct mq_client *c);

/* --- connect.c, login.c, accept.c ---------------------------------------------------------------------------------- */

bool mq_on_connect(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e);
bool mq_on_auth(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e);
/* CONNACK with a reason code that refuses, and the end. text as mq_client_end. */
void mq_connect_refuse(struct mq_client *c, enum mqtt_reason reason, const char *text);
/* Who it is is known: takeover, session, CONNACK. */
void mq_connect_accept(struct mq_client *c);
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
bool mq_on_unsubscribe(struct mq_client *c, const struct mqtt_frame *f, struct mqtt_error *e);
/* A message with QoS 1 or 2 is where it must be: its answer goes out in its turn. */
void mq_publish_done(struct mq_client *c, uint64_t number, enum mqtt_reason reason);

/* --- fanout.c, deliver.c, retained.c ------------------------------------------------------------------------------- */

struct mq_fanout *mq_fanout_new(void);
void mq_fanout_free(struct mq_fanout **f);
/* To all who subscribed. How many it was for. The caller ends p. */
uint32_t mq_publish(struct mq_tenant *t, struct mq_publication *p);

/* To one session; tmpl: the same without aliases and identifiers, may be NULL. d without packet_id and alias. */
void mq_deliver(struct mq_session *s, struct mq_publication *p, const struct mqtt_delivery *d, struct mqtt_template *tmpl);
/* There may be room again: what waits goes out. */
void mq_deliver_more(struct mq_session *s);
/* The window, or the connection, is full. */
bool mq_deliver_blocked(const struct mq_session *s);

/* The topic's retained message is this one now; with an empty payload it has none. False: there is no room for one more. */
bool mq_retained_set(struct mq_tenant *t, struct mq_publication *p);
void mq_retained_free(struct mq_tenant *t);
/* The retained messages of a filter are for the session. */
void mq_replay_begin(struct mq_session *s, struct str filter, unsigned qos, uint32_t identifier);
void mq_replay_end(struct mq_session *s);
void mq_replay_wake(struct mq_session *s);
void mq_replay_on_task(struct net_task *t);

/* --- will.c, sys.c --------------------------------------------------------------------------------------------------- */

struct mq_will *mq_will_new(struct mq_client *c, const struct mqtt_will *w);
void mq_will_free(struct mq_will **will);
/* Publishes and frees it. */
void mq_will_send(struct mq_client *c, struct mq_will **will);

void mq_sys_start(struct mq_broker *b);
void mq_sys_stop(struct mq_broker *b);
void mq_sys_reload(struct mq_broker *b);

#endif
