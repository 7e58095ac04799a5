/* SPDX-License-Identifier: Apache-2.0
 *
 * tcp_relay: what a relayed TCP address does, in the thread of its allocation: calls peers (Connect) and is called by them (RFC 6062 sections 5.2 and 5.3). Either way a socket is put
 * among the links, and the client told its number; pair.c has what follows. */
#include <errno.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "services/turn-relay/request.h"

#define CONNECT_MS 30000u /* at least, says section 5.2 */
#define ACCEPTS    16u    /* in one turn */

/* A connection to a peer that is being made, and the request that asks for it. */
struct dial {
	struct list_node node;
	struct allocation *a;
	uv_poll_t poll;
	struct wheel_timer timer;
	int fd;
	uint32_t link;
	uint8_t transaction[STUN_ID_SIZE];
	struct stun_key key;
	bool sha256, fingerprint;
};

static uint32_t links_allowed(const struct worker *w)
{
	return (uint32_t)w->shared->config->tcp_connections;
}

/* --- calling ------------------------------------------------------------------------------------------------------ */

static void on_closed(uv_handle_t *h)
{
	struct dial *d = h->data;

	mem_wipe(&d->key, sizeof(d->key));
	mem_free(d);
}

/* The socket is somebody else's by now, or is closed here. */
static void end(struct dial *d, bool keep_socket)
{
	list_remove(&d->node);
	net_timer_cancel(d->a->worker->net, &d->timer);
	uv_poll_stop(&d->poll);
	uv_close((uv_handle_t *)&d->poll, on_closed);
	if (!keep_socket)
		close(d->fd);
}

/* The answer to the request that was. */
static void answer(struct dial *d, bool connected)
{
	struct allocation *a = d->a;
	struct stun_message m = { .method = STUN_CONNECT, .id = d->transaction };
	struct request r = { .w = a->worker, .from = &a->client, .m = &m, .a = a, .key = d->key, .proved = true, .sha256 = d->sha256 };

	m.has = d->fingerprint ? 1u << STUN_A_FINGERPRINT : 0;
	if (!connected) {
		request_refuse(&r, STUN_CONNECTION_FAILED);
		return;
	}
	request_begin(&r);
	stun_put_u32(&r.answer, STUN_T_CONNECTION_ID, d->link);
	request_reply(&r);
}

static void finish(struct dial *d, bool connected)
{
	struct worker *w = d->a->worker;

	if (connected)
		links_connected(w->shared->links, d->link, d->fd, worker_now(w));
	else
		links_remove(w->shared->links, d->link);
	answer(d, connected);
	end(d, connected);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct dial *d = h->data;
	int error = 0;
	socklen_t n = sizeof(error);

	(void)events;
	finish(d, status >= 0 && getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0);
}

static void on_timeout(struct wheel_timer *t)
{
	finish(list_entry(t, struct dial, timer), false);
}

/* From the relayed address itself, which is listened on as well. -1: at once. */
static int call(const struct worker *w, const struct relayed *from, const struct net_addr *peer)
{
	struct net_addr local = w->shared->addresses.relay[from->place], where = *peer;
	struct sock to, own;
	int fd, on = 1;

	if (w->shared->addresses.mapped)
		turn_addresses_localise(&w->shared->addresses, &where);
	local.port = from->port;
	sock_from(&own, &local);
	sock_from(&to, &where);
	fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (bind(fd, &own.sa, own.n) == 0 && (connect(fd, &to.sa, to.n) == 0 || errno == EINPROGRESS))
		return fd;
	close(fd);
	return -1;
}

static enum stun_code start(struct request *r, const struct stun_address *peer, uint32_t link)
{
	struct allocation *a = r->a;
	struct worker *w = a->worker;
	int fd = call(w, a->relayed[peer->family == STUN_FAMILY_V4 ? RELAYED_V4 : RELAYED_V6], &peer->addr);
	struct dial *d;

	if (fd < 0) {
		links_remove(w->shared->links, link);
		return STUN_CONNECTION_FAILED;
	}
	d = mem_new(struct dial);
	d->a = a;
	d->fd = fd;
	d->link = link;
	d->key = r->key;
	d->sha256 = r->sha256;
	d->fingerprint = stun_has(r->m, STUN_A_FINGERPRINT);
	memcpy(d->transaction, r->m->id, sizeof(d->transaction));
	wheel_timer_init(&d->timer, on_timeout);
	net_timer_set(w->net, &d->timer, CONNECT_MS);
	list_push_back(&a->dials, &d->node);
	uv_poll_init(&w->uv, &d->poll, fd);
	d->poll.data = d;
	uv_poll_start(&d->poll, UV_WRITABLE, on_poll);
	return (enum stun_code)0;
}

static enum stun_code connect_peer(struct request *r)
{
	const struct stun_message *m = r->m;
	struct worker *w = r->w;
	struct stun_address peer;
	enum stun_code code;
	uint32_t link;

	/* As elsewhere for what an allocation is not for. */
	if (!r->a->tcp)
		return STUN_FORBIDDEN;
	if (!stun_has(m, STUN_A_XOR_PEER_ADDRESS) || !stun_xor_address_read(m->attr[STUN_A_XOR_PEER_ADDRESS], m->id, &peer))
		return STUN_BAD_REQUEST;
	code = request_check_peer(r, &peer, true);
	if (code)
		return code;
	switch (links_add(w->shared->links, r->a->serial, r->user.account, &peer.addr, -1, links_allowed(w), worker_now(w), &link)) {
	case LINKS_OK:
		return start(r, &peer, link);
	case LINKS_EXISTS:
		return STUN_CONNECTION_EXISTS;
	default:
		return STUN_INSUFFICIENT_CAPACITY;
	}
}

/* Answered when the peer has, unless it is refused. */
void turn_connect(struct request *r)
{
	enum stun_code code = connect_peer(r);

	if (code)
		request_refuse(r, code);
}

void tcp_relay_end(struct allocation *a)
{
	while (!list_empty(&a->dials))
		end(list_entry(a->dials.next, struct dial, node), false);
	if (a->tcp)
		links_end_of(a->worker->shared->links, a->serial);
}

/* --- being called ------------------------------------------------------------------------------------------------- */

static void tell_attempt(struct allocation *a, const struct net_addr *peer, uint32_t link)
{
	uint8_t id[STUN_ID_SIZE], bytes[128];
	struct stun_writer w;

	worker_transaction(a->worker, id);
	stun_begin(&w, bytes, sizeof(bytes), STUN_INDICATION, STUN_CONNECTION_ATTEMPT, id);
	stun_put_xor_address(&w, STUN_T_XOR_PEER_ADDRESS, peer);
	stun_put_u32(&w, STUN_T_CONNECTION_ID, link);
	client_send(a->worker, &a->client, bytes, w.n);
}

static void take(struct relayed *r, int fd, const struct net_addr *peer)
{
	struct allocation *a = r->owner;
	struct worker *w = a->worker;
	uint32_t link;

	if (!peers_permitted(&a->peers, peer, worker_now(w))) {
		count(&w->counters, COUNT_DROP_PERMISSION);
		close(fd);
	} else if (links_add(w->shared->links, a->serial, str_from(a->account), peer, fd, links_allowed(w), worker_now(w), &link) !=
	           LINKS_OK) {
		count(&w->counters, COUNT_REFUSED_CAPACITY);
		close(fd);
	} else {
		tell_attempt(a, peer, link);
	}
}

void tcp_relay_accept(struct relayed *r)
{
	const struct turn_addresses *all = &r->worker->shared->addresses;

	for (unsigned i = 0; i < ACCEPTS; i++) {
		struct sock from;
		struct net_addr peer;
		socklen_t n = sizeof(from.in6);
		int fd = accept4(r->fd, &from.sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			/* Without descriptors it would be told again and again; the next refresh listens again. */
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				relayed_ignore(r);
			return;
		}
		net_addr_from(&from.sa, &peer);
		if (all->mapped)
			turn_addresses_tell(all, &peer);
		take(r, fd, &peer);
	}
}
