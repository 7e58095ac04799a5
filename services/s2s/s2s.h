/* SPDX-License-Identifier: Apache-2.0
 *
 * s2s: the types of the daemon that speaks with other servers, and what its files call of each other.
 *
 *   s2s          the daemon: listeners, policies, slots that it owns, all links and streams
 *   s2s_link     a local and a remote domain: what goes from the one to the other, in order, and how the next stream comes about
 *   s2s_stream   one connection and its XML stream, inbound or outbound; ends with the connection
 *   s2s_item     a stanza in a link, until the other server has it or it has come back as an error
 *   s2s_pair     what an inbound stream has proved: that it may speak for the remote domain to the local one
 *
 * Who frees: a stream is counted (its connection, each call and lookup on the way); links belong to the table of links, items to their link. */
#ifndef S2S_S2S_H
#define S2S_S2S_H

#include "common/base/arena.h"
#include "common/base/hash.h"
#include "common/base/list.h"
#include "common/daemon/daemon.h"
#include "common/dns/xmpp_resolve.h"
#include "common/net/conn.h"
#include "common/net/listener.h"
#include "common/net/tls_client.h"
#include "common/net/tls_trust.h"
#include "common/xml/xml_stream.h"
#include "common/xmpp/jid.h"
#include "ipc/proto/stanza.pb-c.h"
#include "ipc/proto/storage.pb-c.h"
#include "services/s2s/config.h"

#define S2S_NS_STREAM     "http://etherx.jabber.org/streams"
#define S2S_NS_SERVER     "jabber:server"
#define S2S_NS_DIALBACK   "jabber:server:dialback"
#define S2S_NS_DB_OFFER   "urn:xmpp:features:dialback"
#define S2S_NS_TLS        "urn:ietf:params:xml:ns:xmpp-tls"
#define S2S_NS_SASL       "urn:ietf:params:xml:ns:xmpp-sasl"
#define S2S_NS_STREAMS    "urn:ietf:params:xml:ns:xmpp-streams"
#define S2S_NS_STANZAS    "urn:ietf:params:xml:ns:xmpp-stanzas"
#define S2S_NS_SM         "urn:xmpp:sm:3"
#define S2S_NS_BIDI       "urn:xmpp:bidi"
#define S2S_NS_BIDI_OFFER "urn:xmpp:features:bidi"
#define S2S_NS_PING       "urn:xmpp:ping"
#define S2S_NS_KEY        "urn:starling:s2s:0"

#define S2S_NS_COMPRESS       "http://jabber.org/protocol/compress"
#define S2S_NS_COMPRESS_OFFER "http://jabber.org/features/compress"
#define S2S_COMPRESS_METHOD   "zlib"

#define S2S_LISTENERS_MAX 32u
#define S2S_BUCKETS       4096u

struct s2s;
struct s2s_key;
struct s2s_link;
struct s2s_stream;

/* --- a stanza on its way out -------------------------------------------------------------------------------------- */

enum s2s_item_state {
	S2S_ITEM_WAITING,
	S2S_ITEM_SENT, /* written; the other server has not said that it has it */
};

struct s2s_item {
	struct list_node node; /* in its link */
	struct s2s_link *link;
	Starling__StanzaMeta meta; /* strings in this allocation */
	struct str bytes, extra;
	uint64_t key_stream, key_number;
	int64_t time_us;
	uint64_t taken_ms;
	uint64_t spool_id;     /* 0: not in the store */
	struct ipc_call *call; /* its sender's owner waits; NULL: it was answered */
	size_t size;
	uint64_t append_epoch; /* under which it was last sent to the store */
	uint8_t state;         /* enum s2s_item_state */
	bool again;            /* may have reached the other server before */
	bool spooling;         /* its append is on the way */
	bool unsure;           /* nobody knows whether an append of it was done, or will be (spool_append.c) */
	bool drop;             /* only the store is to have it, for now */
	bool take;             /* the call is a Take */
	bool gone;             /* done with, but for its row: among its link's leftovers */
};

/* --- a pair of domains -------------------------------------------------------------------------------------------- */

enum s2s_link_state {
	S2S_LINK_IDLE,    /* nothing to send, no stream */
	S2S_LINK_LOOKING, /* for the addresses of the other server */
	S2S_LINK_DIALING,
	S2S_LINK_TALKING, /* a stream is there, not ready yet */
	S2S_LINK_OPEN,
	S2S_LINK_RESTING, /* the last attempt failed: waits before the next */
};

/* A db:verify that we ask the authoritative server (XEP-0220 section 2.1.1 step 2). */
struct s2s_verify {
	struct list_node node;    /* in the link's list */
	struct s2s_stream *asker; /* counted */
	char *id, *key;
	uint64_t since_ms;
	bool asked;
};

struct s2s_link {
	struct list_node node, of_bucket;
	struct s2s *s2s;
	char *local, *remote;
	char *queue;   /* its name in the store: remote/local */
	uint32_t slot; /* of the remote domain */
	struct log_ctx log;
	struct list_node items; /* in order: sent, then waiting, those to be appended and dropped last */
	struct list_node leftovers;
	uint32_t count, sent; /* items; of them sent */
	size_t bytes;
	struct list_node verifies;
	uint32_t verify_count;
	struct s2s_stream *out; /* outbound, or an inbound one that goes both ways (XEP-0288) */
	struct s2s_attempt *attempt;
	uint64_t since_ms, next_ms; /* of the state; RESTING: when to try again */
	uint64_t leaving_ms;        /* another instance is to have it; 0: no */
	uint32_t failures;
	uint32_t appending, dropping; /* appends on the way; items to be appended and dropped */
	uint32_t unsure;              /* of the items and leftovers */
	uint32_t store_turn;          /* rises when a store has failed: then another is used */
	uint64_t spooled;             /* rows in the store, as far as known */
	uint64_t fetched_to;          /* id up to which rows are items here */
	bool more_in_store;           /* rows behind fetched_to: what comes goes behind them */
	bool fetching;
	bool hopeless;   /* what the store has is to come back as errors */
	uint8_t state;   /* enum s2s_link_state: set by s2s_link_set_state alone */
	char error[160]; /* why the last attempt failed */
};

/* --- streams ------------------------------------------------------------------------------------------------------ */

enum s2s_state {
	S2S_IN_CONNECTED, /* expects a stream header */
	S2S_IN_TALKING,   /* features sent: TLS, SASL, dialback, and stanzas of proved pairs */
	S2S_OUT_HEADER,   /* header sent, expects one */
	S2S_OUT_FEATURES,
	S2S_OUT_STARTTLS, /* expects proceed */
	S2S_OUT_SASL,     /* expects success */
	S2S_OUT_DIALBACK, /* expects db:result */
	S2S_OUT_COMPRESS, /* expects compressed: nothing may be written until then */
	S2S_OUT_ENABLING, /* expects enabled */
	S2S_OUT_OPEN,
	S2S_TLS,     /* handshake */
	S2S_CLOSING, /* our end is closed */
	S2S_STATES
};

enum s2s_event {
	S2S_EV_HEADER,
	S2S_EV_FEATURES,
	S2S_EV_STARTTLS,
	S2S_EV_PROCEED,
	S2S_EV_AUTH,
	S2S_EV_SUCCESS,
	S2S_EV_FAILURE, /* of TLS, SASL, compression or stream management */
	S2S_EV_RESULT,  /* db:result */
	S2S_EV_VERIFY,  /* db:verify */
	S2S_EV_BIDI,
	S2S_EV_COMPRESS,
	S2S_EV_COMPRESSED,
	S2S_EV_ENABLE,
	S2S_EV_RESUME,
	S2S_EV_ENABLED,
	S2S_EV_REQUEST, /* <r/> */
	S2S_EV_ANSWER,  /* <a/> */
	S2S_EV_STANZA,
	S2S_EV_ERROR, /* stream error */
	S2S_EV_UNKNOWN,
	S2S_EV_CLOSED,
	S2S_EV_BAD_XML,
	S2S_EV_SECURED,
	S2S_EV_TIMEOUT,
	S2S_EVENTS
};

struct s2s_input {
	const struct xml_header *header;
	const struct stanza *stanza;
	const struct xml_node *node;
	const char *condition, *text; /* S2S_EV_BAD_XML */
};

/* Why a stream is not read now; bits. */
enum s2s_hold { S2S_HOLD_WINDOW = 1 };

enum s2s_proof { S2S_PROOF_NONE, S2S_PROOF_CERTIFICATE, S2S_PROOF_DIALBACK };

/* What the other end may say: stanzas from `remote` to `local`. */
struct s2s_pair {
	struct s2s_pair *next;
	char *local, *remote;
	uint8_t proof; /* enum s2s_proof; NONE: being looked at */
};

/* Stanzas of an inbound stream that are being handled, in order of arrival, so that `h` counts without gaps. */
struct s2s_window {
	uint64_t taken, done; /* numbers: so many came; so many, from the first without a gap, are handled */
	uint8_t *bits;        /* ring: handled, of those behind `done` */
	uint32_t cap;
};

struct s2s_stream {
	uint64_t id;
	struct list_node node;
	struct s2s *s2s;
	struct conn *conn; /* NULL: gone */
	struct xml_stream *xml;
	struct s2s_link *link; /* outbound: whose it is; inbound: the one that it carries as well (XEP-0288), or NULL */
	struct s2s_pair *pairs;
	uint32_t pair_count, verify_count;
	char *local, *remote; /* of the newest header, normalised; NULL: not said */
	char *stream_id;      /* inbound: ours, outbound: the other server's */
	struct wheel_timer timer;
	struct log_ctx log;
	struct s2s_window window;     /* of what comes in */
	uint64_t base_in;             /* number at which `h` counts from 0 */
	uint64_t answer_to;           /* when so many are handled, it is told again */
	uint64_t sent_out, acked_out; /* of what goes out, since enabled */
	uint64_t ping;                /* number of the ping on its way; 0: none */
	uint64_t ping_covers;         /* items that were written before it */
	uint64_t wrote_ms;            /* when we wrote last */
	uint64_t holds_ms;            /* when what the other end owes an answer to was written */
	uint64_t since_ms;            /* of the state */
	uint64_t early_until_ms;      /* by then it has to be ready */
	struct net_task flush;
	uint32_t refs, holds, failures;
	uint32_t questions; /* in s2s->questions */
	uint8_t state;      /* enum s2s_state: set by s2s_stream_set_state alone */
	uint8_t proof;      /* outbound: how the other server is known; enum s2s_proof */
	bool outbound, direct_tls, header_sent, feeding, layered;
	bool authenticated;                            /* outbound: we are accepted there */
	bool has_dialback, has_sm, has_keys, has_bidi; /* what the other end offers */
	bool has_zlib, zlib_refused;                   /* the same; it has said no */
	bool bidi;                                     /* agreed on */
	bool managed;                                  /* what we send is counted (XEP-0198) */
	bool managed_in;                               /* what we get is */
	bool asked, ask;                               /* an <r/> is on its way; wanted */
	bool answer_due;                               /* they asked, and not all is handled yet */
	bool sasl_failed;                              /* fall back to dialback */
	bool certificate_valid;                        /* of the other end, for `remote` */
	char why[120];                                 /* else: why not */
};

/* --- the daemon --------------------------------------------------------------------------------------------------- */

enum s2s_slot_state { S2S_SLOT_FOREIGN, S2S_SLOT_CLAIMING, S2S_SLOT_OWNED, S2S_SLOT_LEAVING };

struct s2s_slot {
	uint64_t epoch;
	uint32_t links, dones; /* dones: calls to take out rows that wait or are on the way */
	uint8_t state;         /* enum s2s_slot_state */
	bool renew, renewing;  /* it is to have a higher epoch; that is asked for now */
	bool maybe;            /* FOREIGN, but the store may think that it is ours: a claim or a release was not answered */
};

struct s2s_port {
	struct s2s *s2s;
	bool direct_tls;
};

struct s2s {
	struct daemon *daemon;
	struct ipc_bus *bus;
	const struct s2s_config *config;
	const struct log_ctx *log;
	struct net_loop *net;
	struct tls_set *tls;
	struct tls_client *tls_client;
	struct tls_trust *trust;
	struct dns *dns;
	struct xmpp_resolver resolver;
	struct xmpp_override *overrides;
	struct net_addr source; /* that our connections come from */
	bool has_source;
	struct listener *listeners[S2S_LISTENERS_MAX];
	uint32_t listener_count;
	struct s2s_port ports[2];
	struct ratelimit *connects;
	struct list_node streams, links;
	struct list_node dones;    /* ids to be taken out of the spool (spool_done.c) */
	struct list_node *buckets; /* of links, by name */
	uint32_t stream_count, link_count;
	struct s2s_slot slots[SLOT_COUNT];
	uint64_t sender_epochs[SLOT_COUNT]; /* highest seen of the owners that send for each slot of accounts */
	bool claiming;
	uint64_t append_stream, append_number; /* names for what has none, in the store */
	struct s2s_lane *lanes[SLOT_COUNT];
	struct list_node questions; /* of other servers: letters that wait for what was written before them (lane.c) */
	uint8_t secret[32];         /* of dialback keys: the same in all instances */
	struct arena *arena;
	struct buf scratch;
	struct wheel_timer tick;
	uint64_t trace;
	uint16_t port_offset;
	size_t bytes; /* of all items */
	bool draining, drained, stopped;
	uint64_t drain_until_ms;
};

/* s2s.c */
struct s2s *s2s_new(struct daemon *d, struct err *e);
void s2s_run(struct s2s *s2s);
void s2s_reload(struct s2s *s2s);
void s2s_drain(struct s2s *s2s);
void s2s_free(struct s2s **s2s);
bool s2s_local(const struct s2s *s2s, struct str domain);
uint64_t s2s_trace(struct s2s *s2s);
void s2s_gate(struct s2s *s2s); /* accept or not */
void s2s_drain_check(struct s2s *s2s);

/* owner.c: which remote domains are ours */
void s2s_owner_look(struct s2s *s2s);
bool s2s_owns(const struct s2s *s2s, uint32_t slot);
void s2s_owner_fenced(struct s2s *s2s, uint32_t slot);
void s2s_owner_renew(struct s2s *s2s, uint32_t slot); /* a higher epoch: no write under the former one can be committed any more */
void s2s_owner_left(struct s2s *s2s, uint32_t slot);  /* a link of the slot is gone, or its last row is out of the store */
void s2s_owner_release_all(struct s2s *s2s);

/* link.c: life and the queue */
struct s2s_link *s2s_link_get(struct s2s *s2s, struct str local, struct str remote);
struct s2s_link *s2s_link_find(const struct s2s *s2s, struct str local, struct str remote);
void s2s_link_set_state(struct s2s_link *l, enum s2s_link_state state);
void s2s_link_free(struct s2s_link *l);
void s2s_link_push(struct s2s_link *l, struct s2s_item *i);
void s2s_link_tick(struct s2s_link *l, uint64_t now_ms); /* may free it */
void s2s_link_open(struct s2s_link *l, struct s2s_stream *s);
void s2s_link_lost(struct s2s_link *l, const char *why); /* its stream has ended */
void s2s_link_failed(struct s2s_link *l, const char *why, bool decided);
void s2s_link_acked(struct s2s_link *l); /* the first that was sent */
void s2s_link_pump(struct s2s_link *l);
bool s2s_link_wake(struct s2s_link *l); /* tries again at the next tick, if it waited for that */
struct s2s_item *s2s_link_known(const struct s2s_link *l, const Starling__RouteRequest *r); /* what is sent again, from before */

/* link_leave.c: another instance's now */
void s2s_link_leave(struct s2s_link *l);
void s2s_link_leave_tick(struct s2s_link *l, uint64_t now_ms); /* may free it */
void s2s_link_abandon(struct s2s_link *l, int code);           /* what the store may have of it is somebody else's affair */

/* item.c */
struct s2s_item *s2s_item_new(struct s2s_link *l, const Starling__StanzaMeta *meta, struct str bytes, struct str extra); /* not in it yet */
void s2s_item_remove(struct s2s_item *i); /* out of its link, and gone; its call must have been answered */
void s2s_item_done(struct s2s_item *i);   /* the other server has it */
void s2s_item_bounce(struct s2s_item *i, const char *condition, const char *text); /* back to its sender */
void s2s_item_answer(struct s2s_item *i);
void s2s_item_refuse(struct s2s_item *i, int code); /* its sender's owner sends it elsewhere */
bool s2s_item_keeps(const struct s2s_item *i);      /* it means something also when it comes late */
void s2s_item_settled(struct s2s_item *i);          /* whether the store has it is known, or matters no more */

/* attempt.c: from a link's wish to a connected stream */
void s2s_attempt_start(struct s2s_link *l);
bool s2s_attempt_next(struct s2s_link *l);
void s2s_attempt_cancel(struct s2s_link *l);

/* spool_append.c, spool_fetch.c, spool_done.c: the store */
void s2s_spool_append(struct s2s_link *l, uint64_t older_than_ms);
void s2s_spool_fetch(struct s2s_link *l);
void s2s_spool_found(struct s2s *s2s, const Starling__SpoolDomain *d);
void s2s_spool_done(struct s2s_link *l, uint64_t id);
void s2s_spool_flush(struct s2s *s2s);
void s2s_spool_fini(struct s2s *s2s);

/* route.c */
void s2s_bounce(struct s2s *s2s, const Starling__StanzaMeta *meta, struct str bytes, const char *condition, const char *text);

/* lane.c: stanzas to local accounts; from: whose window counts it, may be NULL */
void s2s_lane_send(struct s2s *s2s, struct s2s_stream *from, uint64_t number, const Starling__StanzaMeta *meta, struct str bytes,
                   const struct s2s_key *key);
/* More of what the stream brought is handled: what was asked behind that goes on. */
void s2s_lane_questions(struct s2s_stream *s);
void s2s_lanes_wake(struct s2s *s2s);
void s2s_lanes_fini(struct s2s *s2s);

/* stream.c */
void s2s_stream_in(struct s2s *s2s, int fd, const struct net_addr *peer, bool direct_tls);
struct s2s_stream *s2s_stream_out(struct s2s_link *l, int fd, const struct net_addr *peer, bool direct_tls);
void s2s_stream_set_state(struct s2s_stream *s, enum s2s_state state);
void s2s_stream_event(struct s2s_stream *s, enum s2s_event event, const struct s2s_input *in);
void s2s_stream_restart(struct s2s_stream *s);
struct s2s_stream *s2s_stream_ref(struct s2s_stream *s);
void s2s_stream_unref(struct s2s_stream *s);
const char *s2s_state_name(enum s2s_state state);
typedef void (*s2s_handler)(struct s2s_stream *s, const struct s2s_input *in);
extern const s2s_handler s2s_stream_table[S2S_STATES][S2S_EVENTS];
static inline struct buf *s2s_out(struct s2s_stream *s)
{
	return conn_output(s->conn);
}
bool s2s_stream_speaks(const struct s2s_stream *s); /* stanzas may be written: not while it begins anew */
void s2s_stream_hold(struct s2s_stream *s, enum s2s_hold why, bool on);
void s2s_stream_limits(struct s2s_stream *s);

/* stream_io.c */
struct xml_stream *s2s_parser_new(struct s2s_stream *s);
extern const struct conn_events s2s_conn_events;

/* classify.c */
enum s2s_event s2s_classify(const struct stanza *stanza, const struct xml_node *node); /* stanza: NULL when it is none */

/* end.c */
void s2s_stream_gone(struct s2s_stream *s, const char *why); /* its link looks for another */
void s2s_end(struct s2s_stream *s, const char *condition, const char *text);
void s2s_end_with(struct s2s_stream *s, const char *condition, const char *element,
                  const char *text); /* element: a condition of an application */
void s2s_finish(struct s2s_stream *s, const char *why);
void s2s_closed(struct s2s_stream *s, const struct s2s_input *in);
void s2s_bad_xml(struct s2s_stream *s, const struct s2s_input *in);
void s2s_peer_error(struct s2s_stream *s, const struct s2s_input *in);

/* header.c */
void s2s_header_in(struct s2s_stream *s, const struct s2s_input *in);
void s2s_header_out(struct s2s_stream *s, const struct s2s_input *in);
void s2s_header_send(struct s2s_stream *s);

/* features.c */
void s2s_features_send(struct s2s_stream *s);
void s2s_features(struct s2s_stream *s, const struct s2s_input *in);
void s2s_authenticated(struct s2s_stream *s); /* outbound: what follows */
void s2s_bidi_in(struct s2s_stream *s, const struct s2s_input *in);

/* compress.c (XEP-0138) */
void s2s_compress_offer(struct s2s_stream *s);
void s2s_compress_note(struct s2s_stream *s, const struct xml_node *features);
bool s2s_compress_ask(struct s2s_stream *s); /* outbound, proved; false: go on without */
void s2s_compress_in(struct s2s_stream *s, const struct s2s_input *in);
void s2s_compress_agreed(struct s2s_stream *s, const struct s2s_input *in);
void s2s_compress_refused(struct s2s_stream *s, const struct s2s_input *in);
void s2s_compress_failed(struct s2s_stream *s, const char *why); /* what came cannot be unpacked */

/* starttls.c */
void s2s_starttls(struct s2s_stream *s, const struct s2s_input *in);
void s2s_proceed(struct s2s_stream *s, const struct s2s_input *in);
void s2s_secured(struct s2s_stream *s, const struct s2s_input *in);
void s2s_tls_server(struct s2s_stream *s, struct str host, const char *alpn);
void s2s_tls_client(struct s2s_stream *s, const char *alpn);
void s2s_look_at_certificate(struct s2s_stream *s);
bool s2s_certified_for(struct s2s_stream *s, const char *domain); /* by the other end's certificate */

/* external.c: SASL EXTERNAL (XEP-0178) */
bool s2s_external_wanted(const struct s2s_stream *s, const struct xml_node *features);
void s2s_external_begin(struct s2s_stream *s);
void s2s_external_auth(struct s2s_stream *s, const struct s2s_input *in);
void s2s_external_success(struct s2s_stream *s, const struct s2s_input *in);
void s2s_external_failure(struct s2s_stream *s, const struct s2s_input *in);

/* dialback.c (XEP-0220) */
void s2s_dialback_begin(struct s2s_stream *s);
void s2s_dialback_result_in(struct s2s_stream *s, const struct s2s_input *in);
void s2s_dialback_result_out(struct s2s_stream *s, const struct s2s_input *in);
void s2s_dialback_verify_in(struct s2s_stream *s, const struct s2s_input *in);
void s2s_dialback_verify_out(struct s2s_stream *s, const struct s2s_input *in);
void s2s_dialback_ask(struct s2s_link *l); /* what waits to be verified, over the link's stream */
void s2s_dialback_fail(struct s2s_link *l, const char *condition);
void s2s_dialback_expire(struct s2s_link *l, uint64_t now_ms);
void s2s_dialback_key(struct str secret, struct str receiving, struct str originating, struct str id, char out[65]);

/* proof.c */
struct s2s_pair *s2s_pair_find(const struct s2s_stream *s, struct str local, struct str remote);
struct s2s_pair *s2s_pair_add(struct s2s_stream *s, struct str local, struct str remote);
void s2s_pair_drop(struct s2s_stream *s, struct s2s_pair *p);
void s2s_pairs_fini(struct s2s_stream *s);
bool s2s_any_proved(const struct s2s_stream *s);
void s2s_proved(struct s2s_stream *s, struct s2s_pair *p, enum s2s_proof proof);

/* ack.c (XEP-0198) */
void s2s_ack_enable(struct s2s_stream *s, const struct s2s_input *in);
void s2s_ack_resume(struct s2s_stream *s, const struct s2s_input *in);
void s2s_ack_enabled(struct s2s_stream *s, const struct s2s_input *in);
void s2s_ack_refused(struct s2s_stream *s, const struct s2s_input *in);
void s2s_ack_request(struct s2s_stream *s, const struct s2s_input *in);
void s2s_ack_answer(struct s2s_stream *s, const struct s2s_input *in);
void s2s_ack_handled(struct s2s_stream *s, uint64_t number); /* an inbound stanza is with its account's owner */
uint64_t s2s_ack_take(struct s2s_stream *s);                 /* number of the next inbound stanza */
void s2s_ack_last(struct s2s_stream *s);                     /* the stream is about to end */
void s2s_ack_want(struct s2s_stream *s);
void s2s_ack_ask(struct s2s_stream *s);
void s2s_ack_look(struct s2s_stream *s); /* once a second */

/* write.c */
void s2s_write(struct s2s_stream *s, const struct s2s_item *i);
void s2s_write_end_of_turn(struct s2s_stream *s);
/* Whether it answers a ping of ours, or of another instance, which is told. */
bool s2s_pong(struct s2s_stream *s, const Starling__StanzaMeta *meta, uint64_t number);
bool s2s_pong_routed(struct s2s *s2s, const Starling__StanzaMeta *meta);

/* key.c: what a message is called between two Starlings, in an element of its own behind the others */
struct s2s_key {
	uint64_t stream, number; /* 0: none */
	uint64_t age_s;          /* with again: the first try was no longer ago than this; 0: not known */
	bool again;
};
void s2s_key_add(struct buf *extra, const struct s2s_key *key);
struct str s2s_key_take(struct buf *out, struct arena *arena, struct str bytes, struct s2s_key *key); /* bytes without it, maybe in out */

/* stanza.c: inbound */
void s2s_stanza(struct s2s_stream *s, const struct s2s_input *in);

/* policy.c */
bool s2s_policy_denied(const struct s2s *s2s, const char *remote);
bool s2s_policy_certificate(const struct s2s *s2s, const char *remote);      /* a valid one is required: no dialback */
bool s2s_policy_address(const struct s2s *s2s, const struct net_addr *addr); /* a remote domain may say that it is there */
void s2s_policy_again(struct s2s_stream *s);                                 /* the configuration is another: may end it */

#endif
