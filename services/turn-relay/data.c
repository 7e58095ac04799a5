/* SPDX-License-Identifier: Apache-2.0
 *
 * data: application data between a client and its peers, both ways (RFC 8656 sections 11 and 12). The way of every packet: nothing is allocated, locked or copied. */
#include "common/stun/stun_bytes.h"
#include "common/stun/stun_frame.h"
#include "services/turn-relay/mobility.h"

static int family_of(const struct net_addr *a)
{
	return net_addr_is_v4(a) ? RELAYED_V4 : RELAYED_V6;
}

/* --- to the client ------------------------------------------------------------------------------------------------ */

static void to_client(struct allocation *a, uint8_t *p, size_t n)
{
	if (a->client.stream)
		stream_send(a->client.stream, p, n, true);
	else if (a->client.dtls)
		dtls_send(a->client.dtls, p, n);
	else
		out_add(a->worker, a->client.udp->fd, &a->to, p, n);
}

void data_from_peer(struct relayed *r, uint8_t *data, size_t n, const struct net_addr *peer)
{
	struct allocation *a = r->owner;
	struct worker *w = a->worker;
	uint64_t now = worker_now(w);
	const struct channel *c = peers_by_address(&a->peers, peer, now);
	uint8_t id[STUN_ID_SIZE], *p;
	size_t size;

	if (c ? !peers_channel_permitted(&a->peers, c, now) : !peers_permitted(&a->peers, peer, now)) {
		count(&w->counters, COUNT_DROP_PERMISSION);
		return;
	}
	/* A mobile one whose client is on his way to another address. */
	if (!a->client.udp && !a->client.stream) {
		count(&w->counters, COUNT_DROP_SOCKET);
		return;
	}
	if (!allocation_may(a, n))
		return;
	if (c) {
		p = stun_channel_in_place(data, n, c->number);
		size = STUN_CHANNEL_SIZE + n;
		/* Padded in a stream only (section 12.5). */
		if (a->client.stream) {
			memset(data + n, 0, stun_padded(n) - n);
			size = STUN_CHANNEL_SIZE + stun_padded(n);
		}
	} else {
		worker_transaction(w, id);
		/* What does not fit into a message with its header is no datagram that a network carries. */
		if (n > TURN_DATA_MAX - STUN_DATA_HEADER_V6)
			return;
		p = stun_data_in_place(data, n, peer, id, &size);
	}
	to_client(a, p, size);
	a->out_bytes += n;
	a->out_packets++;
	count_add(&w->counters, COUNT_BYTES_OUT, n);
	count(&w->counters, COUNT_PACKETS_OUT);
}

void data_icmp(struct relayed *r, const struct net_addr *peer, uint8_t type, uint8_t code, uint32_t mtu)
{
	struct allocation *a = r->owner;
	uint8_t value[8] = { 0, 0, type, code }, id[STUN_ID_SIZE], bytes[128];
	struct stun_writer w;

	if (!a || (!a->client.udp && !a->client.stream) || !peers_permitted(&a->peers, peer, worker_now(a->worker)))
		return;
	worker_transaction(a->worker, id);
	stun_set32(value + 4, mtu);
	stun_begin(&w, bytes, sizeof(bytes), STUN_INDICATION, STUN_DATA, id);
	stun_put_xor_address(&w, STUN_T_XOR_PEER_ADDRESS, peer);
	stun_put(&w, STUN_T_ICMP, str_make(value, sizeof(value)));
	client_send(a->worker, &a->client, bytes, w.n);
}

/* --- to a peer ---------------------------------------------------------------------------------------------------- */

static void count_in(struct allocation *a, size_t n)
{
	a->in_bytes += n;
	a->in_packets++;
	count_add(&a->worker->counters, COUNT_BYTES_IN, n);
	count(&a->worker->counters, COUNT_PACKETS_IN);
}

/* Where the peer is on this side of the NAT, should it be another client of this relay. */
static void sock_of_peer(const struct allocation *a, const struct net_addr *peer, struct sock *out)
{
	const struct turn_addresses *all = &a->worker->shared->addresses;
	struct net_addr where = *peer;

	if (all->mapped)
		turn_addresses_localise(all, &where);
	sock_from(out, &where);
}

static void to_peer(struct allocation *a, const struct relayed *r, const struct net_addr *peer, struct str data)
{
	struct sock to;

	if (!allocation_may(a, data.n))
		return;
	sock_of_peer(a, peer, &to);
	out_add(a->worker, r->fd, &to, (const uint8_t *)data.p, data.n);
	count_in(a, data.n);
}

void data_channel(struct worker *w, const struct client *client, uint16_t channel, struct str data)
{
	struct allocation *a = allocation_of(w, client);
	const struct channel *c = a ? peers_by_number(&a->peers, channel, worker_now(w)) : NULL;
	const struct relayed *r = c ? a->relayed[family_of(&c->peer)] : NULL;

	if (r)
		to_peer(a, r, &c->peer, data);
	else if (a || !claim_hold(w, client, CLAIM_DATA, channel, data))
		count(&w->counters, COUNT_DROP_BAD);
}

/* The kernel knows DF as an option of the socket: set for this one datagram (RFC 8656 section 14). */
static void send_unfragmented(struct allocation *a, const struct relayed *r, const struct net_addr *peer, struct str data)
{
	bool v4 = net_addr_is_v4(peer);
	int level = v4 ? IPPROTO_IP : IPPROTO_IPV6, option = v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER;
	int on = v4 ? IP_PMTUDISC_DO : IPV6_PMTUDISC_DO, off = v4 ? IP_PMTUDISC_DONT : IPV6_PMTUDISC_DONT;
	struct sock to;

	if (!allocation_may(a, data.n))
		return;
	/* Those before it keep their place. */
	out_flush(a->worker);
	sock_of_peer(a, peer, &to);
	setsockopt(r->fd, level, option, &on, sizeof(on));
	if (sendto(r->fd, data.p, data.n, MSG_DONTWAIT, &to.sa, to.n) < 0)
		count(&a->worker->counters, COUNT_DROP_SOCKET);
	setsockopt(r->fd, level, option, &off, sizeof(off));
	count_in(a, data.n);
}

void data_send(struct worker *w, const struct client *client, const struct stun_message *m)
{
	struct allocation *a = allocation_of(w, client);
	struct stun_address peer;
	const struct relayed *r;

	if (!a && claim_hold(w, client, CLAIM_MESSAGE, 0, m->bytes))
		return;
	if (!a || a->tcp || !stun_has(m, STUN_A_XOR_PEER_ADDRESS) || !stun_has(m, STUN_A_DATA) || m->unknown_count ||
	    !stun_xor_address_read(m->attr[STUN_A_XOR_PEER_ADDRESS], m->id, &peer)) {
		count(&w->counters, COUNT_DROP_BAD);
		return;
	}
	r = a->relayed[peer.family == STUN_FAMILY_V4 ? RELAYED_V4 : RELAYED_V6];
	if (!r || !peers_permitted(&a->peers, &peer.addr, worker_now(w))) {
		count(&w->counters, COUNT_DROP_PERMISSION);
		return;
	}
	if (peer_policy_check(&w->shared->policy, &peer, true) != PEER_ALLOWED) {
		count(&w->counters, COUNT_REFUSED_PEER);
		return;
	}
	if (stun_has(m, STUN_A_DONT_FRAGMENT))
		send_unfragmented(a, r, &peer.addr, m->attr[STUN_A_DATA]);
	else
		to_peer(a, r, &peer.addr, m->attr[STUN_A_DATA]);
}
