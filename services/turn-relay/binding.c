/* SPDX-License-Identifier: Apache-2.0
 *
 * binding: what a client's address looks like from here (RFC 8489 section 12), and, with a second address and port, how its NAT behaves (RFC 5780). */
#include "services/turn-relay/request.h"

#define CHANGE_PORT    0x2u
#define CHANGE_ADDRESS 0x4u

/* Which of the four answers: bit 0 of an index is the port, bit 1 the address (worker.h). */
static struct udp_port *answering(const struct request *r, uint32_t change)
{
	unsigned flip = (change & CHANGE_PORT ? 1u : 0) | (change & CHANGE_ADDRESS ? 2u : 0);

	return &r->w->ports[r->from->udp->index ^ flip];
}

static bool is_paired(const struct client *c)
{
	return c->udp && c->udp->paired && !c->dtls;
}

/* Without a second address these are attributes that nobody here knows, as RFC 5780 section 6.1 has it. PADDING would make an answer as long as the asker likes: refused always. */
static bool is_unknown(struct request *r, struct stun_message *m)
{
	static const struct {
		enum stun_attr attr;
		uint16_t type;
	} discovery[] = { { STUN_A_CHANGE_REQUEST, STUN_T_CHANGE_REQUEST },
		          { STUN_A_RESPONSE_PORT, STUN_T_RESPONSE_PORT },
		          { STUN_A_PADDING, STUN_T_PADDING } };
	bool can = is_paired(r->from);

	for (size_t i = 0; i < sizeof(discovery) / sizeof(*discovery); i++) {
		if (stun_has(m, discovery[i].attr) && (!can || discovery[i].attr == STUN_A_PADDING) && m->unknown_count < STUN_UNKNOWN_MAX)
			m->unknown[m->unknown_count++] = discovery[i].type;
	}
	return m->unknown_count > 0;
}

void turn_binding(struct request *r)
{
	struct stun_message m = *r->m;
	struct client to = *r->from;

	r->m = &m;
	count(&r->w->counters, COUNT_BINDINGS);
	if (is_unknown(r, &m)) {
		request_refuse(r, STUN_UNKNOWN_ATTRIBUTE);
		return;
	}
	request_begin(r);
	stun_put_xor_address(&r->answer, STUN_T_XOR_MAPPED_ADDRESS, &r->from->addr);
	if (is_paired(r->from)) {
		to.udp = answering(r, stun_has(&m, STUN_A_CHANGE_REQUEST) ? stun_u32(&m, STUN_A_CHANGE_REQUEST) : 0);
		stun_put_address(&r->answer, STUN_T_RESPONSE_ORIGIN, &to.udp->addr);
		stun_put_address(&r->answer, STUN_T_OTHER_ADDRESS, &answering(r, CHANGE_PORT | CHANGE_ADDRESS)->addr);
		if (stun_has(&m, STUN_A_RESPONSE_PORT))
			to.addr.port = stun_u16(&m, STUN_A_RESPONSE_PORT);
		r->from = &to;
	}
	request_reply(r);
}
