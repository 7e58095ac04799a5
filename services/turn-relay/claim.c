/* SPDX-License-Identifier: Apache-2.0
 *
 * claim: clients that have shown a ticket on a path of this thread (RFC 8016 section 3.2), until their allocation is here. */
#include "common/base/mem.h"
#include "services/turn-relay/mix.h"
#include "services/turn-relay/mobility.h"

/* --- the table ---------------------------------------------------------------------------------------------------- */

static uint32_t bucket_of(const struct worker *w, const struct client *c)
{
	uint16_t place = c->udp ? c->udp->index : UINT16_MAX;

	return (uint32_t)(mix_address(c->addr.ip, c->addr.port, place, w->shared->hash_key) % CLAIM_BUCKETS);
}

static bool is_same(const struct client *a, const struct client *b)
{
	return a->udp == b->udp && a->stream == b->stream && a->dtls == b->dtls && a->addr.port == b->addr.port &&
	       memcmp(a->addr.ip, b->addr.ip, sizeof(a->addr.ip)) == 0;
}

struct claim *claim_of(const struct worker *w, const struct client *client)
{
	struct claim *c = w->claim_count ? w->claims[bucket_of(w, client)] : NULL;

	while (c && !is_same(&c->client, client))
		c = c->next;
	return c;
}

static struct claim *find(const struct worker *w, uint32_t number)
{
	struct claim *c = w->claims[number % CLAIM_BUCKETS];

	while (c && c->number != number)
		c = c->next;
	return c;
}

static struct claim *add(struct worker *w, const struct client *client, uint64_t serial)
{
	uint32_t bucket = bucket_of(w, client);
	struct claim *c = mem_new(struct claim);

	c->worker = w;
	c->number = ++w->claim_number * CLAIM_BUCKETS + bucket;
	c->client = *client;
	c->serial = serial;
	c->last = &c->first;
	c->next = w->claims[bucket];
	w->claims[bucket] = c;
	w->claim_count++;
	return c;
}

static void unlink_claim(struct claim *c)
{
	struct claim **at = &c->worker->claims[c->number % CLAIM_BUCKETS];

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->worker->claim_count--;
}

struct claim *claim_take(struct worker *w, uint32_t number)
{
	struct claim *c = find(w, number);

	if (c)
		unlink_claim(c);
	return c;
}

static void destroy(struct claim *c)
{
	while (c->first) {
		struct held *h = c->first;

		c->first = h->next;
		mem_free(h);
	}
	mem_free(c->account);
	mem_free_secret(c, sizeof(*c));
}

void claim_end(struct claim *c)
{
	const struct client client = c->client;
	struct worker *w = c->worker;

	for (const struct held *h = c->first; h; h = h->next) {
		if (h->kind == CLAIM_DATA)
			data_channel(w, &client, h->channel, str_make(h->bytes, h->n));
		else
			turn_message(w, &client, str_make(h->bytes, h->n));
	}
	/* Data for peers is still where it was kept. */
	out_flush(w);
	destroy(c);
}

void claim_drop_all(struct worker *w)
{
	for (unsigned i = 0; i < CLAIM_BUCKETS; i++) {
		while (w->claims[i]) {
			struct claim *c = w->claims[i];

			unlink_claim(c);
			destroy(c);
		}
	}
}

/* --- the client --------------------------------------------------------------------------------------------------- */

bool claim_is_granted(const struct worker *w, const struct client *client)
{
	const struct claim *c = claim_of(w, client);

	return c && c->granted;
}

bool claim_is_of(const struct worker *w, const struct client *client, struct str account)
{
	const struct claim *c = claim_of(w, client);

	return c && c->granted && str_is(account, c->account);
}

static void release(const struct claim *c)
{
	struct move *m = move_new(c->serial, c->worker, c->number);

	if (!roam_ask(c->worker->shared->roam, c->serial, mobility_on_release, m))
		move_free(m);
}

void claim_client_gone(struct worker *w, const struct client *client)
{
	struct claim *c = claim_of(w, client);

	if (!c)
		return;
	release(c);
	unlink_claim(c);
	destroy(c);
}

/* Has he an allocation here, or may he wait for one? */
static void settle(const struct client *client)
{
	if (client->stream)
		stream_settled(client->stream);
	else if (client->dtls)
		dtls_settled(client->dtls);
}

/* He will not get it here. */
static void drop(struct claim *c)
{
	const struct client client = c->client;

	unlink_claim(c);
	claim_end(c);
	settle(&client);
}

/* The client is on the new path (section 3.2.2). */
static void call(struct claim *c)
{
	struct move *m = move_new(c->serial, c->worker, c->number);

	c->called = true;
	if (roam_ask(c->worker->shared->roam, c->serial, mobility_on_call, m))
		return;
	move_free(m);
	drop(c);
}

bool claim_hold(struct worker *w, const struct client *client, enum claim_kind kind, uint16_t channel, struct str bytes)
{
	struct claim *c = claim_of(w, client);
	struct held *h;

	if (!c)
		return false;
	if (c->held_count == CLAIM_HELD_MAX || c->held_bytes + bytes.n > CLAIM_HELD_BYTES) {
		count(&w->counters, COUNT_DROP_QUEUE);
		return true;
	}
	h = mem_alloc(sizeof(*h) + bytes.n);
	*h = (struct held){ .kind = kind, .channel = channel, .n = bytes.n };
	memcpy(h->bytes, bytes.p, bytes.n);
	*c->last = h;
	c->last = &h->next;
	c->held_count++;
	c->held_bytes += bytes.n;
	if (c->granted && !c->asking && !c->called)
		call(c);
	return true;
}

/* --- the Refresh -------------------------------------------------------------------------------------------------- */

static void remember(struct claim *c, const struct request *r)
{
	mem_free(c->account);
	c->account = mem_strndup(r->user.account.p, r->user.account.n);
	memcpy(c->id, r->m->id, sizeof(c->id));
	c->key = r->key;
	c->sha256 = r->sha256;
	c->fingerprint = stun_has(r->m, STUN_A_FINGERPRINT);
	c->asking = true;
}

static enum stun_code ask(struct request *r, struct claim *c)
{
	struct worker *w = r->w;
	struct ticket t;
	struct move *m;
	int family = stun_has(r->m, STUN_A_REQUESTED_FAMILY) ? request_family(r, STUN_A_REQUESTED_FAMILY) : RELAYED_FAMILIES;

	if (r->m->attr[STUN_A_MOBILITY_TICKET].n == 0)
		return STUN_BAD_REQUEST;
	if (!mobility_read_ticket(r, &t))
		return STUN_ALLOCATION_MISMATCH;
	if (family < 0)
		return STUN_PEER_FAMILY_MISMATCH;
	if (c && c->serial != t.serial) {
		claim_client_gone(w, r->from);
		c = NULL;
	}
	if (!c && w->claim_count >= CLAIMS_MAX)
		return STUN_INSUFFICIENT_CAPACITY;
	if (!c)
		c = add(w, r->from, t.serial);
	remember(c, r);
	m = move_new(t.serial, w, c->number);
	m->client = r->from->addr;
	m->account = mem_strdup(c->account);
	m->generation = t.generation;
	m->seconds = request_lifetime(r);
	m->family = family == RELAYED_FAMILIES ? -1 : family;
	if (roam_ask(w->shared->roam, t.serial, mobility_on_ask, m))
		return (enum stun_code)0;
	move_free(m);
	unlink_claim(c);
	destroy(c);
	return STUN_ALLOCATION_MISMATCH;
}

/* The answer to the request that was. */
static void tell(const struct claim *c, enum stun_code code, bool over)
{
	struct stun_message m = { .method = STUN_REFRESH, .id = c->id };
	struct request r = { .w = c->worker, .from = &c->client, .m = &m, .key = c->key, .proved = true, .sha256 = c->sha256 };

	m.has = c->fingerprint ? 1u << STUN_A_FINGERPRINT : 0;
	if (code) {
		request_refuse(&r, code);
		return;
	}
	request_begin(&r);
	stun_put_u32(&r.answer, STUN_T_LIFETIME, c->seconds);
	if (!over)
		mobility_put(&r, c->serial, c->issued, c->until_ms);
	request_reply(&r);
}

/* It is here already: moved by this very request, whose answer was lost; or the ticket is out of place (section 3.2.1). */
static void repeat(struct request *r)
{
	const struct roaming *it = r->a->roaming;
	uint64_t until = allocation_until_ms(r->a), now = worker_now(r->w);

	if (!it || !it->moved || memcmp(it->id, r->m->id, sizeof(it->id)) != 0) {
		request_refuse(r, STUN_BAD_REQUEST);
		return;
	}
	request_begin(r);
	stun_put_u32(&r->answer, STUN_T_LIFETIME, until > now ? (uint32_t)((until - now + 999) / 1000) : 0);
	mobility_put_ticket(r, r->a, until);
	request_reply(r);
}

void turn_move(struct request *r)
{
	struct claim *c = claim_of(r->w, r->from);
	enum stun_code code;

	if (!r->w->shared->config->mobility) {
		request_refuse(r, STUN_MOBILITY_FORBIDDEN);
	} else if (r->a) {
		repeat(r);
	} else if (c && (c->asking || memcmp(c->id, r->m->id, sizeof(c->id)) == 0)) {
		/* One question at a time: the client will repeat this one. */
		if (!c->asking)
			tell(c, (enum stun_code)0, false);
	} else if (c && c->called) {
		claim_hold(r->w, r->from, CLAIM_MESSAGE, 0, r->m->bytes);
	} else {
		code = ask(r, c);
		if (code)
			request_refuse(r, code);
	}
}

/* --- mail ---------------------------------------------------------------------------------------------------------- */

void claim_on_answer(struct worker *w, void *arg)
{
	struct move *m = arg;
	struct claim *c = find(w, m->claim);

	if (c) {
		c->asking = false;
		if (m->code == 0) {
			c->granted = true;
			c->seconds = m->seconds;
			c->issued = m->issued;
			c->until_ms = m->until_ms;
		}
		tell(c, m->code, m->over);
		settle(&c->client);
		if (m->over || !c->granted)
			drop(c);
		else if (c->first && !c->called)
			call(c);
	}
	move_free(m);
}

void claim_on_withdrawn(struct worker *w, void *arg)
{
	struct move *m = arg;
	struct claim *c = find(w, m->claim);

	if (c)
		drop(c);
	move_free(m);
}
