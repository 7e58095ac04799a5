/* SPDX-License-Identifier: Apache-2.0
 *
 * relayed: a socket for peers: its port, what comes to it, and what ICMP says about what left it (RFC 8656 section 11.5). */
#include <errno.h>
#include <netinet/ip_icmp.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "services/turn-relay/worker.h"

/* Last: it takes struct timespec for granted. */
#include <linux/errqueue.h>

#define TRIES        16u /* ports that somebody else on this machine has */
#define BATCH        32u
#define BACKLOG      16
#define SOCKET_BYTES (1 << 20) /* of what has come and is not read, at most: what nobody sends takes none */
#define ERRORS_MAX   16u       /* ICMP messages in one turn */
#define ICMPV6_KIND  SO_EE_ORIGIN_ICMP6

int relay_place(struct worker *w, const struct client *c, int family)
{
	const struct turn_addresses *all = &w->shared->addresses;
	uint32_t start = (uint32_t)worker_random(w) % (uint32_t)all->relay_count;
	int found = -1;

	for (size_t i = 0; i < all->relay_count; i++) {
		size_t place = (start + i) % all->relay_count;

		if (net_addr_is_v4(&all->relay[place]) != (family == RELAYED_V4))
			continue;
		/* Where the client is reached peers may be, too. */
		if (c->udp && memcmp(c->udp->addr.ip, all->relay[place].ip, 16) == 0)
			return (int)place;
		if (found < 0)
			found = (int)place;
	}
	return found;
}

/* With DF clear (RFC 8656 section 14: the alternate behaviour), and ICMP errors kept. */
static int open_datagrams(const struct net_addr *address, uint16_t port)
{
	struct net_addr a = *address;
	struct sock to;
	int fd, on = 1, off = 0, dont = IP_PMTUDISC_DONT, size = SOCKET_BYTES;

	a.port = port;
	sock_from(&to, &a);
	fd = socket(to.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (to.sa.sa_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_DONTFRAG, &off, sizeof(off));
	} else {
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &dont, sizeof(dont));
	}
	if (bind(fd, &to.sa, to.n) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Listening, and shared with the connections that leave from it (RFC 6062 section 5.2). */
static int open_listener(const struct net_addr *address, uint16_t port)
{
	struct net_addr a = *address;
	struct sock to;
	int fd, on = 1;

	a.port = port;
	sock_from(&to, &a);
	fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (to.sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &to.sa, to.n) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

static int open_socket(const struct allocation *a, const struct net_addr *address, uint16_t port)
{
	return a->tcp ? open_listener(address, port) : open_datagrams(address, port);
}

static struct relayed *attach(struct allocation *a, uint16_t place, uint16_t port, int fd)
{
	struct worker *w = a->worker;
	struct relayed *r = mem_new(struct relayed);

	*r = (struct relayed){
		.worker = w, .owner = a, .fd = fd, .place = place, .port = port, .told = w->shared->addresses.told[place], .burst = 1
	};
	r->told.port = port;
	relayed_watch(r);
	return r;
}

/* The socket behind it as well, when there is to be one. */
static int open_pair(const struct allocation *a, const struct net_addr *address, uint16_t port, int *pair_fd)
{
	int fd = open_socket(a, address, port);

	if (fd < 0 || !pair_fd)
		return fd;
	*pair_fd = open_socket(a, address, (uint16_t)(port + 1));
	if (*pair_fd >= 0)
		return fd;
	close(fd);
	return -1;
}

struct relayed *relayed_new(struct allocation *a, uint16_t place, bool even, int *pair_fd)
{
	struct shared *sh = a->worker->shared;
	struct relay_ports *ports = &sh->ports[place];

	for (unsigned i = 0; i < TRIES; i++) {
		uint16_t port = relay_ports_any(ports, (uint32_t)worker_random(a->worker), even || pair_fd, pair_fd != NULL);
		int fd = port ? open_pair(a, &sh->addresses.relay[place], port, pair_fd) : -1, why = errno;

		if (fd >= 0)
			return attach(a, place, port, fd);
		if (!port)
			break;
		relay_ports_give(ports, port);
		if (pair_fd)
			relay_ports_give(ports, (uint16_t)(port + 1));
		/* Of another process on this machine; anything else will not get better. */
		if (why != EADDRINUSE)
			break;
	}
	return NULL;
}

struct relayed *relayed_adopt(struct allocation *a, const struct reserved *r)
{
	return attach(a, r->place, r->port, r->fd);
}

/* It may be among those of this turn that are still to be looked at. */
static void forget(struct relayed *r)
{
	struct worker *w = r->worker;

	for (unsigned i = 0; i < w->ready_count; i++) {
		if (w->ready[i].data.ptr == r)
			w->ready[i].data.ptr = NULL;
	}
	mem_free(r);
}

void relayed_release(struct relayed **r, struct reserved *out)
{
	struct relayed *it = *r;

	*r = NULL;
	*out = (struct reserved){ .fd = it->fd, .port = it->port, .place = it->place };
	relayed_ignore(it);
	forget(it);
}

/* Who closes a socket need not take it out of the set before. */
void relayed_free(struct relayed **r)
{
	struct relayed *it = *r;

	*r = NULL;
	if (!it)
		return;
	close(it->fd);
	relay_ports_give(&it->worker->shared->ports[it->place], it->port);
	forget(it);
}

/* --- ICMP --------------------------------------------------------------------------------------------------------- */

static void tell_icmp(struct relayed *r, const struct sock *to, const struct sock_extended_err *e)
{
	bool v4 = e->ee_origin == SO_EE_ORIGIN_ICMP;
	struct net_addr peer;

	/* Destination unreachable and time exceeded; of IPv6 packet too big as well (section 11.5). */
	if (v4 ? e->ee_type != ICMP_DEST_UNREACH && e->ee_type != ICMP_TIME_EXCEEDED : e->ee_type < 1 || e->ee_type > 3)
		return;
	net_addr_from(&to->sa, &peer);
	data_icmp(r, &peer, e->ee_type, e->ee_code,
	          (v4 && e->ee_type == ICMP_DEST_UNREACH && e->ee_code == ICMP_FRAG_NEEDED) || (!v4 && e->ee_type == 2) ? e->ee_info : 0);
}

static bool read_error(struct relayed *r)
{
	union {
		char bytes[512];
		struct cmsghdr align;
	} control;
	char payload[64];
	struct sock to;
	struct iovec piece = { .iov_base = payload, .iov_len = sizeof(payload) };
	struct msghdr h = { .msg_name = &to.sa,
		            .msg_namelen = sizeof(to.in6),
		            .msg_iov = &piece,
		            .msg_iovlen = 1,
		            .msg_control = control.bytes,
		            .msg_controllen = sizeof(control.bytes) };

	if (recvmsg(r->fd, &h, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		struct sock_extended_err e;

		if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		if (h.msg_namelen > 0 && (e.ee_origin == SO_EE_ORIGIN_ICMP || e.ee_origin == ICMPV6_KIND))
			tell_icmp(r, &to, &e);
	}
	return true;
}

/* --- data --------------------------------------------------------------------------------------------------------- */

static void receive(struct relayed *r)
{
	struct worker *w = r->worker;
	unsigned room = slots_room(w, r->burst), first;
	int n = slots_receive(w, r->fd, room, &first);

	/* Asking for more than there is costs a look at an empty queue; what is left is told of again. */
	if (n == r->burst && r->burst < BATCH)
		r->burst = (uint16_t)(2 * r->burst);
	else if (n >= 0 && n < r->burst)
		r->burst = (uint16_t)(n > 0 ? n : 1);
	for (int i = 0; i < n; i++) {
		unsigned slot = first + (unsigned)i;
		struct net_addr peer;

		net_addr_from(&w->slots.from[slot].sa, &peer);
		if (w->shared->addresses.mapped)
			turn_addresses_tell(&w->shared->addresses, &peer);
		data_from_peer(r, slot_data(&w->slots, slot), w->slots.headers[slot].msg_len, &peer);
	}
}

static void on_ready(struct relayed *r, uint32_t events)
{
	int error;
	socklen_t n = sizeof(error);

	if (r->owner->tcp) {
		tcp_relay_accept(r);
		return;
	}
	if (events & EPOLLERR) {
		for (unsigned i = 0; i < ERRORS_MAX && read_error(r); i++)
			;
		getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &n);
	}
	receive(r);
}

/* --- the set ------------------------------------------------------------------------------------------------------ */

/* Some of those that are ready; the rest is told of again. */
static void on_poll(uv_poll_t *h, int status, int events)
{
	struct worker *w = h->data;
	int n = epoll_wait(w->relay_epoll, w->ready, READY_MAX, 0);

	(void)status;
	(void)events;
	w->ready_count = n > 0 ? (unsigned)n : 0;
	for (unsigned i = 0; i < w->ready_count; i++) {
		struct relayed *r = w->ready[i].data.ptr;

		if (r)
			on_ready(r, w->ready[i].events);
	}
	w->ready_count = 0;
}

int relayed_open(struct worker *w, struct err *e)
{
	w->relay_epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->relay_epoll < 0)
		return err_set(e, "no epoll set: %s", strerror(errno));
	uv_poll_init(&w->uv, &w->relay_poll, w->relay_epoll);
	w->relay_poll.data = w;
	return 0;
}

void relayed_begin(struct worker *w)
{
	uv_poll_start(&w->relay_poll, UV_READABLE, on_poll);
}

void relayed_close(struct worker *w)
{
	if (w->relay_epoll < 0)
		return;
	uv_close((uv_handle_t *)&w->relay_poll, NULL);
	close(w->relay_epoll);
}

void relayed_watch(struct relayed *r)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = r };

	epoll_ctl(r->worker->relay_epoll, EPOLL_CTL_ADD, r->fd, &e);
}

void relayed_ignore(struct relayed *r)
{
	epoll_ctl(r->worker->relay_epoll, EPOLL_CTL_DEL, r->fd, NULL);
}
