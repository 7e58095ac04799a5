/* SPDX-License-Identifier: Apache-2.0
 *
 * request: from a STUN message to its handler, and answers (RFC 8489 section 6.3, RFC 8656 section 5). */
#include "services/turn-relay/request.h"

#include "common/base/clock.h"
#include "services/turn-relay/mobility.h"

static const struct method {
	uint16_t number;
	bool open;  /* anybody may */
	bool needs; /* an allocation, and the account that made it */
	void (*handle)(struct request *r);
} methods[] = {
	{ STUN_BINDING, true, false, turn_binding },
	{ STUN_ALLOCATE, false, false, turn_allocate },
	{ STUN_REFRESH, false, true, turn_refresh },
	{ STUN_CREATE_PERMISSION, false, true, turn_create_permission },
	{ STUN_CHANNEL_BIND, false, true, turn_channel_bind },
	{ STUN_CONNECT, false, true, turn_connect },
	{ STUN_CONNECTION_BIND, false, false, turn_connection_bind },
};

static const struct method *find(uint16_t number)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		if (methods[i].number == number)
			return &methods[i];
	}
	return NULL;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

void client_send(struct worker *w, const struct client *c, const uint8_t *p, size_t n)
{
	struct sock to;

	if (c->stream) {
		stream_send(c->stream, p, n, false);
		return;
	}
	if (c->dtls) {
		dtls_send(c->dtls, p, n);
		return;
	}
	sock_from(&to, &c->addr);
	if (sendto(c->udp->fd, p, n, MSG_DONTWAIT, &to.sa, to.n) < 0)
		count(&w->counters, COUNT_DROP_SOCKET);
}

void request_begin(struct request *r)
{
	stun_begin(&r->answer, r->bytes, sizeof(r->bytes), STUN_SUCCESS, r->m->method, r->m->id);
}

void request_reply(struct request *r)
{
	if (r->proved)
		stun_sign(&r->answer, &r->key, r->sha256);
	if (stun_has(r->m, STUN_A_FINGERPRINT))
		stun_put_fingerprint(&r->answer);
	if (!r->answer.overflow)
		client_send(r->w, r->from, r->bytes, r->answer.n);
}

static void begin_error(struct request *r, enum stun_code code)
{
	stun_begin(&r->answer, r->bytes, sizeof(r->bytes), STUN_ERROR, r->m->method, r->m->id);
	stun_put_error(&r->answer, (uint16_t)code);
}

void request_refuse(struct request *r, enum stun_code code)
{
	count(&r->w->counters, code == STUN_FORBIDDEN               ? COUNT_REFUSED_PEER
	                       : code == STUN_QUOTA_REACHED         ? COUNT_REFUSED_QUOTA
	                       : code == STUN_INSUFFICIENT_CAPACITY ? COUNT_REFUSED_CAPACITY
	                                                            : COUNT_REFUSED_REQUEST);
	begin_error(r, code);
	if (code == STUN_UNKNOWN_ATTRIBUTE)
		stun_put_unknown(&r->answer, r->m->unknown, r->m->unknown_count);
	request_reply(r);
}

void request_send_away(struct request *r, const struct net_addr *where)
{
	count(&r->w->counters, COUNT_REFUSED_CAPACITY);
	begin_error(r, STUN_TRY_ALTERNATE);
	stun_put_address(&r->answer, STUN_T_ALTERNATE_SERVER, where);
	request_reply(r);
}

void request_challenge(struct request *r, enum stun_code code)
{
	static const uint8_t algorithms[] = { 0, STUN_ALGORITHM_SHA256, 0, 0, 0, STUN_ALGORITHM_MD5, 0, 0 };
	const struct shared *sh = r->w->shared;
	char nonce[NONCE_SIZE];

	nonce_make(&sh->nonce_key, &r->from->addr, (uint32_t)(worker_now(r->w) / 1000), nonce);
	begin_error(r, code);
	stun_put(&r->answer, STUN_T_REALM, str_from(sh->realm));
	stun_put(&r->answer, STUN_T_NONCE, str_make(nonce, sizeof(nonce)));
	stun_put(&r->answer, STUN_T_PASSWORD_ALGORITHMS, str_make(algorithms, sizeof(algorithms)));
	request_reply(r);
}

/* Who has made a connection, or a DTLS session, is where he says. */
bool request_within_budget(struct request *r)
{
	if (r->from->stream || r->from->dtls || budget_take(r->w->budget, &r->from->addr, worker_now(r->w)))
		return true;
	count(&r->w->counters, COUNT_UNANSWERED);
	return false;
}

/* With strict_expiry an allocation lasts no longer than the name that refreshes it. */
static uint32_t within_name(const struct request *r, uint32_t seconds)
{
	int64_t left = r->user.expires_s - clock_wall_us() / 1000000;

	if (!r->w->shared->config->strict_expiry || r->user.expires_s == 0 || left >= seconds)
		return seconds;
	return left > 0 ? (uint32_t)left : 0;
}

uint32_t request_lifetime(const struct request *r)
{
	const struct turn_config *c = r->w->shared->config;
	uint32_t longest = (uint32_t)(c->allocation_max_ms / 1000), wanted;

	if (!stun_has(r->m, STUN_A_LIFETIME))
		return within_name(r, TURN_LIFETIME_S);
	wanted = stun_u32(r->m, STUN_A_LIFETIME);
	if (wanted == 0 && r->m->method == STUN_REFRESH)
		return 0;
	if (wanted > longest)
		wanted = longest;
	return within_name(r, wanted > TURN_LIFETIME_S ? wanted : TURN_LIFETIME_S);
}

int request_family(const struct request *r, enum stun_attr attr)
{
	switch (r->m->attr[attr].p[0]) {
	case STUN_FAMILY_V4:
		return RELAYED_V4;
	case STUN_FAMILY_V6:
		return RELAYED_V6;
	default:
		return -1;
	}
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* With a ticket the allocation is another 5-tuple's (RFC 8016 section 3.2). */
static bool moves(const struct request *r)
{
	return r->m->method == STUN_REFRESH && stun_has(r->m, STUN_A_MOBILITY_TICKET);
}

static void handle(struct request *r, const struct method *method)
{
	if (method->needs && !r->a && !moves(r))
		request_refuse(r, STUN_ALLOCATION_MISMATCH);
	else if (method->needs && r->a && !str_is(r->user.account, r->a->account))
		request_refuse(r, STUN_WRONG_CREDENTIALS);
	else if (r->m->unknown_count && !method->open)
		request_refuse(r, STUN_UNKNOWN_ATTRIBUTE);
	else if (moves(r))
		turn_move(r);
	else
		method->handle(r);
}

static void on_request(struct worker *w, const struct client *c, const struct stun_message *m)
{
	const struct method *method = find(m->method);
	struct request r = { .w = w, .from = c, .m = m };

	if (method && !method->open) {
		if (request_authenticate(&r)) {
			r.a = allocation_of(w, c);
			if (r.a || moves(&r) || !claim_hold(w, c, CLAIM_MESSAGE, 0, m->bytes))
				handle(&r, method);
		}
	} else if (request_within_budget(&r)) {
		if (method)
			handle(&r, method);
		else
			request_refuse(&r, STUN_BAD_REQUEST);
	}
}

void turn_message(struct worker *w, const struct client *c, struct str bytes)
{
	struct stun_message m;

	if (!stun_message_read(&m, bytes)) {
		count(&w->counters, COUNT_DROP_BAD);
		return;
	}
	if (m.cls == STUN_REQUEST)
		on_request(w, c, &m);
	else if (m.cls == STUN_INDICATION && m.method == STUN_SEND)
		data_send(w, c, &m);
	/* A Binding indication keeps a NAT's binding (RFC 8489 section 5); responses are nobody's here. */
}
