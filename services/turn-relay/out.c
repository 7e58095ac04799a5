/* SPDX-License-Identifier: Apache-2.0
 *
 * out: datagrams on their way to the kernel. Those of one socket leave with one system call, and a run of the same size to the same place as one
 * datagram that the kernel cuts (UDP_SEGMENT). What the kernel does not take is dropped, as on any other way through a network. */
#include <errno.h>
#include <netinet/udp.h>

#include "services/turn-relay/worker.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define RUN_BYTES_MAX 65000u
#define RUN_MAX       64u

struct batch {
	struct mmsghdr headers[TURN_SLOTS];
	struct iovec pieces[TURN_SLOTS];
	union {
		char bytes[CMSG_SPACE(sizeof(uint16_t))];
		struct cmsghdr align;
	} control[TURN_SLOTS];
	unsigned count, piece_count;
};

void sock_from(struct sock *out, const struct net_addr *a)
{
	if (net_addr_is_v4(a)) {
		out->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(a->port) };
		memcpy(&out->in.sin_addr, a->ip + 12, 4);
		out->n = sizeof(out->in);
	} else {
		out->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(a->port) };
		memcpy(&out->in6.sin6_addr, a->ip, 16);
		out->n = sizeof(out->in6);
	}
}

void out_add(struct worker *w, int fd, const struct sock *to, const uint8_t *p, size_t n)
{
	if (w->out.count == TURN_SLOTS)
		out_flush(w);
	w->out.items[w->out.count++] = (struct out_item){ .p = p, .n = (uint32_t)n, .fd = fd, .to = *to };
}

static bool same_place(const struct sock *a, const struct sock *b)
{
	return a->n == b->n && memcmp(&a->sa, &b->sa, a->n) == 0;
}

/* How many of `list` go as one: equal sizes, the last may be shorter. */
static unsigned run_of(const struct out *out, const uint8_t *list, unsigned n)
{
	const struct out_item *first = &out->items[list[0]];
	size_t bytes = first->n;
	unsigned i = 1;

	if (out->no_gso || first->n == 0)
		return 1;
	while (i < n && i < RUN_MAX) {
		const struct out_item *it = &out->items[list[i]];

		if (it->n > first->n || it->n == 0 || bytes + it->n > RUN_BYTES_MAX || !same_place(&it->to, &first->to))
			break;
		bytes += it->n;
		i++;
		if (it->n < first->n)
			break;
	}
	return i;
}

static void add_run(struct batch *b, const struct out *out, const uint8_t *list, unsigned n)
{
	const struct out_item *first = &out->items[list[0]];
	struct msghdr *h = &b->headers[b->count].msg_hdr;

	*h = (struct msghdr){ .msg_name = (void *)(uintptr_t)&first->to.sa,
		              .msg_namelen = first->to.n,
		              .msg_iov = &b->pieces[b->piece_count],
		              .msg_iovlen = n };
	for (unsigned i = 0; i < n; i++)
		b->pieces[b->piece_count++] =
		        (struct iovec){ .iov_base = (void *)(uintptr_t)out->items[list[i]].p, .iov_len = out->items[list[i]].n };
	if (n > 1) {
		struct cmsghdr *c;
		uint16_t size = (uint16_t)first->n;

		h->msg_control = b->control[b->count].bytes;
		h->msg_controllen = sizeof(b->control[b->count].bytes);
		c = CMSG_FIRSTHDR(h);
		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(size));
		memcpy(CMSG_DATA(c), &size, sizeof(size));
	}
	b->count++;
}

/* What an ICMP message said about an earlier datagram is told once, instead of sending (IP_RECVERR). */
static bool is_about_another(int error)
{
	return error != EAGAIN && error != ENOBUFS && error != EMSGSIZE;
}

/* Piece by piece what the kernel would not cut. */
static void send_apart(struct worker *w, int fd, const struct msghdr *h)
{
	for (size_t i = 0; i < h->msg_iovlen; i++) {
		if (sendto(fd, h->msg_iov[i].iov_base, h->msg_iov[i].iov_len, MSG_DONTWAIT, h->msg_name, h->msg_namelen) < 0)
			count(&w->counters, COUNT_DROP_SOCKET);
	}
}

/* The first message of those was refused. True: go on behind it. */
static bool refused(struct worker *w, int fd, const struct msghdr *h, int error, bool again)
{
	if (h->msg_controllen && (error == EINVAL || error == EMSGSIZE || error == EIO || error == EOPNOTSUPP)) {
		w->out.no_gso = w->out.no_gso || error == EIO || error == EOPNOTSUPP;
		send_apart(w, fd, h);
		return true;
	}
	if (!again && is_about_another(error))
		return false;
	count_add(&w->counters, COUNT_DROP_SOCKET, h->msg_iovlen);
	return true;
}

static void send_batch(struct worker *w, int fd, struct batch *b)
{
	unsigned at = 0;
	bool again = false;

	while (at < b->count) {
		int n = sendmmsg(fd, &b->headers[at], b->count - at, MSG_DONTWAIT);

		if (n > 0) {
			at += (unsigned)n;
			again = false;
		} else if (refused(w, fd, &b->headers[at].msg_hdr, errno, again)) {
			at++;
			again = false;
		} else {
			again = true;
		}
	}
}

static void send_one(struct worker *w, const struct out_item *it)
{
	for (int tries = 0; tries < 2; tries++) {
		if (sendto(it->fd, it->p, it->n, MSG_DONTWAIT, &it->to.sa, it->to.n) >= 0)
			return;
		if (!is_about_another(errno))
			break;
	}
	count(&w->counters, COUNT_DROP_SOCKET);
}

static void send_group(struct worker *w, const uint8_t *list, unsigned n)
{
	struct batch b;
	unsigned i = 0;

	if (n == 1) {
		send_one(w, &w->out.items[list[0]]);
		return;
	}
	b.count = b.piece_count = 0;
	while (i < n) {
		unsigned run = run_of(&w->out, list + i, n - i);

		add_run(&b, &w->out, list + i, run);
		i += run;
	}
	send_batch(w, w->out.items[list[0]].fd, &b);
}

void out_flush(struct worker *w)
{
	struct out *out = &w->out;
	bool done[TURN_SLOTS] = { false };
	uint8_t list[TURN_SLOTS];

	for (unsigned i = 0; i < out->count; i++) {
		unsigned n = 0;

		if (done[i])
			continue;
		for (unsigned j = i; j < out->count; j++) {
			if (!done[j] && out->items[j].fd == out->items[i].fd)
				list[n++] = (uint8_t)j;
		}
		for (unsigned j = 0; j < n; j++)
			done[list[j]] = true;
		send_group(w, list, n);
	}
	out->count = 0;
}
