/* SPDX-License-Identifier: Apache-2.0
 *
 * c2s: the types of the daemon that holds the clients' connections, and what its files call of each other.
 *
 *   c2s_edge     the daemon: listeners, hosts, slots, all streams and sessions
 *   c2s_stream   one client connection and its XML stream; ends with the connection
 *   c2s_session  a bound resource towards its owner (session-manager): numbering, unaccepted stanzas, attachment. It outlives the
 *                stream until the owner has confirmed its end. Resumption (XEP-0198) makes a new one, with the old one's number.
 *
 * Who frees: a stream is counted (its connection, and each call on the way); a session belongs to the table of sessions, session.c frees it. */
#ifndef C2S_EDGE_C2S_H
#define C2S_EDGE_C2S_H

#include "common/base/arena.h"
#include "common/daemon/daemon.h"
#include "common/net/conn.h"
#include "common/net/listener.h"
#include "common/xml/xml_stream.h"
#include "common/xmpp/jid.h"
#include "ipc/proto/session.pb-c.h"
#include "services/c2s-edge/config.h"
#include "services/c2s-edge/gate.h"
#include "services/c2s-edge/proxy.h"
#include "services/c2s-edge/session.h"
#include "services/c2s-edge/table.h"

#define C2S_NS_STREAM   "http://etherx.jabber.org/streams"
#define C2S_NS_CLIENT   "jabber:client"
#define C2S_NS_TLS      "urn:ietf:params:xml:ns:xmpp-tls"
#define C2S_NS_SASL     "urn:ietf:params:xml:ns:xmpp-sasl"
#define C2S_NS_BIND     "urn:ietf:params:xml:ns:xmpp-bind"
#define C2S_NS_SESSION  "urn:ietf:params:xml:ns:xmpp-session"
#define C2S_NS_STREAMS  "urn:ietf:params:xml:ns:xmpp-streams"
#define C2S_NS_REGISTER "jabber:iq:register"
#define C2S_NS_COMPRESS "http://jabber.org/protocol/compress"

#define C2S_ROLE_OWNER     "session-manager"
#define C2S_LISTENERS_MAX  32u
#define C2S_MECHANISM_KEYS 8u /* bits of enum c2s_channel */

/* What the connection gives SASL; index of the cache of mechanisms. */
enum c2s_channel { C2S_CHANNEL_TLS = 1, C2S_CHANNEL_EXPORTER = 2, C2S_CHANNEL_END_POINT = 4 };

/* Mechanisms as auth named them for one host and kind of channel. */
struct c2s_mechanisms {
	char **names;
	uint32_t count;
	bool registration;   /* users may create accounts (XEP-0077) */
	uint64_t fetched_ms; /* 0: never */
};

struct c2s_host {
	struct str name;
	struct c2s_mechanisms mechanisms[C2S_MECHANISM_KEYS];
};

/* --- the stream --------------------------------------------------------------------------------------------------- */

enum c2s_state {
	C2S_CONNECTED,   /* expects a stream header */
	C2S_ASKING,      /* header answered; waiting for auth to name the mechanisms */
	C2S_HEADER,      /* features sent; not logged in */
	C2S_TLS,         /* proceed sent; handshake */
	C2S_SASL,        /* challenge sent */
	C2S_SASL_WAIT,   /* auth looks at a SASL message */
	C2S_REGISTERING, /* auth makes an account */
	C2S_BIND,        /* logged in; features sent */
	C2S_BINDING,     /* the owner opens the session */
	C2S_RESUMING,    /* the owner looks for the session to resume */
	C2S_BOUND,
	C2S_CLOSING, /* our end of the stream is closed */
	C2S_STATES
};

enum c2s_event {
	C2S_EV_HEADER,
	C2S_EV_STARTTLS,
	C2S_EV_AUTH,
	C2S_EV_RESPONSE,
	C2S_EV_ABORT,
	C2S_EV_COMPRESS,
	C2S_EV_BIND,     /* iq with the child bind */
	C2S_EV_SESSION,  /* iq with the child session (RFC 3921) */
	C2S_EV_REGISTER, /* iq with the child query of XEP-0077 */
	C2S_EV_STANZA,
	C2S_EV_ENABLE, /* XEP-0198 */
	C2S_EV_RESUME,
	C2S_EV_REQUEST, /* <r/> */
	C2S_EV_ANSWER,  /* <a/> */
	C2S_EV_UNKNOWN, /* any other element */
	C2S_EV_CLOSED,  /* </stream:stream> */
	C2S_EV_BAD_XML,
	C2S_EV_SECURED, /* TLS handshake done */
	C2S_EV_TIMEOUT, /* not bound in time */
	C2S_EVENTS
};

struct c2s_edge;
struct c2s_stream;

struct c2s_input {
	const struct xml_header *header;
	const struct stanza *stanza;
	const struct xml_node *node;
	const char *condition, *text; /* C2S_EV_BAD_XML */
};

/* Why a stream is not read now; bits. */
enum c2s_hold {
	C2S_HOLD_CALL = 1,     /* a step of login or bind is under way */
	C2S_HOLD_WINDOW = 2,   /* too much is unaccepted */
	C2S_HOLD_OWNER = 4,    /* the account has no owner, or we are not attached to it */
	C2S_HOLD_PRESSURE = 8, /* the queue to the owner is long */
};

/* What only a login needs; gone when bound. */
struct c2s_login {
	char *account; /* bare JID, after SASL */
	char *mechanism;
	void *state; /* auth's sealed state of the exchange */
	size_t state_n;
	uint32_t failures;
	uint64_t started_ms;                 /* of the wait that is under way */
	uint64_t deadline_ms;                /* for the whole login */
	void (*retry)(struct c2s_stream *s); /* when the timer fires before that */
	char *bind_id;                       /* of the bind request */
	char *resource;
	uint64_t previd; /* of the session to resume */
	uint32_t h;
	bool resume_failed;
	bool calling; /* Resume is on the way */
	bool maybe;   /* Resume was perhaps done, though no answer came */
	bool gated;   /* Open is on the way and in a gate */
	bool has_input;
	void *input; /* a SASL message that has not gone to auth yet */
	size_t input_n;
	struct list_node waiting;         /* in a gate */
	void (*go)(struct c2s_stream *s); /* what the gate lets it do */
	struct c2s_stream *stream;
	uint64_t waiting_ms; /* since */
};

/* Deliveries to confirm once the bytes up to `end` have left. */
struct c2s_written {
	uint64_t delivery, end;
};

struct c2s_stream {
	uint64_t id; /* random; the session's too */
	struct list_node node;
	struct c2s_edge *edge;
	struct conn *conn; /* NULL: gone */
	struct xml_stream *xml;
	struct c2s_session *session; /* while bound */
	struct c2s_login *login;
	struct c2s_host *host; /* of the newest stream header */
	char *lang;            /* xml:lang of the client's stream; NULL: none */
	struct wheel_timer timer;
	struct log_ctx log;
	struct c2s_written *written;
	uint32_t written_n, written_cap;
	uint32_t refs;
	uint8_t state;        /* enum c2s_state: set by c2s_stream_set_state alone */
	uint8_t holds;        /* enum c2s_hold */
	uint8_t close_reason; /* Starling__CloseReason */
	bool direct_tls, header_sent;
	bool success_sent; /* nothing of the new stream has come: what we said now, its client would take for part of the old one */
	bool final;        /* it ends for good: no resumption */
	bool feeding;      /* inside xml_stream_feed */
	bool layered;      /* TLS or zlib was begun: bytes that follow are not XML yet */
	bool warm;         /* has been read lately: its parser is kept */
	bool in_logins, logins_shared; /* counted in edge->logins, and how */
	bool in_addresses, addresses_shared;
};

/* --- the daemon --------------------------------------------------------------------------------------------------- */

struct c2s_port {
	struct c2s_edge *edge;
	bool direct_tls;
};

struct c2s_edge {
	struct daemon *daemon;
	struct ipc_bus *bus;
	const struct c2s_config *config;
	const struct log_ctx *log;
	struct net_loop *net;
	struct tls_set *tls;
	struct listener *listeners[C2S_LISTENERS_MAX];
	uint32_t listener_count;
	struct c2s_port ports[2];
	struct cidr *proxies; /* trusted ones; NULL: clients connect directly */
	struct listener_proxy proxy;
	struct ratelimit *connects;  /* attempts */
	struct ratelimit *logins;    /* not logged in */
	struct ratelimit *addresses; /* all; NULL when unlimited */
	struct c2s_host *hosts;
	uint32_t host_count;
	struct list_node streams;
	uint32_t stream_count;
	uint32_t logging_in;
	uint64_t crowded_ms; /* when that was last a crowd (limits.c) */
	struct c2s_table sessions;
	struct c2s_slot *slots;
	struct list_node attach_queue;
	uint32_t attaching;
	struct list_node reports; /* sessions whose owner is to be told what was acknowledged */
	struct list_node answers; /* c2s_sm: clients that wait for an <a/>, the longest first */
	struct c2s_ticker *ticker;
	struct c2s_crowd *crowd;
	struct c2s_gate tls_gate, sasl_gate, open_gate;
	uint32_t elsewhere; /* turn among the edges that clients are sent to */
	uint64_t *pressed;  /* owners whose queue is long */
	uint32_t pressed_count;
	struct arena *arena; /* for one event; c2s_scratch */
	struct buf scratch;
	uint64_t trace;
	uint16_t port_offset; /* of a flock beside others on one machine */
	bool draining, stopped;
	struct wheel_timer drain_timer;
	uint64_t drain_until_ms;
};

/* c2s.c */
struct c2s_edge *c2s_edge_new(struct daemon *d, struct err *e);
void c2s_edge_run(struct c2s_edge *edge);
void c2s_edge_reload(struct c2s_edge *edge);
void c2s_edge_free(struct c2s_edge **edge);
void c2s_edge_gate(struct c2s_edge *edge); /* accept or not, by the number of connections */
struct c2s_host *c2s_host_find(struct c2s_edge *edge, struct str name);
uint64_t c2s_trace(struct c2s_edge *edge);
/* ticker.c: the one short timer, running while there is something to do */
void c2s_ticker_start(struct c2s_edge *edge);
void c2s_ticker_want(struct c2s_edge *edge);
void c2s_ticker_stop(struct c2s_edge *edge);
/* crowd.c: memory that many logins at once have left */
void c2s_crowd_start(struct c2s_edge *edge);
void c2s_crowd_login(struct c2s_edge *edge);
void c2s_crowd_stop(struct c2s_edge *edge);
/* drain.c */
void c2s_drain(struct c2s_edge *edge);
void c2s_drain_check(struct c2s_edge *edge);

/* stream.c: life and the table */
void c2s_stream_new(struct c2s_edge *edge, int fd, const struct net_addr *peer, bool direct_tls);
void c2s_stream_set_state(struct c2s_stream *s, enum c2s_state state);
void c2s_stream_event(struct c2s_stream *s, enum c2s_event event, const struct c2s_input *in);
enum c2s_event c2s_classify(const struct stanza *stanza, const struct xml_node *node);
void c2s_stream_hold(struct c2s_stream *s, enum c2s_hold why, bool on);
void c2s_stream_restart(struct c2s_stream *s); /* the next bytes are a new stream header */
struct c2s_stream *c2s_stream_ref(struct c2s_stream *s);
void c2s_stream_unref(struct c2s_stream *s);
const char *c2s_state_name(enum c2s_state state);
static inline struct buf *c2s_out(struct c2s_stream *s)
{
	return conn_output(s->conn);
}
typedef void (*c2s_handler)(struct c2s_stream *s, const struct c2s_input *in);
extern const c2s_handler c2s_stream_table[C2S_STATES][C2S_EVENTS];

/* stream_io.c: between connection, parser and table */
struct xml_stream *c2s_parser_new(struct c2s_stream *s);
extern const struct conn_events c2s_conn_events;
/* limits.c */
void c2s_limits_apply(struct c2s_stream *s);
bool c2s_limits_admit(struct c2s_stream *s); /* counts it; false: one too many */
void c2s_limits_logged_in(struct c2s_stream *s);
void c2s_limits_release(struct c2s_stream *s);
void c2s_limits_on_timer(struct wheel_timer *t); /* of a stream: login and keepalive */
void c2s_limits_retry(struct c2s_stream *s, uint32_t in_ms, void (*retry)(struct c2s_stream *s));
void c2s_limits_read(struct c2s_stream *s);           /* bytes have come */
bool c2s_limits_crowded(const struct c2s_edge *edge); /* thousands log in at once */
bool c2s_limits_waited(const struct c2s_stream *s);   /* longer than timeouts.bind */
/* header.c */
void c2s_header(struct c2s_stream *s, const struct c2s_input *in);
void c2s_header_send(struct c2s_stream *s, struct str to);
/* features.c */
void c2s_features(struct c2s_stream *s);
uint32_t c2s_channel_of(const struct c2s_stream *s);
const struct c2s_mechanisms *c2s_mechanisms_of(const struct c2s_stream *s);
bool c2s_mechanism_offered(const struct c2s_mechanisms *m, struct str name);
void c2s_mechanisms_fini(struct c2s_host *host);
/* end.c */
void c2s_end(struct c2s_stream *s, const char *condition, const char *text); /* stream error, then closed */
/* With what stands in the condition's element (escaped), and an element of its own; canonical. */
void c2s_end_with(struct c2s_stream *s, const char *condition, const char *inside, const char *element, const char *text);
void c2s_finish(struct c2s_stream *s, Starling__CloseReason reason); /* closed without an error; for good */
void c2s_settle(struct c2s_stream *s);                               /* all is written, or never will be: end the session */
void c2s_closed(struct c2s_stream *s, const struct c2s_input *in);
void c2s_bad_xml(struct c2s_stream *s, const struct c2s_input *in);
/* starttls.c */
void c2s_starttls(struct c2s_stream *s, const struct c2s_input *in);
void c2s_starttls_refuse(struct c2s_stream *s, const struct c2s_input *in);
void c2s_secured(struct c2s_stream *s, const struct c2s_input *in);
/* sasl.c */
void c2s_sasl_auth(struct c2s_stream *s, const struct c2s_input *in);
void c2s_sasl_again(struct c2s_stream *s, const struct c2s_input *in);
void c2s_sasl_response(struct c2s_stream *s, const struct c2s_input *in);
void c2s_sasl_unasked(struct c2s_stream *s, const struct c2s_input *in);
void c2s_sasl_abort(struct c2s_stream *s, const struct c2s_input *in);
/* bind.c */
void c2s_bind(struct c2s_stream *s, const struct c2s_input *in);
void c2s_bind_again(struct c2s_stream *s, const struct c2s_input *in);
void c2s_session_legacy(struct c2s_stream *s, const struct c2s_input *in);
/* register.c */
void c2s_register(struct c2s_stream *s, const struct c2s_input *in);
/* compress.c */
void c2s_compress(struct c2s_stream *s, const struct c2s_input *in);
void c2s_compress_refuse(struct c2s_stream *s, const struct c2s_input *in);
void c2s_compress_failed(struct c2s_stream *s, const char *why); /* what came cannot be unpacked */
/* reply.c: stanzas that the edge itself answers with */
void c2s_reply_error(struct c2s_stream *s, const struct stanza *to, const char *condition, const char *text);
void c2s_reply_result(struct c2s_stream *s, struct str id, struct str child);
void c2s_reply_iq_error(struct c2s_stream *s, struct str id, struct str child, const char *condition, const char *text);
/* submit.c */
void c2s_submit(struct c2s_stream *s, const struct c2s_input *in);
/* A bound client's stanza that is to be answered with an error: by the owner, because it counts as every other. condition, text: static. */
void c2s_submit_fault(struct c2s_stream *s, const struct stanza *st, const char *condition, const char *text);
/* Canonical bytes with xml:lang on the root, where it had none; the bytes themselves when nothing is to be done. out is scratch. */
struct str c2s_lang_stamp(struct buf *out, struct str bytes, const char *lang);
/* deliver.c */
void c2s_deliver_written(struct c2s_stream *s);

#endif
