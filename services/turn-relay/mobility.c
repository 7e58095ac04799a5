/* SPDX-License-Identifier: Apache-2.0
 *
 * mobility: a mobile allocation in the thread that has it: its tickets, who may have it, and how it goes over and arrives (RFC 8016). */
#include "services/turn-relay/mobility.h"

#include "common/base/mem.h"

struct move *move_new(uint64_t serial, struct worker *by, uint32_t claim)
{
	struct move *m = mem_new(struct move);

	m->serial = serial;
	m->by = by;
	m->claim = claim;
	return m;
}

void move_free(struct move *m)
{
	mem_free(m->account);
	mem_free(m);
}

/* --- tickets ------------------------------------------------------------------------------------------------------ */

void mobility_put(struct request *r, uint64_t serial, uint32_t generation, uint64_t until_ms)
{
	/* To the second behind it, as the client is told. */
	struct ticket t = { .serial = serial, .generation = generation, .until_s = (uint32_t)((until_ms + 999) / 1000) };
	char text[TICKET_SIZE];

	ticket_make(&r->w->shared->ticket_key, &t, text);
	stun_put(&r->answer, STUN_T_MOBILITY_TICKET, str_make(text, sizeof(text)));
}

void mobility_put_ticket(struct request *r, const struct allocation *a, uint64_t until_ms)
{
	uint64_t last = allocation_until_ms(a);

	mobility_put(r, a->serial, a->roaming->issued, last > until_ms ? last : until_ms);
}

bool mobility_read_ticket(const struct request *r, struct ticket *out)
{
	return stun_has(r->m, STUN_A_MOBILITY_TICKET) &&
	       ticket_read(&r->w->shared->ticket_key, r->m->attr[STUN_A_MOBILITY_TICKET], (uint32_t)(worker_now(r->w) / 1000), out);
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

void mobility_begin(struct allocation *a)
{
	a->roaming = mem_new(struct roaming);
	roam_add(a->worker->shared->roam, a->serial, a->worker, a);
}

/* Somebody else will get it, or nobody. */
static void disinherit(struct allocation *a, bool withdraw)
{
	struct shared *sh = a->worker->shared;
	struct roaming *it = a->roaming;
	struct move *m;

	if (!it->heir.by)
		return;
	quota_leave_address(sh->quota, &it->heir.addr);
	if (withdraw) {
		m = move_new(a->serial, it->heir.by, it->heir.claim);
		if (!roam_post(sh->roam, it->heir.by, claim_on_withdrawn, m))
			move_free(m);
	}
	it->heir.by = NULL;
}

void mobility_end(struct allocation *a)
{
	disinherit(a, true);
	roam_remove(a->worker->shared->roam, a->serial);
	mem_free(a->roaming);
	a->roaming = NULL;
}

/* --- who may have it ---------------------------------------------------------------------------------------------- */

static bool is_heir(const struct roaming *it, const struct move *m)
{
	return it->heir.by == m->by && it->heir.claim == m->claim;
}

static enum stun_code judge(const struct allocation *a, const struct move *m)
{
	const struct roaming *it = a->roaming;

	uint32_t first = worker_now(a->worker) < it->before_until_ms ? it->before : it->confirmed;

	if (m->generation < first || m->generation > it->issued)
		return STUN_ALLOCATION_MISMATCH;
	if (strcmp(a->account, m->account) != 0)
		return STUN_WRONG_CREDENTIALS;
	if (m->family >= 0 && !a->relayed[m->family])
		return STUN_PEER_FAMILY_MISMATCH;
	return (enum stun_code)0;
}

/* The end of all of it is what was asked for. */
static bool ends(const struct allocation *a, const struct move *m)
{
	return m->seconds == 0 && (m->family < 0 || !a->relayed[1 - m->family]);
}

static enum stun_code grant(struct allocation *a, struct move *m)
{
	struct roaming *it = a->roaming;

	if (!quota_hold_address(a->worker->shared->quota, &a->client.addr, &m->client))
		return STUN_QUOTA_REACHED;
	disinherit(a, !is_heir(it, m));
	it->heir.by = m->by;
	it->heir.claim = m->claim;
	it->heir.addr = m->client;
	if (m->seconds > 0)
		allocation_set_lifetime(a, m->family, m->seconds);
	else
		allocation_drop_family(a, m->family);
	m->issued = ++it->issued;
	m->until_ms = allocation_until_ms(a);
	return (enum stun_code)0;
}

static void hand_over(struct allocation *a, bool called);

void mobility_on_ask(struct worker *w, void *arg)
{
	struct roam *roam = w->shared->roam;
	struct move *m = arg;
	struct allocation *a = roam_have(roam, m->serial, w);

	/* It has gone on to another thread, or has ended. */
	if (!a && roam_ask(roam, m->serial, mobility_on_ask, m))
		return;
	m->code = a ? judge(a, m) : STUN_ALLOCATION_MISMATCH;
	if (m->code == 0 && ends(a, m)) {
		m->over = true;
		disinherit(a, !is_heir(a->roaming, m));
		allocation_free(a);
		a = NULL;
	} else if (m->code == 0) {
		m->code = grant(a, m);
	}
	a = m->code == 0 ? a : NULL;
	if (!roam_post(roam, m->by, claim_on_answer, m))
		move_free(m);
	/* There is no old path. */
	if (a && !a->client.udp && !a->client.stream)
		hand_over(a, false);
}

void mobility_on_release(struct worker *w, void *arg)
{
	struct roam *roam = w->shared->roam;
	struct move *m = arg;
	struct allocation *a = roam_have(roam, m->serial, w);

	if (!a && roam_ask(roam, m->serial, mobility_on_release, m))
		return;
	if (a && is_heir(a->roaming, m))
		disinherit(a, false);
	move_free(m);
}

/* --- going over --------------------------------------------------------------------------------------------------- */

/* called: the client is known to be on the new path. */
static void hand_over(struct allocation *a, bool called)
{
	struct worker *w = a->worker;
	struct shared *sh = w->shared;
	struct roaming *it = a->roaming;
	struct worker *to = it->heir.by;
	struct move *m = move_new(a->serial, to, it->heir.claim);

	/* Datagrams that wait to go out have its sockets' numbers. */
	out_flush(w);
	for (int i = 0; i < RELAYED_FAMILIES; i++) {
		m->sockets[i].fd = -1;
		if (!a->relayed[i])
			continue;
		m->socket_until_ms[i] = a->relayed[i]->until_ms;
		relayed_release(&a->relayed[i], &m->sockets[i]);
	}
	allocation_leave(a);
	quota_leave_address(sh->quota, &a->client.addr);
	a->client.addr = it->heir.addr;
	it->heir.by = NULL;
	/* The client has got his ticket, or will have: those before it are no good any more. */
	it->before = it->confirmed;
	it->before_until_ms = called ? 0 : worker_now(w) + MOBILITY_LOST_MS;
	it->confirmed = it->issued;
	m->a = a;
	m->kicks = w->kicks;
	if (!roam_pass(sh->roam, m->serial, to, mobility_on_arrival, m))
		mobility_on_arrival(w, m);
}

void mobility_on_call(struct worker *w, void *arg)
{
	struct roam *roam = w->shared->roam;
	struct move *m = arg;
	struct allocation *a = roam_have(roam, m->serial, w);

	if (!a && roam_ask(roam, m->serial, mobility_on_call, m))
		return;
	if (a && is_heir(a->roaming, m)) {
		hand_over(a, true);
		move_free(m);
	} else if (!roam_post(roam, m->by, claim_on_withdrawn, m)) {
		move_free(m);
	}
}

void mobility_alone(struct allocation *a)
{
	uint64_t until = worker_now(a->worker) + MOBILITY_ALONE_MS;

	if (a->roaming->heir.by) {
		hand_over(a, false);
		return;
	}
	for (int i = 0; i < RELAYED_FAMILIES; i++) {
		if (a->relayed[i] && a->relayed[i]->until_ms > until)
			a->relayed[i]->until_ms = until;
	}
	allocation_watch(a);
}

void mobility_on_arrival(struct worker *w, void *arg)
{
	struct move *m = arg;
	struct allocation *a = m->a;
	struct claim *c = m->by == w ? claim_take(w, m->claim) : NULL;

	if (c)
		a->client = c->client;
	allocation_enter(w, a);
	for (int i = 0; i < RELAYED_FAMILIES; i++) {
		if (m->sockets[i].fd < 0)
			continue;
		a->relayed[i] = relayed_adopt(a, &m->sockets[i]);
		a->relayed[i]->until_ms = m->socket_until_ms[i];
	}
	allocation_watch(a);
	/* An operator may have ended his allocations when this one was with nobody: whose they were is not known here. */
	if (w->kicks != m->kicks && (int32_t)(w->kicks - m->kicks) > 0) {
		allocation_free(a);
	} else if (c) {
		count(&w->counters, COUNT_MOVED);
		a->roaming->moved = true;
		memcpy(a->roaming->id, c->id, sizeof(c->id));
	} else {
		mobility_alone(a);
	}
	if (c)
		claim_end(c);
	move_free(m);
}
