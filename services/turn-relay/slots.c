/* SPDX-License-Identifier: Apache-2.0
 *
 * slots: where datagrams are received, with room for a header in front and padding behind, so that they leave from where they came. */
#include <netinet/udp.h>

#include "common/base/mem.h"
#include "services/turn-relay/worker.h"

void slots_init(struct slots *s)
{
	/* Pages that no datagram reaches are never there. */
	s->memory = mem_alloc((size_t)TURN_SLOTS * TURN_SLOT_SIZE);
	for (unsigned i = 0; i < TURN_SLOTS; i++) {
		s->pieces[i] = (struct iovec){ .iov_base = slot_data(s, i), .iov_len = TURN_DATA_MAX };
		s->headers[i] = (struct mmsghdr){
			.msg_hdr = { .msg_name = &s->from[i].sa,
			             .msg_namelen = sizeof(s->from[i].in6),
			             .msg_iov = &s->pieces[i],
			             .msg_iovlen = 1,
			             .msg_control = s->control[i].bytes,
			             .msg_controllen = sizeof(s->control[i].bytes) },
		};
	}
	s->used = 0;
}

void slots_fini(struct slots *s)
{
	mem_free(s->memory);
	s->memory = NULL;
}

unsigned slots_room(struct worker *w, unsigned want)
{
	if (TURN_SLOTS - w->slots.used < want) {
		out_flush(w);
		w->slots.used = 0;
	}
	return want;
}

/* Datagrams of one sender and one size, that came one behind the other, as one (UDP_GRO). A kernel that cannot gives them singly. */
void slots_want_bursts(int fd)
{
	int on = 1;

	setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
}

/* The size of a datagram in a burst; of a single one its own. */
static uint32_t size_of_each(struct mmsghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(&m->msg_hdr);
	int size = 0;

	if (c && c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
		memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size > 0 ? (uint32_t)size : m->msg_len;
}

int slots_receive(struct worker *w, int fd, unsigned room, unsigned *out_first)
{
	struct slots *s = &w->slots;
	int n = recvmmsg(fd, &s->headers[s->used], room, MSG_DONTWAIT, NULL);

	*out_first = s->used;
	if (n > 0)
		s->used += (unsigned)n;
	for (unsigned i = *out_first; n > 0 && i < s->used; i++) {
		s->each[i] = size_of_each(&s->headers[i]);
		s->headers[i].msg_hdr.msg_namelen = sizeof(s->from[0].in6);
		s->headers[i].msg_hdr.msg_controllen = sizeof(s->control[0].bytes);
	}
	return n;
}
