/* SPDX-License-Identifier: Apache-2.0
 *
 * allocate: Allocate requests (RFC 8656 section 7.2). */
#include <unistd.h>

#include "services/turn-relay/mobility.h"

#define EVEN_RESERVE 0x80u

/* What the request asks for. */
struct wish {
	bool family[RELAYED_FAMILIES];
	bool dual; /* both are wanted, one will do */
	bool even, pair;
	bool reserved;
	bool tcp;
	bool mobile;
};

/* The checks of section 7.2 that need nothing but the request; 0, or the error's code. */
static enum stun_code read_wish(const struct request *r, struct wish *wish)
{
	const struct stun_message *m = r->m;
	bool family = stun_has(m, STUN_A_REQUESTED_FAMILY), additional = stun_has(m, STUN_A_ADDITIONAL_FAMILY),
	     even = stun_has(m, STUN_A_EVEN_PORT);
	int wanted = RELAYED_V4;
	uint8_t transport;

	if (!stun_has(m, STUN_A_REQUESTED_TRANSPORT))
		return STUN_BAD_REQUEST;
	transport = (uint8_t)m->attr[STUN_A_REQUESTED_TRANSPORT].p[0];
	if (transport != STUN_TRANSPORT_UDP && !(transport == STUN_TRANSPORT_TCP && r->w->shared->config->tcp_relay))
		return STUN_TRANSPORT_UNSUPPORTED;
	*wish = (struct wish){
		.tcp = transport == STUN_TRANSPORT_TCP, .reserved = stun_has(m, STUN_A_RESERVATION_TOKEN), .even = even, .dual = additional
	};
	wish->pair = even && ((uint8_t)m->attr[STUN_A_EVEN_PORT].p[0] & EVEN_RESERVE);
	if ((wish->reserved && (even || family || additional)) || (family && additional) || (wish->pair && additional))
		return STUN_BAD_REQUEST;
	/* RFC 6062 section 5.1; and one family, which is all that it knows. */
	if (wish->tcp && (!r->from->stream || wish->reserved || even || additional || stun_has(m, STUN_A_DONT_FRAGMENT)))
		return STUN_BAD_REQUEST;
	wish->mobile = stun_has(m, STUN_A_MOBILITY_TICKET);
	if (wish->mobile && m->attr[STUN_A_MOBILITY_TICKET].n > 0)
		return STUN_BAD_REQUEST;
	/* RFC 6062's data connections are the client's, and cannot follow it. */
	if (wish->mobile && (wish->tcp || !r->w->shared->config->mobility))
		return STUN_MOBILITY_FORBIDDEN;
	if (additional && request_family(r, STUN_A_ADDITIONAL_FAMILY) != RELAYED_V6)
		return STUN_BAD_REQUEST;
	if (family)
		wanted = request_family(r, STUN_A_REQUESTED_FAMILY);
	if (wanted < 0)
		return STUN_FAMILY_UNSUPPORTED;
	wish->family[wanted] = true;
	wish->family[RELAYED_V6] = wish->family[RELAYED_V6] || additional;
	return (enum stun_code)0;
}

static enum stun_code quota_code(enum quota_verdict v)
{
	switch (v) {
	case QUOTA_OK:
		return (enum stun_code)0;
	case QUOTA_TOTAL:
		return STUN_INSUFFICIENT_CAPACITY;
	case QUOTA_BLOCKED:
		return STUN_FORBIDDEN;
	default:
		return STUN_QUOTA_REACHED;
	}
}

/* The port behind the relayed one, for whoever brings the token. */
static bool reserve_pair(struct request *r, struct allocation *a, const struct relayed *it, int fd)
{
	struct reserved what = { .fd = fd, .port = (uint16_t)(it->port + 1), .place = it->place };

	a->has_token = reserve_put(r->w->shared->reserve, &what, r->user.account, worker_now(r->w), a->token);
	if (!a->has_token) {
		close(fd);
		relay_ports_give(&r->w->shared->ports[it->place], what.port);
	}
	return a->has_token;
}

static enum stun_code add_family(struct request *r, struct allocation *a, const struct wish *wish, int family)
{
	int place = relay_place(r->w, r->from, family), fd = -1;

	if (place < 0)
		return STUN_FAMILY_UNSUPPORTED;
	a->relayed[family] = relayed_new(a, (uint16_t)place, wish->even, wish->pair ? &fd : NULL);
	if (!a->relayed[family])
		return STUN_INSUFFICIENT_CAPACITY;
	if (wish->pair && !reserve_pair(r, a, a->relayed[family], fd))
		return STUN_INSUFFICIENT_CAPACITY;
	return (enum stun_code)0;
}

static enum stun_code adopt_reserved(struct request *r, struct allocation *a)
{
	const uint8_t *token = (const uint8_t *)r->m->attr[STUN_A_RESERVATION_TOKEN].p;
	struct reserved what;
	int family;

	if (!reserve_take(r->w->shared->reserve, token, r->user.account, worker_now(r->w), &what))
		return STUN_INSUFFICIENT_CAPACITY;
	family = net_addr_is_v4(&r->w->shared->addresses.relay[what.place]) ? RELAYED_V4 : RELAYED_V6;
	a->relayed[family] = relayed_adopt(a, &what);
	return (enum stun_code)0;
}

/* Of two families one may fail (section 7.2, 9th check). */
static enum stun_code add_relayed(struct request *r, struct allocation *a, const struct wish *wish)
{
	enum stun_code first = (enum stun_code)0, second = (enum stun_code)0;

	if (wish->reserved)
		return adopt_reserved(r, a);
	if (wish->family[RELAYED_V4])
		first = add_family(r, a, wish, RELAYED_V4);
	if (wish->family[RELAYED_V6])
		second = add_family(r, a, wish, RELAYED_V6);
	if (!wish->dual)
		return first ? first : second;
	if (first && second)
		return STUN_INSUFFICIENT_CAPACITY;
	a->family_error = (uint16_t)(first ? first : second);
	return (enum stun_code)0;
}

static void tell(struct request *r, struct allocation *a)
{
	uint64_t now = worker_now(r->w), left = 0;

	request_begin(r);
	for (int i = 0; i < RELAYED_FAMILIES; i++) {
		if (!a->relayed[i])
			continue;
		stun_put_xor_address(&r->answer, STUN_T_XOR_RELAYED_ADDRESS, &a->relayed[i]->told);
		left = a->relayed[i]->until_ms > now ? (a->relayed[i]->until_ms - now + 999) / 1000 : 0;
	}
	stun_put_u32(&r->answer, STUN_T_LIFETIME, (uint32_t)left);
	if (a->roaming)
		mobility_put_ticket(r, a, allocation_until_ms(a));
	if (a->has_token)
		stun_put(&r->answer, STUN_T_RESERVATION_TOKEN, str_make(a->token, sizeof(a->token)));
	if (a->family_error)
		stun_put_address_error(&r->answer, a->relayed[RELAYED_V4] ? STUN_FAMILY_V6 : STUN_FAMILY_V4, a->family_error);
	stun_put_xor_address(&r->answer, STUN_T_XOR_MAPPED_ADDRESS, &r->from->addr);
	request_reply(r);
}

/* Of the family that the client comes from (RFC 8489 section 10). */
static const struct net_addr *alternate_of(const struct request *r)
{
	const struct net_addr *a = &r->w->shared->addresses.alternate[net_addr_is_v4(&r->from->addr) ? 0 : 1];

	return a->port ? a : NULL;
}

static enum stun_code make(struct request *r, const struct wish *wish)
{
	struct worker *w = r->w;
	enum stun_code code;
	struct allocation *a;

	if (atomic_load_explicit(&w->shared->draining, memory_order_relaxed))
		return alternate_of(r) ? STUN_TRY_ALTERNATE : STUN_INSUFFICIENT_CAPACITY;
	code = quota_code(quota_enter(w->shared->quota, r->user.account, &r->from->addr, worker_now(w)));
	if (code)
		return code;
	a = allocation_new(w, r->from, r->user.account);
	memcpy(a->id, r->m->id, sizeof(a->id));
	a->expires_s = r->user.expires_s;
	a->tcp = wish->tcp;
	code = add_relayed(r, a, wish);
	if (code) {
		allocation_free(a);
		return code;
	}
	allocation_set_lifetime(a, -1, request_lifetime(r));
	if (wish->mobile)
		mobility_begin(a);
	count(&w->counters, COUNT_ALLOCATED);
	tell(r, a);
	return (enum stun_code)0;
}

void turn_allocate(struct request *r)
{
	struct wish wish;
	enum stun_code code;

	if (r->a) {
		/* The same request once more: its answer was lost, or was slow (section 7.2, the note on retransmissions). */
		if (memcmp(r->a->id, r->m->id, sizeof(r->a->id)) == 0 && str_is(r->user.account, r->a->account))
			tell(r, r->a);
		else
			request_refuse(r, STUN_ALLOCATION_MISMATCH);
		return;
	}
	code = read_wish(r, &wish);
	if (!code)
		code = make(r, &wish);
	if (code == STUN_TRY_ALTERNATE)
		request_send_away(r, alternate_of(r));
	else if (code)
		request_refuse(r, code);
}
