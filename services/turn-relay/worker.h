/* SPDX-License-Identifier: Apache-2.0
 *
 * worker: one thread of the relay with all that is its own, and what its files call of each other.
 *
 *   turn         the daemon, on the main thread: bus, operators, the set of credentials
 *   shared       what threads share: constant after the start, or safe by itself
 *   worker       a thread: loop, sockets, allocations, buffers, counters
 *   udp_port     a listening UDP socket of a worker
 *   stream       a TCP or TLS connection of a client
 *   dtls         a DTLS session of a client
 *   client       where a message came from, and where its answer goes
 *   allocation   of one client; has one relayed address, or one of each family
 *   relayed      a socket for peers
 *   pair         a client's data connection and its peer's (RFC 6062)
 *
 * Who frees: a worker its allocations and streams; an allocation its relayed addresses. A stream's allocation ends with it. */
#ifndef TURN_WORKER_H
#define TURN_WORKER_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/net/conn.h"
#include "common/net/listener.h"
#include "common/net/ratelimit.h"
#include "common/stun/peer_policy.h"
#include "common/stun/stun_writer.h"
#include "services/turn-relay/addresses.h"
#include "services/turn-relay/budget.h"
#include "services/turn-relay/counters.h"
#include "services/turn-relay/creds.h"
#include "services/turn-relay/links.h"
#include "services/turn-relay/nonce.h"
#include "services/turn-relay/pace.h"
#include "services/turn-relay/peers.h"
#include "services/turn-relay/ports.h"
#include "services/turn-relay/quota.h"
#include "services/turn-relay/reserve.h"
#include "services/turn-relay/roam.h"
#include "services/turn-relay/ticket.h"

#define TURN_PORTS_MAX   (2u * TURN_ADDRESSES_MAX + 4u) /* UDP sockets of a worker */
#define TURN_LIFETIME_S  600u                           /* RFC 8656 section 3.2: the default, and the least */
#define TURN_REPLY_MAX   1024u
#define TURN_SLOTS       64u
#define TURN_HEADROOM    64u /* for the longest header in front of data: STUN_DATA_HEADER_V6 */
#define TURN_DATA_MAX    65535u
#define TURN_SLOT_SIZE   (65536u + 4288u) /* headroom, data, padding; no power of two, or all slots would meet in the same cache lines */
#define TURN_BUCKETS_MIN 1024u
#define READY_MAX        64
#define CLAIM_BUCKETS    256u

struct allocation;
struct claim;
struct dtls;
struct dtls_server;
struct pair;
struct roaming;
struct worker;

struct shared {
	const struct turn_config *config; /* only what does not reload */
	struct log_ctx log;
	char realm[128];
	char host[256]; /* whose certificate is shown to who names none */
	struct turn_addresses addresses;
	struct relay_ports *ports; /* one for each relay address */
	struct quota *quota;
	struct reserve *reserve;
	struct links *links;
	struct roam *roam;
	struct nonce_key nonce_key;
	struct ticket_key ticket_key;
	uint64_t hash_key;
	struct cidr allow[TURN_NETWORKS_MAX], deny[TURN_NETWORKS_MAX];
	struct net_addr own[8 * TURN_ADDRESSES_MAX]; /* addresses and ports that are listened on */
	struct peer_policy policy;
	uint16_t port, tls_port, discovery_port; /* with the offset of starlingctl up --port-offset */
	_Atomic bool draining;
};

/* A socket address as the kernel wants it. */
struct sock {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t n;
};
void sock_from(struct sock *out, const struct net_addr *a);

struct udp_port {
	struct worker *worker;
	uv_poll_t poll;
	struct net_addr addr;
	int fd;
	uint16_t index;
	bool paired; /* one of the four of RFC 5780: indexes 0 to 3; bit 0: the other port, bit 1: the other address */
};

struct client {
	struct net_addr addr;
	struct udp_port *udp;  /* NULL: a stream; or nobody, when the client of a mobile allocation has gone */
	struct stream *stream; /* NULL: datagrams */
	struct dtls *dtls;     /* NULL: datagrams in clear */
};

struct stream {
	struct worker *worker;
	struct list_node node;
	struct conn *conn;
	struct wheel_timer early;
	struct buf in; /* the beginning of a frame */
	struct client client;
	struct allocation *allocation;
	struct pair *pair; /* a data connection: no messages any more */
	bool tls;
};

struct relayed {
	struct worker *worker;
	struct allocation *owner;
	int fd;
	uint16_t place; /* index of the relay address */
	uint16_t port;
	uint16_t burst; /* how many datagrams to ask for */
	struct net_addr told;
	uint64_t until_ms;
};

enum { RELAYED_V4, RELAYED_V6, RELAYED_FAMILIES };

struct allocation {
	struct worker *worker;
	struct list_node node;
	struct allocation *next; /* in its bucket */
	struct client client;
	struct sock to; /* of a client by datagrams */
	struct relayed *relayed[RELAYED_FAMILIES];
	struct peers peers;
	struct wheel_timer expiry;
	struct list_node dials;  /* connections to peers that are being made */
	uint64_t serial;         /* never used again */
	bool tcp;                /* towards peers (RFC 6062) */
	struct roaming *roaming; /* NULL: not mobile */
	char *account;
	uint8_t id[STUN_ID_SIZE]; /* of the request that made it: a repetition gets the same answer */
	uint8_t token[RESERVE_TOKEN_SIZE];
	bool has_token;
	uint16_t family_error; /* the code for the family that could not be had; 0: none */
	int64_t expires_s;     /* of the user name; 0: does not */
	struct bucket bytes, packets;
	uint64_t since_ms, in_bytes, in_packets, out_bytes, out_packets; /* in: from the client */
};

/* What goes out at the end of a batch, or of a turn. Bytes are in slots until then. */
struct out_item {
	const uint8_t *p;
	uint32_t n;
	int fd;
	struct sock to;
};

struct out {
	struct out_item items[TURN_SLOTS];
	unsigned count;
	bool no_gso; /* the kernel or the interface cannot */
};

struct slots {
	uint8_t *memory;
	struct mmsghdr headers[TURN_SLOTS];
	struct iovec pieces[TURN_SLOTS];
	struct sock from[TURN_SLOTS];
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control[TURN_SLOTS];
	uint32_t each[TURN_SLOTS]; /* of a burst that the kernel has put together: bytes of a datagram, the last may be shorter */
	unsigned used;
};

/* What begins on a TCP port. */
enum listening { LISTENS_CLEAR, LISTENS_TLS, LISTENS_BOTH };

struct mail {
	struct mail *next;
	void (*fn)(struct worker *w, void *arg);
	void *arg;
};

struct worker {
	struct shared *shared;
	unsigned index;
	pthread_t thread;
	bool started;
	uv_loop_t uv;
	struct net_loop *net;
	uv_async_t mail_async;
	uv_check_t check;
	struct pace pace;
	pthread_mutex_t mail_lock;
	struct mail *mail, **mail_end;
	struct udp_port ports[TURN_PORTS_MAX];
	unsigned port_count;
	struct listener *listeners[2 * TURN_ADDRESSES_MAX];
	enum listening listens[2 * TURN_ADDRESSES_MAX]; /* of each */
	unsigned listener_count;
	struct ratelimit *connects;
	struct tls_set *tls;
	struct dtls_server *dtls; /* NULL: none */
	BIO_ADDR *dtls_peer;
	struct creds *creds;
	struct budget *budget;
	struct list_node streams, sniffs, allocations, pairs;
	uint64_t serial;       /* of the last allocation */
	uint32_t stream_count; /* and of those who have not yet said anything */
	uint32_t allocation_count;
	struct allocation **buckets; /* by client, those of datagrams */
	uint32_t bucket_count;
	/* All relayed sockets. libuv would take five system calls more for one, from its beginning to its end. */
	int relay_epoll;
	uv_poll_t relay_poll;
	struct epoll_event ready[READY_MAX];
	unsigned ready_count;
	struct slots slots;
	struct out out;
	struct claim *claims[CLAIM_BUCKETS]; /* of clients that want their allocation here (mobility.h) */
	uint32_t claim_count, claim_number;
	uint32_t kicks;  /* operators' orders to end allocations that have been carried out here */
	uint64_t random; /* numbers of transactions */
	struct counters counters;
	bool stopping;
};

/* worker.c: on the main thread, but for what mail calls. */
struct worker *worker_new(struct shared *shared, unsigned index, struct creds *creds, struct err *e);
int worker_start(struct worker *w, struct err *e);
void worker_free(struct worker **w); /* stops it, and waits for it */
/* fn runs on the worker's thread. */
void worker_post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);
static inline uint64_t worker_now(const struct worker *w)
{
	return uv_now(&w->uv);
}
uint64_t worker_random(struct worker *w);
void worker_transaction(struct worker *w, uint8_t id[STUN_ID_SIZE]); /* of an indication */

/* udp.c */
int udp_open(struct worker *w, struct err *e);
void udp_begin(struct worker *w);
void udp_close(struct worker *w);

/* slots.c: room for at least one datagram, at most `want`: how many. What waits to go out is sent when there is too little. */
void slots_init(struct slots *s);
void slots_fini(struct slots *s);
unsigned slots_room(struct worker *w, unsigned want);
/* Receives into free slots. How many; they are used from then on. -1: errno. Each is a datagram; or several, of slots.each bytes, from a socket with slots_want_bursts. */
int slots_receive(struct worker *w, int fd, unsigned room, unsigned *out_first);
void slots_want_bursts(int fd);
static inline uint8_t *slot_data(struct slots *s, unsigned i)
{
	return s->memory + (size_t)i * TURN_SLOT_SIZE + TURN_HEADROOM;
}

/* out.c */
void out_add(struct worker *w, int fd, const struct sock *to, const uint8_t *p, size_t n);
void out_flush(struct worker *w);

/* stream.c */
int stream_listen(struct worker *w, struct err *e);
void stream_begin(struct worker *w, int fd, const struct net_addr *peer, bool tls);
void stream_gate(struct worker *w);
void stream_close_all(struct worker *w);
void stream_send(struct stream *s, const uint8_t *p, size_t n, bool droppable);
void stream_settled(struct stream *s); /* its allocation has begun, or ended */

/* sniff.c: the descriptor goes to stream_begin when it is known how the client begins. */
void sniff_begin(struct worker *w, int fd, const struct net_addr *peer);
void sniff_close_all(struct worker *w);

/* dtls.c */
int dtls_open(struct worker *w, struct err *e);
void dtls_close(struct worker *w);
void dtls_datagram(struct udp_port *port, const struct net_addr *from, struct str bytes);
void dtls_send(struct dtls *d, const uint8_t *p, size_t n);
struct allocation **dtls_allocation(struct dtls *d);
void dtls_settled(struct dtls *d); /* as stream_settled */

/* table.c */
struct allocation *table_find(struct worker *w, const struct net_addr *client, const struct udp_port *port);
void table_add(struct worker *w, struct allocation *a);
void table_remove(struct worker *w, struct allocation *a);

/* allocation.c */
struct allocation *allocation_of(struct worker *w, const struct client *c);
/* The quota has been entered already. */
struct allocation *allocation_new(struct worker *w, const struct client *c, struct str account);
void allocation_free(struct allocation *a);
/* Its place in a thread, as a.client says who is its client: the second part of making it, and the first of ending it. */
void allocation_enter(struct worker *w, struct allocation *a);
void allocation_leave(struct allocation *a);
/* Its connection, or session, has ended. */
void allocation_client_gone(struct allocation *a);
uint64_t allocation_until_ms(const struct allocation *a); /* when the last of its relayed addresses ends */
void allocation_watch(struct allocation *a);              /* that time has changed */
void allocation_drop_family(struct allocation *a, int family);
void allocation_set_lifetime(struct allocation *a, int family, uint32_t seconds);
/* Within the limits on bytes and datagrams? */
bool allocation_may(struct allocation *a, size_t bytes);

/* relayed.c: sockets on relay addresses, all of a thread in one set that its loop watches. NULL: none was free. place: index of the address. */
struct relayed *relayed_new(struct allocation *a, uint16_t place, bool even, int *pair_fd);
struct relayed *relayed_adopt(struct allocation *a, const struct reserved *r);
void relayed_free(struct relayed **r);
/* All but its socket, for relayed_adopt elsewhere. */
void relayed_release(struct relayed **r, struct reserved *out);
void relayed_watch(struct relayed *r);
void relayed_ignore(struct relayed *r);
int relayed_open(struct worker *w, struct err *e);
void relayed_begin(struct worker *w);
void relayed_close(struct worker *w);
int relay_place(struct worker *w, const struct client *c, int family); /* an address of that family; -1: there is none */

/* tcp_relay.c: of an allocation that is for TCP. */
void tcp_relay_accept(struct relayed *r);
void tcp_relay_end(struct allocation *a); /* all its connections */

/* pair.c: what a client's data connection brings, has written, and its end. */
void pair_from_client(struct pair *it, const char *p, size_t n);
void pair_client_written(struct pair *it);
void pair_client_ended(struct pair *it);
void pair_end_elsewhere(struct worker *w, uint32_t link); /* from any thread */
void pair_close_all(struct worker *w);

/* data.c */
void data_from_peer(struct relayed *r, uint8_t *data, size_t n, const struct net_addr *peer);
void data_icmp(struct relayed *r, const struct net_addr *peer, uint8_t type, uint8_t code, uint32_t mtu);
void data_channel(struct worker *w, const struct client *c, uint16_t channel, struct str data);
void data_send(struct worker *w, const struct client *c, const struct stun_message *m);

/* request.c: a STUN message from a client. */
void turn_message(struct worker *w, const struct client *c, struct str bytes);
void client_send(struct worker *w, const struct client *c, const uint8_t *p, size_t n);

#endif
