/* SPDX-License-Identifier: Apache-2.0
 *
 * udp: the listening UDP sockets. Each worker has its own on every address; the kernel always gives a client's datagrams to the same one (SO_REUSEPORT). */
#include <errno.h>
#include <unistd.h>

#include "common/stun/stun_frame.h"
#include "services/turn-relay/worker.h"

#define ROUNDS 4u /* full batches before others have their turn */

/* RFC 7983. */
static bool is_dtls(uint8_t first)
{
	return first >= 20 && first <= 63;
}

static void on_datagram(struct udp_port *port, const struct sock *from, struct str bytes)
{
	struct client c = { .udp = port };
	uint16_t channel;
	struct str data;

	net_addr_from(&from->sa, &c.addr);
	if (bytes.n > 0 && stun_kind((uint8_t)bytes.p[0]) == STUN_KIND_MESSAGE)
		turn_message(port->worker, &c, bytes);
	else if (stun_channel_read(bytes, &channel, &data))
		data_channel(port->worker, &c, channel, data);
	else if (bytes.n > 0 && is_dtls((uint8_t)bytes.p[0]) && port->worker->dtls)
		dtls_datagram(port, &c.addr, bytes);
	else
		count(&port->worker->counters, COUNT_DROP_BAD);
}

/* Most are of one datagram, which may be empty. */
static void on_burst(struct udp_port *port, const struct sock *from, struct str bytes, size_t each)
{
	size_t at = 0;

	do {
		size_t n = bytes.n - at < each ? bytes.n - at : each;

		on_datagram(port, from, str_make(bytes.p + at, n));
		at += n;
	} while (at < bytes.n);
}

/* False: there is no more for now. */
static bool receive(struct udp_port *port)
{
	struct worker *w = port->worker;
	unsigned room = slots_room(w, TURN_SLOTS), first;
	int n = slots_receive(w, port->fd, room, &first);

	for (int i = 0; i < n; i++) {
		unsigned slot = first + (unsigned)i;

		on_burst(port, &w->slots.from[slot], str_make(slot_data(&w->slots, slot), w->slots.headers[slot].msg_len),
		         w->slots.each[slot]);
	}
	return n == (int)room;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct udp_port *port = h->data;

	(void)events;
	if (status < 0) {
		int error;
		socklen_t n = sizeof(error);

		getsockopt(port->fd, SOL_SOCKET, SO_ERROR, &error, &n);
		uv_poll_start(&port->poll, UV_READABLE, on_poll);
	}
	for (unsigned i = 0; i < ROUNDS && receive(port); i++)
		;
}

static int open_socket(const struct net_addr *a, int64_t buffer, struct err *e)
{
	int fd, on = 1, size = (int)buffer;
	char text[NET_ADDR_TEXT_MAX];
	struct sock to;

	sock_from(&to, a);
	fd = socket(to.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, "%s: %s", net_addr_text(a, text), strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	slots_want_bursts(fd);
	if (to.sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &to.sa, to.n) == 0)
		return fd;
	err_set(e, "cannot listen on %s UDP port %u: %s", net_addr_text(a, text), a->port, strerror(errno));
	close(fd);
	return -1;
}

static int add_port(struct worker *w, const struct net_addr *address, uint16_t number, bool paired, struct err *e)
{
	struct udp_port *p = &w->ports[w->port_count];
	struct net_addr a = *address;

	a.port = number;
	*p = (struct udp_port){ .worker = w, .addr = a, .index = (uint16_t)w->port_count, .paired = paired };
	p->fd = open_socket(&a, w->shared->config->socket_bytes, e);
	if (p->fd < 0)
		return -1;
	uv_poll_init(&w->uv, &p->poll, p->fd);
	p->poll.data = p;
	w->port_count++;
	return 0;
}

/* The four of RFC 5780 section 3 come first: their indexes say which they are. */
int udp_open(struct worker *w, struct err *e)
{
	const struct shared *sh = w->shared;
	const struct turn_addresses *all = &sh->addresses;
	size_t first = 0;

	if (!sh->config->udp)
		return 0;
	if (all->has_discovery) {
		if (add_port(w, &all->listen[0], sh->port, true, e) != 0 ||
		    add_port(w, &all->listen[0], sh->discovery_port, true, e) != 0 ||
		    add_port(w, &all->discovery, sh->port, true, e) != 0 || add_port(w, &all->discovery, sh->discovery_port, true, e) != 0)
			return -1;
		first = 1;
	}
	for (size_t i = first; i < all->listen_count; i++) {
		if (all->has_discovery && memcmp(all->listen[i].ip, all->discovery.ip, 16) == 0)
			continue;
		if (add_port(w, &all->listen[i], sh->port, false, e) != 0)
			return -1;
	}
	/* Where "turns" over UDP is looked for (RFC 7350); in clear will do there as well. */
	for (size_t i = 0; w->dtls && sh->tls_port != sh->port && i < all->listen_count; i++) {
		if (add_port(w, &all->listen[i], sh->tls_port, false, e) != 0)
			return -1;
	}
	return 0;
}

void udp_begin(struct worker *w)
{
	for (unsigned i = 0; i < w->port_count; i++)
		uv_poll_start(&w->ports[i].poll, UV_READABLE, on_poll);
}

void udp_close(struct worker *w)
{
	for (unsigned i = 0; i < w->port_count; i++) {
		uv_poll_stop(&w->ports[i].poll);
		uv_close((uv_handle_t *)&w->ports[i].poll, NULL);
		close(w->ports[i].fd);
	}
	w->port_count = 0;
}
