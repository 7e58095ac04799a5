/* SPDX-License-Identifier: Apache-2.0
 *
 * auth: the long-term mechanism (RFC 8489 section 9.2.4). In one point not in its order: the nonce is looked at before the credentials. Only who has a nonce of ours for the address that he
 * sends from is worth the keys' computing, and only he can use up an address' wrong attempts. */
#include "common/base/clock.h"
#include "services/turn-relay/mobility.h"

/* As request_challenge offers them: the list must come back as it was, or somebody on the way has shortened it (section 9.2.1). */
static const uint8_t offered[] = { 0, STUN_ALGORITHM_SHA256, 0, 0, 0, STUN_ALGORITHM_MD5, 0, 0 };

/* 0: the request breaks the rules. */
static uint16_t choose_algorithm(struct request *r)
{
	const struct stun_message *m = r->m;
	bool list = stun_has(m, STUN_A_PASSWORD_ALGORITHMS), chosen = stun_has(m, STUN_A_PASSWORD_ALGORITHM);
	uint16_t algorithm;

	if (!list && !chosen)
		return STUN_ALGORITHM_MD5;
	if (!list || !chosen || !str_eq(m->attr[STUN_A_PASSWORD_ALGORITHMS], str_make(offered, sizeof(offered))))
		return 0;
	algorithm = stun_u16(m, STUN_A_PASSWORD_ALGORITHM);
	/* Neither has parameters. */
	if (m->attr[STUN_A_PASSWORD_ALGORITHM].n != 4 || (algorithm != STUN_ALGORITHM_MD5 && algorithm != STUN_ALGORITHM_SHA256) ||
	    stun_u32(m, STUN_A_PASSWORD_ALGORITHM) != (uint32_t)algorithm << 16)
		return 0;
	r->sha256 = true;
	return algorithm;
}

/* A name that has expired refreshes what it has made, unless the operator says otherwise. Whose is what a ticket is for the thread says that has it. */
static bool may_when_expired(const struct request *r)
{
	const struct allocation *a = allocation_of(r->w, r->from);
	struct ticket t;

	if (r->w->shared->config->strict_expiry || r->m->method == STUN_ALLOCATE)
		return false;
	if (a)
		return str_is(r->user.account, a->account);
	return claim_is_of(r->w, r->from, r->user.account) || (r->m->method == STUN_REFRESH && mobility_read_ticket(r, &t));
}

static bool check_proof(struct request *r, uint16_t algorithm)
{
	struct worker *w = r->w;
	enum creds_verdict v;

	if (!quota_may_try(w->shared->quota, &r->from->addr, worker_now(w))) {
		count(&w->counters, COUNT_CAPPED);
		return false;
	}
	v = str_is(r->m->attr[STUN_A_REALM], w->shared->realm)
	            ? creds_check(w->creds, r->m, algorithm, clock_wall_us() / 1000000, &r->user, &r->key)
	            : CREDS_WRONG;
	if (v == CREDS_OK || (v == CREDS_EXPIRED && may_when_expired(r))) {
		r->proved = true;
		return true;
	}
	quota_failed(w->shared->quota, &r->from->addr, worker_now(w));
	count(&w->counters, COUNT_WRONG);
	r->sha256 = false;
	request_challenge(r, STUN_UNAUTHENTICATED);
	return false;
}

static void refuse_stranger(struct request *r, enum stun_code code)
{
	if (!request_within_budget(r))
		return;
	count(&r->w->counters, code == STUN_STALE_NONCE ? COUNT_STALE : COUNT_CHALLENGED);
	if (code == STUN_BAD_REQUEST)
		request_refuse(r, code);
	else
		request_challenge(r, code);
}

bool request_authenticate(struct request *r)
{
	const struct stun_message *m = r->m;
	const struct shared *sh = r->w->shared;
	uint16_t algorithm;

	if (!stun_has(m, STUN_A_INTEGRITY) && !stun_has(m, STUN_A_INTEGRITY_SHA256)) {
		refuse_stranger(r, STUN_UNAUTHENTICATED);
		return false;
	}
	if ((!stun_has(m, STUN_A_USERNAME) && !stun_has(m, STUN_A_USERHASH)) || !stun_has(m, STUN_A_REALM) || !stun_has(m, STUN_A_NONCE)) {
		refuse_stranger(r, STUN_BAD_REQUEST);
		return false;
	}
	if (nonce_check(&sh->nonce_key, &r->from->addr, m->attr[STUN_A_NONCE], (uint32_t)(worker_now(r->w) / 1000),
	                (uint32_t)(sh->config->nonce_ms / 1000)) != NONCE_OK) {
		refuse_stranger(r, STUN_STALE_NONCE);
		return false;
	}
	algorithm = choose_algorithm(r);
	if (algorithm == 0) {
		request_refuse(r, STUN_BAD_REQUEST);
		return false;
	}
	return check_proof(r, algorithm);
}
